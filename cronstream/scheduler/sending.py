"""Puts a plan's entries on the logs, and knows which partitions have not taken theirs."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
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

OnSent: TypeAlias = "Callable[[Run, asyncio.Future[Ack]], None]"


@dataclass(slots=True)
class Sent:
    """What was put on the logs in one go.

    Attributes:
        count: How many messages it were.
        waiting: What the broker has not acknowledged.
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
        self._partition_of = lru_cache(maxsize=100_000)(partition_of)

    def place_of(self, cluster: str, job: str) -> Place:
        """Return the partition of a cluster's log that has a job's entries."""
        return Place(cluster, self._partition_of(job, self._partitions))

    def places_of(self, cluster: str) -> set[Place]:
        """Return all partitions of a cluster's log."""
        return {Place(cluster, partition) for partition in range(self._partitions)}

    async def send(self, messages: Iterable[Planned]) -> Sent:
        """Put entries on the logs, each log's in order; who calls may `wait` for them."""
        sent = Sent()
        for sent.count, (cluster, entry) in enumerate(messages, 1):
            acknowledged, put = self._send(cluster, entry)
            sent.waiting[acknowledged] = cluster, put
            if self.on_sent is not None and isinstance(put, Run):
                self.on_sent(put, acknowledged)
            if sent.count % _TURN == 0:
                await asyncio.sleep(0)
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

    def _send(
        self, cluster: str, entry: Run | Skip | Withdrawal
    ) -> tuple["asyncio.Future[Ack]", Run | Skip | Withdrawal]:
        log = self._publisher.names.log(cluster)
        try:
            return self._publisher.publish(log, entry.job, entry), entry
        except BrokerError as error:
            if not isinstance(entry, Run):
                raise
            return self._skip(log, entry, error), _skip_of(entry)

    def _skip(self, log: str, run: Run, reason: BrokerError) -> "asyncio.Future[Ack]":
        # It would be too large at every tick, and hold up all other jobs of its partition.
        about = fields("skipped", job=run.job, run=run.id, cluster=run.cluster, reason="too-large")
        logger.error("run %s: skipped, %s", run.id, reason, extra=about)
        return self._publisher.publish(log, run.job, _skip_of(run))

    def _heed(self, sent: Sent, future: "asyncio.Future[Ack]") -> None:
        cluster, entry = sent.waiting.pop(future)
        if future.cancelled():
            raise CronstreamError("the publisher was stopped")
        error = future.exception()
        if isinstance(error, TooLargeError) and isinstance(entry, Run):
            skipped = self._skip(self._publisher.names.log(cluster), entry, error)
            sent.waiting[skipped] = cluster, _skip_of(entry)
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
