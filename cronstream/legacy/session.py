"""One stay in the group that reads the old topic: read, judge, publish, commit, in that order."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiokafka import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.planning.legacy import (
    LegacyMessage,
    legacy_run,
    number_of,
)
from cronstream.core.wire.runs import Job, Run
from cronstream.core.wire.times import format_time
from cronstream.errors import BrokerError, CrontabError, MessageError
from cronstream.legacy.groups import Committed, Groups, find_starts
from cronstream.legacy.item import Item, read_item
from cronstream.legacy.known import JobsInForce, moved_before
from cronstream.legacy.progress import Counts, Progress
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.reading import Reader
from cronstream.topology.resending import resend_until_accepted
from cronstream.topology.topics import cluster_topics, ensure_topics

logger = logging.getLogger(__name__)

_BATCH = 500
_POLL_S = 0.25
_FLUSH_S = 30.0
#: Between the clocks of this machine and of the brokers; no run is taken later than that either.
_MARGIN = timedelta(minutes=10)


class Assignments(ConsumerRebalanceListener):
    """Notes that partitions have been assigned, until somebody takes them over."""

    def __init__(self) -> None:
        self.partitions: list[int] = []
        self.changed = False

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing is owed: what is not committed is read again, with the same ids."""

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Note which partitions this process has now."""
        self.partitions = sorted(place.partition for place in assigned)
        self.changed = True


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session works with."""

    settings: Settings
    publisher: Publisher
    quarantine: Quarantine
    groups: Groups
    reader: Reader
    progress: Progress


