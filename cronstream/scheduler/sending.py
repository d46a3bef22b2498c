"""Puts a plan's entries on the logs, and knows which partitions have not taken theirs."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from cronstream.core.planning.cursor import Place
from cronstream.core.planning.draft import Planned
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, CronstreamError, TooLargeError
from cronstream.logs import fields
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.scheduler.world import RunPublisher
from cronstream.topology.publish import Ack, partition_of

logger = logging.getLogger(__name__)

#: Every so many messages, others get their turn.
_TURN = 500
#: A skip in place of what was refused may take so long.
_SKIP_S = 1.0

Placed: TypeAlias = tuple[Place, Run | Skip | Withdrawal]
OnSent: TypeAlias = "Callable[[Run, asyncio.Future[Ack]], None]"


@dataclass(slots=True)
class Sent:
    """What was put on the logs in one go.

    Attributes:
        count: How many messages it were.
        waiting: What the broker has not acknowledged; of several withdrawals that were put on one
            partition together, the last.
        refused: Partitions that have refused something, for good.
    """

    count: int = 0
    waiting: dict["asyncio.Future[Ack]", Planned] = field(default_factory=dict)
    refused: set[Place] = field(default_factory=set)


class Sender:
    """Puts entries on the partitions of their jobs."""

    def __init__(self, publisher: RunPublisher, partitions: int, counts: SchedulerCounts) -> None:
        self._publisher, self._partitions, self._counts = publisher, partitions, counts
        #: Is called with each run that is put on a log, and what becomes the broker's word on it.
        self.on_sent: OnSent | None = None

    def place_of(self, cluster: str, job: str) -> Place:
        """Return the partition of a cluster's log that has a job's entries."""
        return Place(cluster, partition_of(job, self._partitions))

    def placed(self, messages: Iterable[Planned]) -> Iterator[Placed]:
        """Yield entries, each with its partition."""
        return ((self.place_of(cluster, entry.job), entry) for cluster, entry in messages)

    def places_of(self, cluster: str) -> set[Place]:
        """Return all partitions of a cluster's log."""
        return {Place(cluster, partition) for partition in range(self._partitions)}

    async def send(self, messages: Iterable[Placed]) -> Sent:
        """Put entries on the logs, each partition's in order; who calls may `wait` for them."""
        sent = Sent()
        together: defaultdict[Place, list[Withdrawal]] = defaultdict(list)
        for sent.count, (place, entry) in enumerate(messages, 1):
            # There are as many withdrawals as edits, and nobody asks what became of each.
            group = together[place]
            if isinstance(entry, Withdrawal):
                group.append(entry)
            if len(group) == _TURN or not isinstance(entry, Withdrawal):
                self._send_together(sent, place, group)
            if not isinstance(entry, Withdrawal):
                self._send(sent, place, entry)
            if sent.count % _TURN == 0:
                await asyncio.sleep(0)
        for place, group in together.items():
            self._send_together(sent, place, group)
        return sent

    async def wait(self, sent: Sent, within_s: float) -> None:
        """Wait until all that was sent has been acknowledged or refused, but not for long."""
        for limit_s in (within_s, min(within_s, _SKIP_S)):
            if sent.waiting:
                done, _ = await asyncio.wait(sent.waiting, timeout=limit_s)
                for future in done:
                    self._heed(sent, future)

    def behind(self, sent: Sent) -> set[Place]:
        """Return the partitions that have not acknowledged all that was sent to them."""
        return {self.place_of(cluster, entry.job) for cluster, entry in sent.waiting.values()}

    def _send_together(self, sent: Sent, place: Place, group: list[Withdrawal]) -> None:
        """Put withdrawals on a partition, and leave the list empty."""
        if group:
            log = self._publisher.names.log(place.cluster)
            acknowledged = self._publisher.append_all(log, place.partition, group)
            sent.waiting[acknowledged] = place.cluster, group[-1]
            group.clear()

    def _send(self, sent: Sent, place: Place, entry: Run | Skip) -> None:
        log = self._publisher.names.log(place.cluster)
        try:
            acknowledged = self._publisher.append(log, place.partition, entry)
        except BrokerError as error:
            if not isinstance(entry, Run):
                raise
            self._skip(sent, place, entry, error)
            return
        sent.waiting[acknowledged] = place.cluster, entry
        if self.on_sent is not None and isinstance(entry, Run):
            self.on_sent(entry, acknowledged)

    def _skip(self, sent: Sent, place: Place, run: Run, reason: BrokerError) -> None:
        # It would be too large at every tick, and hold up all other jobs of its partition.
        about = fields("skipped", job=run.job, run=run.id, cluster=run.cluster, reason="too-large")
        logger.error("run %s: skipped, %s", run.id, reason, extra=about)
        log, skip = self._publisher.names.log(place.cluster), _skip_of(run)
        sent.waiting[self._publisher.append(log, place.partition, skip)] = place.cluster, skip

    def _heed(self, sent: Sent, future: "asyncio.Future[Ack]") -> None:
        cluster, entry = sent.waiting.pop(future)
        if future.cancelled():
            raise CronstreamError("the publisher was stopped")
        error = future.exception()
        if isinstance(error, TooLargeError) and isinstance(entry, Run):
            self._skip(sent, self.place_of(cluster, entry.job), entry, error)
        elif error is not None:
            about = fields("not-sent", job=entry.job, cluster=cluster)
            logger.error("%s", error, extra=about)
            sent.refused.add(self.place_of(cluster, entry.job))
        else:
            self._counts.acknowledged(cluster, entry, future.result().at)


def _skip_of(run: Run) -> Skip:
    return Skip(
        job=run.job,
        revision=run.revision or 0,
        reason=SkipReason.MISSED,
        from_at=run.scheduled_at,
        to_at=run.scheduled_at,
    )
