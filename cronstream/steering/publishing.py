"""Runs with a cause come on their clusters' logs."""

import asyncio
from typing import Final

from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, NotFoundError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.scope import LogReader
from cronstream.settings import settings
from cronstream.steering.believed import see_that_it_is_believed, see_that_it_may
from cronstream.steering.connecting import RunPublisher
from cronstream.topology.publish import Ack
from cronstream.topology.resending import resend_until_accepted
from cronstream.trust.keyring import judge_for_command
from cronstream.trust.signer import Signer

_ACK_S: Final = 30.0


async def publish_runs(publisher: RunPublisher, reader: LogReader, runs: list[Run]) -> list[Ack]:
    """Publish runs with a cause to their clusters' logs; return where each of them stands.

    A run that the broker got too long after it was judged is refused by the fold (rule 11), which
    its acknowledgement shows; it is sent again then, judged by the log's clock.

    Raises:
        NotFoundError: If a cluster has no log.
        HouseError: If the installation has moved, or is being imported.
        KeysError: If workers there would not run what is signed so, or not signed.
        BrokerError: If the broker does not acknowledge one in time.
    """
    await see_that_one_may_publish(reader)
    asked = {run.cluster for run in runs}
    signer = Signer(settings(), at_once=True)
    see_that_it_may(runs, signer, judge_for_command(settings()))
    await see_that_it_is_believed(reader, asked, signer.id)
    counts = {}
    for cluster in sorted(asked):
        log = reader.names.log(cluster)
        counts[cluster] = len(await reader.partitions(log))
        if not counts[cluster]:
            raise NotFoundError(f"there is no cluster {cluster!r} on this broker: no topic {log}")

    async def send(run: Run) -> Ack:
        return await _acknowledged(run, _send(publisher, run, counts[run.cluster]))

    sent = [(run, _send(publisher, run, counts[run.cluster])) for run in runs]
    return [await resend_until_accepted(run, _acknowledged(run, ack), send) for run, ack in sent]


def _send(publisher: RunPublisher, run: Run, partitions: int) -> asyncio.Future[Ack]:
    return publisher.publish(publisher.names.log(run.cluster), run.job, run, partitions=partitions)


async def _acknowledged(run: Run, sent: asyncio.Future[Ack]) -> Ack:
    try:
        async with asyncio.timeout(_ACK_S):
            return await sent
    except TimeoutError as error:
        raise BrokerError(
            f"run {run.id}: not acknowledged within {_ACK_S:.0f} s, so it is not known whether "
            f"it is on the log; look with 'cronstream show {run.id}' before you try again"
        ) from error