class Session:
    """Moves messages for as long as it is asked to take turns."""

    def __init__(self, tools: Tools, topic: str, consumer: Any, assignments: Assignments) -> None:
        self._tools, self._topic = tools, topic
        self._consumer, self._assignments = consumer, assignments
        self._jobs = JobsInForce(tools.settings, tools.reader)
        self._waiting: dict[int, deque[Item]] = {}
        self._next: dict[int, int] = {}
        self._moved: set[str] = set()
        self._targets: set[str] = set()

    async def turn(self) -> None:
        """Read what there is, and deal with what may be judged.

        Raises:
            KafkaError, BrokerError: If the broker fails; nothing is lost, begin a new session.
            LegacyError: If it is not known where to begin.
        """
        fetched = await self._fetch()
        if self._assignments.changed:
            await self._take_over()
            return
        for place, messages in fetched.items():
            self._waiting[place.partition].extend(map(read_item, messages))
        ready = self._ready(clock.now())
        if ready:
            await self._settle(ready)

    async def lags(self) -> dict[int, int]:
        """Return how many offsets of each partition of this process are still to be moved."""
        ends = await self._consumer.end_offsets([self._place(p) for p in self._next])
        return {p.partition: max(0, end - self._next[p.partition]) for p, end in ends.items()}

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    async def _fetch(self) -> dict[TopicPartition, list[Any]]:
        hungry = [self._place(p) for p, items in self._waiting.items() if len(items) < _BATCH]
        if self._waiting and not hungry:
            await asyncio.sleep(_POLL_S)
            return {}
        fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
            *hungry, timeout_ms=int(_POLL_S * 1000), max_records=_BATCH
        )
        return fetched

    async def _take_over(self) -> None:
        """Find out from where the assigned partitions are to be moved, and what is moved already.

        Each commit carries the time when it was made: what was published for messages behind it
        was appended later than that.
        """
        self._assignments.changed = False
        partitions = self._assignments.partitions
        group = self._tools.settings.names.legacy_group
        own = await self._tools.groups.committed(group, self._topic)
        beginnings = await self._tools.reader.beginnings(self._topic, partitions)
        starts = await find_starts(self._tools.groups, self._tools.settings, beginnings, own)
        since = _earliest_note([own.get(p) for p in partitions])
        if partitions:
            logs = await self._tools.groups.logs()
            self._moved = await moved_before(self._tools.reader, logs, since, starts)
        for partition, offset in starts.items():
            self._consumer.seek(self._place(partition), offset)
        self._next = starts
        self._waiting = {p: deque() for p in starts}
        await self._commit()
        where = ", ".join(f"{p} at offset {offset}" for p, offset in starts.items()) or "none"
        logger.info(
            "old topic %s: moving partitions %s; %d runs from there on are on the logs already",
            self._topic,
            where,
            len(self._moved),
            extra=fields("legacy", topic=self._topic),
        )

    def _ready(self, now: datetime) -> list[Item]:
        ready: list[Item] = []
        for items in self._waiting.values():
            while items and len(ready) < _BATCH and items[0].is_ready(now):
                ready.append(items.popleft())
        return ready

    async def _settle(self, items: list[Item]) -> None:
        """Deal with messages, each durably, and only then commit that they are done.

        All are judged before the first is sent: so what may fail does so with nothing sent.
        """
        await self._jobs.refresh()
        counts = Counts()
        judged = await self._judge_all(items, counts)
        sent = [self._send_on(item, result, counts) for item, result in judged]
        for run, ack in filter(None, sent):
            await resend_until_accepted(run, ack, self._send)
        while counts.refused and not await self._tools.publisher.flush(_FLUSH_S):
            about = fields("legacy-waits", topic=self._topic)
            text = "old topic %s: waiting for the quarantine topic"
            logger.warning(text, self._topic, extra=about)
        for item, _ in judged:
            self._next[item.partition] = item.offset + 1
        if judged:
            await self._commit()
            self._tools.progress.add(counts, clock.monotonic())

    async def _judge_all(
        self, items: list[Item], counts: Counts
    ) -> list[tuple[Item, Run | str | None]]:
        """Judge messages; those that need a crontab while there is none wait with what follows."""
        judged: list[tuple[Item, Run | str | None]] = []
        held: dict[int, list[Item]] = {}
        for item in items:
            try:
                if item.partition not in held:
                    judged.append((item, await self._judge(item, counts)))
                    continue
            except CrontabError as error:
                self._tools.progress.say_waiting(str(error))
            held.setdefault(item.partition, []).append(item)
        for partition, waiting in held.items():
            self._waiting[partition].extendleft(reversed(waiting))
        return judged

    async def _judge(self, item: Item, counts: Counts) -> Run | str | None:
        """Return the run that a message becomes, or why it is refused, or None if neither."""
        if item.value is None:
            counts.tombstones += 1
            return None
        if item.message is None:
            return item.problem
        if self._jobs.known.schedule_has(item.message):
            counts.left += 1
            return None
        job = await self._jobs.template(item.message.job)
        if job is None:
            return f"job {item.message.job!r} is not in the crontab, nor a cluster for such jobs"
        return await self._run_of(item, item.message, job, counts)

    async def _run_of(
        self, item: Item, message: LegacyMessage, job: Job, counts: Counts
    ) -> Run | str | None:
        try:
            number = number_of(item.partition, item.offset)
        except MessageError as error:
            return str(error)
        run = legacy_run(message, job, number, clock.now())
        if run.id in self._moved:
            counts.moved_before += 1
            return None
        await self._ensure_log(run.cluster)
        return run

    def _send_on(
        self, item: Item, result: Run | str | None, counts: Counts
    ) -> tuple[Run, asyncio.Future[Ack]] | None:
        reason = result
        if isinstance(result, Run):
            try:
                sent = self._send(result)
            except BrokerError as error:
                reason = str(error)  # It is larger than a message may be.
            else:
                counts.moved += 1
                return result, sent
        if isinstance(reason, str):
            counts.refused += 1
            self._tools.quarantine.put(self._topic, item.partition, item.offset, item.value, reason)
        return None

    async def _ensure_log(self, cluster: str) -> None:
        """Have the cluster's topics, if none of its workers has been started yet."""
        if cluster not in self._targets:
            settings = self._tools.settings
            await ensure_topics(cluster_topics(cluster, settings), settings)
            self._targets.add(cluster)

    def _send(self, run: Run) -> asyncio.Future[Ack]:
        log = self._tools.settings.names.log(run.cluster)
        return self._tools.publisher.publish(log, run.job, run)

    async def _commit(self) -> None:
        if not self._next:
            return  # A scheduler that stands by has no partition; aiokafka refuses to commit none.
        note = format_time(clock.now())
        await self._consumer.commit({self._place(p): (at, note) for p, at in self._next.items()})


def _earliest_note(committed: list[Committed | None]) -> datetime | None:
    """Return a time before all that was published since these commits, or None if unknown."""
    try:
        return min(datetime.fromisoformat(at.note if at else "") for at in committed) - _MARGIN
    except (TypeError, ValueError, OverflowError):
        return None  # The first start, or somebody has set the offsets by hand.
