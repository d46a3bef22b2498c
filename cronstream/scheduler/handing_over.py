"""Hands over what follows a run of another cluster: from the installation's topic to its own log.

A cluster's workers write no other cluster's log, and schedulers write all. What is read is
published, and acknowledged, before the group's offset moves on; so it is there once more where a
scheduler dies in between, and its log knows it by its id (rule 24). Nothing is signed here: whoever
asked for the run that it follows has signed it, or nobody has, and workers judge that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from aiokafka.errors import KafkaError

from cronstream.core.ledger.state import HAND_OVER
from cronstream.core.planning.chain import is_handed_over
from cronstream.core.planning.cursor import Place
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.naming import cluster_problem
from cronstream.core.wire.runs import Run
from cronstream.errors import CronstreamError, NotFoundError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.publish import partition_of
from cronstream.topology.resending import TRIES, came_late

logger = logging.getLogger(__name__)

#: How long its log has to take it; less than a rebalance waits. Then it goes to the end again.
LIMIT_S: Final = 4.0
#: Before what cannot be put there either is tried once more.
_AGAIN_S: Final = 1.0
#: A cluster that is new has its topics by then.
_THERE_WITHIN: Final = timedelta(minutes=1)


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
        self._is_waiting = False

    async def hand_over(self, stream: Any) -> None:
        """Publish each run on the topic, one after another.

        Args:
            stream: Faust's stream of the topic, as raw bytes.
        """
        async for event in stream.events():
            message = event.message
            entries, refused = decode_entries(message.value)
            for reason in refused:
                self._refuse(message, reason)
            for entry in entries:
                reason = await self._why_not(entry)
                if reason or not isinstance(entry, Run):
                    self._refuse(message, reason)
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
        now = self._world.clock.now()
        age = now - (entry.judged_at or now)
        if abs(age) > HAND_OVER:
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
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._put(run)
        except (CronstreamError, KafkaError, TimeoutError) as error:
            self._wait_for(run, error)
            await asyncio.sleep(_AGAIN_S)
            await self._put_back(run, partition)
        else:
            self._is_waiting = False

    async def _put(self, run: Run) -> None:
        if not await self._knows(run.cluster):
            raise NotFoundError(f"there is no topic {self._names.log(run.cluster)}")
        place = Place(run.cluster, partition_of(run.job, self._partitions))
        if await self._announcer.announce([place], LIMIT_S / 2):
            raise TimeoutError
        log = self._names.log(run.cluster)
        for _ in range(TRIES):
            raw = encode_entries([run])
            ack = await asyncio.shield(self._world.publisher.put_raw(log, place.partition, raw, {}))
            if not came_late(run, ack.at):
                return
            # What is signed has the time of this in a field of its own.
            name = "as_of" if run.signature is None else "retry_as_of"
            run = run.derive(**{name: ack.at})
        raise TimeoutError

    async def _put_back(self, run: Run, partition: int) -> None:
        while True:
            raw = encode_entries([run])
            try:
                async with asyncio.timeout(LIMIT_S):
                    put = self._world.publisher.put_raw(self._names.chains, partition, raw, {})
                    await asyncio.shield(put)
            except (CronstreamError, KafkaError, TimeoutError):
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _wait_for(self, run: Run, error: BaseException) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            about = fields("chain-waits", run=run.id, cluster=run.cluster)
            what = str(error) or "it does not acknowledge it"
            logger.warning("run %s: the log of its cluster waits: %s", run.id, what, extra=about)
