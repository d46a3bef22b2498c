"""The mover: waits until the old workers have gone, and then takes their place.

Messages are moved at least once, and what was published is looked up after each start, so each
becomes one run (see ``docs/migration.md`` for why nothing is dropped or doubled at each step).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.errors import BrokerError, CronstreamError, LegacyError
from cronstream.legacy.groups import Groups, find_starts
from cronstream.legacy.progress import Progress
from cronstream.legacy.session import Assignments, Session, Tools
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.client import new_consumer
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.reading import Reader

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 10.0
#: How often it is looked whether old workers are back.
_LOOK_EVERY_S = 2.0
#: How often it is looked, while they are there, whether they have gone.
_WAIT_S = 1.0
_RETRY_PAUSE_S = 1.0
#: A turn that has begun has this long to come to its end, and its commit, when it is to stop.
_LAST_TURN_S = 5.0


class LegacyMover:
    """Makes runs of the old topic's messages, beside a scheduler.

    Does nothing where no old topic is set.

    Args:
        settings: `legacy_topic` and `legacy_group` say what is to be moved.
        publisher: Started before this is, and stopped after it.
        quarantine: Where messages go that cannot be used.
        fail: Called with a sentence if it cannot go on; the process is to end.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        quarantine: Quarantine,
        fail: Callable[[str], None],
    ) -> None:
        self._settings, self._publisher = settings, publisher
        self._quarantine, self._fail = quarantine, fail
        self._topic = settings.legacy_topic or ""
        self._progress = Progress(self._topic, clock.monotonic())
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Begin, in a task of its own, if an old topic is set."""
        if self._topic:
            self._task = asyncio.create_task(self._run(), name="cronstream.legacy")

    async def stop(self) -> None:
        """Stop moving, between two turns: so what has been published has been committed too.

        Else old workers that are given these offsets would run it once more. A turn that the broker
        keeps waiting is given up; what it has published is looked up at the next start.
        """
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_TURN_S):
                    await self._turn.acquire()  # And it is kept: no other turn begins.
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _check(self) -> None:
        """See that there is such a topic, and that it is known where to begin.

        Raises:
            LegacyError: If not; the sentence names the remedy.
        """
        if self._settings.names.owns(self._topic):
            raise LegacyError(f"topic {self._topic} is cronstream's own; name the old one")
        async with Groups(self._settings) as groups:
            partitions = await groups.partitions(self._topic)
            if not partitions:
                raise LegacyError(f"there is no topic {self._topic} on this broker; check its name")
            own = await groups.committed(self._settings.names.legacy_group, self._topic)
            await find_starts(groups, self._settings, dict.fromkeys(partitions, 0), own)

    async def _run(self) -> None:
        try:
            while True:
                await self._stay()
        except CronstreamError as error:
            self._fail(str(error))
        except Exception as error:  # A task of its own: else nobody would hear of it.
            about = fields("legacy-failed", topic=self._topic)
            logger.exception("old topic %s: unexpected", self._topic, extra=about)
            self._fail(f"old topic {self._topic}: {error!r}")

    async def _stay(self) -> None:
        """Move until the old workers are back, or the broker fails."""
        try:
            await self._check()
            async with self._session() as (session, groups):
                await self._move(session, groups)
        except (KafkaError, BrokerError) as error:
            self._progress.say_waiting(str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def _move(self, session: Session, groups: Groups) -> None:
        tell_at = clock.monotonic() + _RETRY_PAUSE_S
        look_at = clock.monotonic() + _LOOK_EVERY_S
        while True:
            async with self._turn:
                await session.turn()
            if clock.monotonic() >= tell_at:
                tell_at = clock.monotonic() + _TELL_EVERY_S
                self._progress.report(await session.lags(), clock.monotonic())
            if clock.monotonic() >= look_at:
                look_at = clock.monotonic() + _LOOK_EVERY_S
                if await self._old_members(groups):
                    return

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[Session, Groups]]:
        assignments = Assignments()
        async with Groups(self._settings) as groups, Reader(self._settings) as reader:
            await self._until_the_old_workers_have_gone(groups)
            consumer = new_consumer(
                self._settings,
                group_id=self._settings.names.legacy_group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=6_000,
                heartbeat_interval_ms=1_000,
                fetch_max_wait_ms=100,
            )
            consumer.subscribe([self._topic], listener=assignments)
            tools = Tools(
                self._settings,
                self._publisher,
                self._quarantine,
                groups,
                reader,
                self._progress,
            )
            try:
                await consumer.start()
                yield Session(tools, self._topic, consumer, assignments), groups
            finally:
                await consumer.stop()

    async def _until_the_old_workers_have_gone(self, groups: Groups) -> None:
        """Wait, because two groups that run the same messages would run each of them twice."""
        while members := await self._old_members(groups):
            count = "1 member" if members == 1 else f"{members} members"
            self._progress.say_waiting(
                f"group {self._settings.legacy_group} has {count}; stop the old workers"
            )
            await asyncio.sleep(_WAIT_S)

    async def _old_members(self, groups: Groups) -> int:
        group = self._settings.legacy_group
        return await groups.members(group) if group else 0
