"""The scheduler's role in the application: ticks, runs, and the crontab in force."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError

from cronstream.core.health import presence
from cronstream.core.wire.codec import decode
from cronstream.core.wire.messages import Tick
from cronstream.core.wire.runs import Job
from cronstream.errors import CronstreamError, HouseError, LevelError, MessageError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.clock_check import ClockCheck
from cronstream.scheduler.firing import Firing
from cronstream.scheduler.following import CrontabFollower
from cronstream.scheduler.handing_over import HandOver
from cronstream.scheduler.world import World
from cronstream.scheduler.zones import makes_way, see_to_zones
from cronstream.settings import Settings
from cronstream.topology.jobs import JobsLog
from cronstream.topology.publish import Ack, when_done
from cronstream.topology.waiting import until_answered

logger = logging.getLogger(__name__)

#: A shard whose ticks have not come for so long may be another's, which nobody has said here yet.
_HEARD_S = 5.0
#: The crontab is read once nothing has come for so long of what is in force.
_READ_FIRST_S = 10.0


class Scheduler:
    """Fires the shards whose ``ticks`` partition this process has been assigned.

    `fire` is the body of an agent on raw bytes; it alone writes the cursors, since Faust lets
    tables be written only in the iteration of a stream.
    """

    def __init__(
        self,
        settings: Settings,
        cursors: MutableMapping[str, dict[str, Any]],
        world: World,
    ) -> None:
        self._settings, self._world = settings, world
        #: Is given the reason when this process can fire nothing more.
        self.on_fatal: Callable[[str], None] = logger.error
        #: What this process is called among the others; empty while it has no name.
        self.name = ""
        #: Returns the name of a scheduler that has newer time zones; empty if there is none.
        self.newer_zones: Callable[[], str] = str
        #: Returns the id of the key that this process signs with; None if it does not sign.
        self.signs_as: Callable[[], str | None] = lambda: None
        #: Returns why a job that this process publishes would not count; empty if it will.
        self.doubt: Callable[[Job], str] = lambda _: ""
        self.announcer = Announcer(settings, world.publisher, world.clock)
        self.clock_check = ClockCheck(settings.look_ahead_s, world.clock)
        self._reader = world.reader()
        #: What this process has read of ``jobs``, before a shard comes to it and after.
        self.jobs = JobsLog(self._reader, world.rows, range(settings.shards))
        self.firing = Firing(settings, cursors, world, self.announcer, self.jobs)
        self.firing.learning.on_refused = self._refuse
        self.firing.may_set_back = lambda: self.clock_check.agrees
        self.firing.on_set_back = self.apply_again
        self.hand_over = HandOver(settings, world, self.announcer, self._is_there)
        self._follower: CrontabFollower | None = None
        self._is_assigned = False
        self._ticks: dict[int, asyncio.Future[Ack]] = {}
        #: When the broker last acknowledged a tick of this process, in monotonic seconds.
        self.tick_at = self._world.clock.monotonic()
        #: Whether it ever has.
        self.has_ticked = False
        #: When a tick of each shard last came by the stream, or the shard was assigned; likewise.
        self.heard: dict[int, float] = {}
        self.is_at_a_tick = self._learns_again = False

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
            ZoneError: If another scheduler is there that knows a job's zone, and this does not.
        """
        await self._reader.start()
        await self.firing.start()
        if other := self.newer_zones():
            see_to_zones((await until_answered(self.jobs.read_on)).jobs, other)

    async def stop(self) -> None:
        """Disconnect."""
        await self.firing.stop()
        await self._reader.stop()

    def revoked(self) -> None:
        """Nothing is fired until it is known which shards are ours; what is loaded is kept."""
        self.firing.shards, self._is_assigned = frozenset(), False

    def assigned(self, partitions: set[int]) -> None:
        """These shards are ours now, and the others are forgotten."""
        self._is_assigned = True
        self.heard = dict.fromkeys(partitions, self._world.clock.monotonic())
        self.firing.keep(frozenset(partitions))
        if 0 in partitions:
            self.apply_again()

    async def tick(self) -> None:
        """Send a tick to each shard, and measure the clock by what the broker says of it."""
        try:
            for shard in range(self._settings.shards):
                former = self._ticks.get(shard)
                if former is None or former.done():
                    now = self._world.clock.now()
                    tick = Tick(shard=shard, at=now)
                    sent = self._world.publisher.append(self._settings.names.ticks, shard, tick)
                    self._ticks[shard] = sent
                    when_done(sent, partial(self._measure, now, self.clock_check.offset()))
        except Exception:  # What leaves a timer of Faust's ends the process.
            text = "a tick could not be sent; trying again in a second"
            logger.exception(text, extra=fields("tick-not-sent"))

    async def fire(self, stream: Any) -> None:
        """Publish what is due of a shard at each of its ticks, whoever sent them.

        Args:
            stream: Faust's stream of the ``ticks`` topic, as raw bytes.
        """
        async for event in stream.events():
            message = event.message
            if self._learns_again:
                self._learns_again = False
                self.firing.learn_again()
            self.heard[message.partition] = self._world.clock.monotonic()
            try:
                decode(message.value, Tick)
            except MessageError as error:
                self._refuse(message, str(error))
                continue
            if message.partition in self.firing.shards and self.clock_check.is_trusted:
                await self._fire(message.partition)

    async def _fire(self, shard: int) -> None:
        self.is_at_a_tick, began = True, self._world.clock.monotonic()
        try:
            await self.firing.fire(shard)
            jobs, other = self.firing.zoneless(shard), self.newer_zones()
            if jobs and other:
                self._end(makes_way(jobs[0], other))
        except (LevelError, HouseError) as error:
            self._end(str(error))
        finally:
            self.is_at_a_tick = False
            self.heard[shard] = ended = self._world.clock.monotonic()
            self._world.counts.tick_duration.observe(ended - began)

    async def follow_crontab(self, stop: asyncio.Event) -> None:
        """Put the crontab in force, and each change of it, until `stop` is set.

        Only the process that has shard 0 does so, and only with a clock that can be trusted.
        """
        self._follower = CrontabFollower(
            self._settings,
            self._world,
            self._may_apply,
            self.announcer,
            self.jobs,
        )
        self._follower.is_right = lambda: self.firing.is_right
        self._follower.is_in_charge = self._hears_shard_0
        self._follower.has_all_in_force = self.firing.has_all_in_force
        self._follower.signs_as, self._follower.doubt = self.signs_as, self.doubt
        self._follower.by = lambda: f"{self.name} {self.digest}".strip() or None
        self.jobs.on_disbelief = self._follower.apply_again
        self.firing.learning.on_end = self._follower.news.note
        self.firing.learning.waits = self._follower.putting.goes_first
        self._follower.belonging.kafka = self.announcer.kafka
        first = [asyncio.create_task(task) for task in (self._read_jobs(), stop.wait())]
        try:
            await self._until_one_is_done(first)
            await self._follower.follow(stop)
        finally:
            self._follower, self.firing.learning.on_end = None, lambda _, __: None
            self.firing.learning.waits = lambda: False
            for task in first:
                task.cancel()

    async def _read_jobs(self) -> None:
        """Read what is in force before the file, so that what is there twice goes as a whole.

        Read at the same time, 100,000 jobs would leave gaps all over the memory.
        """
        with contextlib.suppress(CronstreamError, KafkaError, OSError):
            await self.jobs.read_on()

    async def _until_one_is_done(self, first: list[asyncio.Task[Any]]) -> None:
        """Wait for one of some tasks, as long as more of ``jobs`` is being read meanwhile."""
        done, before = set[asyncio.Task[Any]](), None
        while not done and before != (state := self.jobs.known.state):
            before = state
            done, _ = await asyncio.wait(
                first, timeout=_READ_FIRST_S, return_when=asyncio.FIRST_COMPLETED
            )

    @property
    def foreign(self) -> str:
        """Why the crontab is not put in force though it is our turn; empty if nothing is wrong."""
        is_ours = self._follower is not None and 0 in self.firing.shards
        return self._follower.belonging.foreign if is_ours and self._follower else ""

    @property
    def digest(self) -> str:
        """Tells the last good crontab that was read here from others; empty without one."""
        crontab = self._world.counts.crontab
        return "" if crontab is None else crontab.digest

    @property
    def crontab_news(self) -> dict[str, Any]:
        """What is announced of the crontab that is read here."""
        counts, longest = self._world.counts, presence.MOST_CHARACTERS
        differs = self._follower.differences if self._follower is not None else None
        why = self.foreign or self.held_back or "; ".join(self.set_aside)
        return {
            "crontab": self.digest,
            "crontab_file": str(self._settings.crontab)[:longest],
            "crontab_jobs": len(counts.crontab.jobs) if counts.crontab else 0,
            "crontab_problems": [
                text[:longest] for text in counts.problems[: presence.MOST_PROBLEMS]
            ],
            "crontab_differs": differs and [text[:longest] for text in differs],
            "crontab_held": why[:longest],
        }

    @property
    def held_back(self) -> str:
        """Why the crontab is held back though it is our turn; empty if nothing is wrong."""
        is_ours = self._follower is not None and 0 in self.firing.shards
        return self._follower.held_back.why if is_ours and self._follower else ""

    @property
    def set_aside(self) -> list[str]:
        """What is held up, by topics that are not as they should be, while all else goes on."""
        is_ours = self._follower is not None and 0 in self.firing.shards
        held_up = self._follower.held_up if is_ours and self._follower else []
        return [*held_up, *self.firing.set_aside, *self.hand_over.waits]

    def learn_again(self) -> None:
        """Read all jobs again, for other keys are trusted, and then compare the crontab with them.

        It is done before the next tick is heeded: what a shard publishes now comes to its end.
        """
        self._learns_again = True
        self.jobs.begin_again()
        if self._follower is not None:
            self._follower.news.forget()
        self.apply_again()

    def apply_again(self) -> None:
        """Compare the crontab with the topic again, if this process puts it in force."""
        if self._follower is not None:
            self._follower.apply_again()

    def _end(self, why: str) -> None:
        """Nothing more is fired from here: others know what this process does not."""
        self.firing.keep(frozenset())
        self.on_fatal(why)

    async def _is_there(self, topic: str) -> bool:
        """Whether there is a topic, as far as anybody answers."""
        try:
            return (await self._reader.unled([(topic, 0)])).get((topic, 0)) is not False
        except (KafkaError, OSError):
            return True

    def _may_apply(self) -> bool | None:
        """Whether it is our turn to put the crontab in force; None while nobody knows."""
        if not self._is_assigned:
            return None
        return 0 in self.firing.shards and self.clock_check.is_trusted

    def _hears_shard_0(self) -> bool:
        """Whether ticks of shard 0 come, so that it is still ours."""
        return self._world.clock.monotonic() - self.heard.get(0, float("-inf")) < _HEARD_S

    def _measure(self, sent_at: datetime, offset: timedelta, ack: Ack) -> None:
        self.tick_at, self.has_ticked = self._world.clock.monotonic(), True
        self.clock_check.measure(sent_at, ack.at, offset)

    def _refuse(self, message: Any, reason: str) -> None:
        self._world.counts.quarantined[message.topic] += 1
        self._world.aside.put(
            message.topic, message.partition, message.offset, message.value, reason
        )
