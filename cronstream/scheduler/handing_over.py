"""Hands over what follows a run of another cluster: from the installation's topic to its own log.

A cluster's workers write no other cluster's log, and schedulers write all. What is read is
published, and acknowledged, before the group's offset moves on; so it is there once more where a
scheduler dies in between, and its log knows it by its id (rule 24). Nothing is signed here: whoever
asked for the run that it follows has signed it, or nobody has, and workers judge that.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from aiokafka.errors import KafkaError

from cronstream.core.ledger.state import HAND_OVER
from cronstream.core.planning.chain import is_handed_over
from cronstream.core.planning.cursor import Place
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.naming import cluster_problem
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, CronstreamError, NotFoundError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.publish import Ack, partition_of
from cronstream.topology.resending import TRIES, came_late

logger = logging.getLogger(__name__)

#: How long its log has to take it; less than a rebalance waits. Then it goes to the end again.
LIMIT_S: Final = 4.0
#: Between two rounds of what waits; longer, by so much for each run, but no longer than so long.
_AGAIN_S: Final = 5.0
_MORE_S, _MOST_S = 0.05, 30.0
#: For so long it is told that a log takes nothing: another scheduler may have what waits by now.
_TOLD_S: Final = 60.0
#: A cluster that is new has its topics by then.
_THERE_WITHIN: Final = timedelta(minutes=1)

#: A topic, and the number of a partition of it.
_Key: TypeAlias = tuple[str, int]


class HandOver:
    """Puts on the logs of clusters what follows runs of others.

    `hand_over` is the body of an agent on raw bytes.

    Args:
        settings: How many partitions there are.
        world: What it publishes by, and the clock by which it judges what is too old.
        announcer: Says to a log what may stand there, first.
        is_there: Whether there is a topic.
    """

    def __init__(
        self,
        settings: Settings,
        world: World,
        announcer: Announcer,
        is_there: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._partitions, self._names = settings.partitions, settings.names
        self._world, self._announcer, self._is_there = world, announcer, is_there
        self._there: set[str] = set()
        #: What was put on a partition, and is not acknowledged: nothing more is put there.
        self._out: dict[_Key, asyncio.Future[Ack]] = {}
        #: When a partition last took nothing, in monotonic seconds.
        self._blocked: dict[_Key, float] = {}
        #: What went back to the topic, by id: its cluster, the topic's partition, since when.
        self._waiting: dict[str, tuple[str, int, datetime]] = {}
        self._served: set[str] = set()
        #: Ids of the runs that went back to the topic in this round.
        self._back: set[str] = set()

    async def hand_over(self, stream: Any) -> None:
        """Publish each run on the topic, one after another.

        Args:
            stream: Faust's stream of the topic, as raw bytes.
        """
        # Faust counts a message as done also where its reader is cancelled, so it is told when.
        async for event in stream.noack().events():
            await self._read(event.message)
            await stream.ack(event)

    @property
    def waits(self) -> list[str]:
        """What people should know of logs that take nothing: sentences."""
        found: dict[str, list[int]] = defaultdict(list)
        for log, partition in sorted(self._recently()):
            found[log].append(partition)
        return [
            f"{log} takes nothing on partition {', '.join(map(str, numbers))}: what follows runs "
            "of other clusters waits until it does, and all else goes on; check its brokers"
            for log, numbers in found.items()
        ]

    @property
    def waiting(self) -> dict[str, list[datetime]]:
        """Since when each run waits whose log takes nothing, by its cluster.

        A cluster that nothing waits for any more has an empty list.
        """
        found: dict[str, list[datetime]] = {cluster: [] for cluster in sorted(self._served)}
        for cluster, _, since in self._waiting.values():
            found[cluster].append(since)
        return found

    def assigned(self, partitions: set[int]) -> None:
        """Take it that only these of the topic are this scheduler's now."""
        kept = {run: about for run, about in self._waiting.items() if about[1] in partitions}
        self._waiting = kept

    def _recently(self) -> set[_Key]:
        since = self._world.clock.monotonic() - _TOLD_S
        return {key for key, at in self._blocked.items() if at >= since}

    async def _read(self, message: Any) -> None:
        entries, refused = decode_entries(message.value)
        for reason in refused:
            self._refuse(message, reason)
        for entry in entries:
            reason = await self._why_not(entry)
            if reason or not isinstance(entry, Run):
                self._refuse(message, reason)
                self._waiting.pop(entry.id if isinstance(entry, Run) else "", None)
            else:
                await self._publish(entry, message.partition)

    def _refuse(self, message: Any, reason: str) -> None:
        self._world.counts.quarantined[message.topic] += 1
        place = message.topic, message.partition, message.offset
        self._world.aside.put(*place, message.value, reason)

    async def _why_not(self, entry: Entry) -> str:
        """Return why this is not handed over; empty if it is."""
        if not isinstance(entry, Run) or not is_handed_over(entry) or entry.attempt > 1:
            return "it is no first attempt of a run that follows one of another cluster"
        if why := cluster_problem(entry.cluster):
            return why
        if entry.judged_at is None:
            return "it does not say when it was published"
        age = abs(self._world.clock.now() - entry.judged_at)
        if age > HAND_OVER:
            return f"nobody has handed it over within {HAND_OVER.days} days"
        if age > _THERE_WITHIN and not await self._knows(entry.cluster):
            return f"there is no cluster {entry.cluster!r}"
        return ""

    async def _knows(self, cluster: str) -> bool:
        """Whether a cluster has its topics; a broker may not have heard of new ones yet."""
        log = self._names.log(cluster)
        if log not in self._there and await self._is_there(log):
            self._there.add(log)
        return log in self._there

    async def _publish(self, run: Run, partition: int) -> None:
        """Put a run on its log; where that takes nothing, behind what else is on the topic.

        So what goes elsewhere does not wait for it for long.
        """
        key = self._names.log(run.cluster), partition_of(run.job, self._partitions)
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._put(run, key)
        except (CronstreamError, KafkaError, TimeoutError) as error:
            self._wait_for(run, key, error)
            since = run.judged_at or self._world.clock.now()
            self._waiting[run.id] = run.cluster, partition, since
            self._served.add(run.cluster)
            await self._put_back(run, partition)
        else:
            self._blocked.pop(key, None)
            self._waiting.pop(run.id, None)
            self._served.add(run.cluster)
            self._world.counts.handed_over.labels(run.cluster).inc()
        self._bear()

    async def _put(self, run: Run, key: _Key) -> None:
        if not await self._knows(run.cluster):
            raise NotFoundError(f"there is no topic {key[0]}")
        place = Place(run.cluster, key[1])
        # Of what took nothing the last time it is only looked whether it does now.
        within_s = 0.0 if key in self._blocked else LIMIT_S / 2
        if await self._announcer.announce([place], within_s):
            raise TimeoutError
        for _ in range(TRIES):
            ack = await self._append(run, key)
            if not came_late(run, ack.at):
                return
            # What is signed has the time of this in a field of its own.
            name = "as_of" if run.signature is None else "retry_as_of"
            run = run.derive(**{name: ack.at})
        raise TimeoutError

    async def _append(self, run: Run, key: _Key) -> Ack:
        """Put a run on a partition, unless that has not acknowledged the one before.

        Raises:
            TimeoutError: If it has not.
            BrokerError: If nobody sends it any more.
        """
        if key in self._out and not self._out[key].done():
            raise TimeoutError
        out = self._world.publisher.put_raw(*key, encode_entries([run]), {})
        self._out[key] = out
        await asyncio.wait([out])  # It may be given up; that does not end whoever waits for it.
        del self._out[key]
        if out.cancelled():
            raise BrokerError("what waited for it was given up")
        return out.result()

    async def _put_back(self, run: Run, partition: int) -> None:
        """Put a run behind what else is on the topic; rest where it has been all the way round."""
        if run.id in self._back:
            rest_s = min(_AGAIN_S + _MORE_S * len(self._back), _MOST_S)
            self._back.clear()
            self._there.clear()  # A cluster may be gone meanwhile.
            await asyncio.sleep(rest_s)
        self._back.add(run.id)
        while True:
            raw = encode_entries([run])
            out = self._world.publisher.put_raw(self._names.chains, partition, raw, {})
            await asyncio.wait([out])
            if not out.cancelled() and out.exception() is None:
                return
            await asyncio.sleep(_AGAIN_S)

    def _wait_for(self, run: Run, key: _Key, error: BaseException) -> None:
        if key not in self._recently():
            about = fields("chain-waits", run=run.id, cluster=run.cluster)
            what = str(error) or "it does not acknowledge it"
            logger.warning("run %s: the log of its cluster waits: %s", run.id, what, extra=about)
        now = self._world.clock.monotonic()
        self._blocked = {key: self._blocked[key] for key in self._recently()} | {key: now}

    def _bear(self) -> None:
        """Whoever waits for such a partition is waited for: that says nothing of this process."""
        if not self._recently():
            self._back.clear()
        self._out = {key: out for key, out in self._out.items() if not out.done()}
        self._world.publisher.bear_with(self._announcer.out.union(self._out), by="chains")
