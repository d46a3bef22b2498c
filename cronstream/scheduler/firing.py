"""Publishes what is due of the shards that this process has, and moves their cursors."""

import asyncio
import logging
import math
from collections.abc import Callable, MutableMapping
from typing import Any

from aiokafka.errors import KafkaError

from cronstream.core.planning.due import Shard
from cronstream.core.planning.plan import Plan
from cronstream.errors import CronstreamError, HouseError, LevelError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.holding import Held, Holdings, Out, Rows
from cronstream.scheduler.lagging import Lagging
from cronstream.scheduler.learning import Learning
from cronstream.scheduler.plan_log import log_plan, second
from cronstream.scheduler.sending import Sender
from cronstream.scheduler.world import JobsReader, World
from cronstream.scheduler.zones import Zoneless
from cronstream.settings import Settings
from cronstream.topology.jobs import JobsLog

logger = logging.getLogger(__name__)

#: A tick holds its stream no longer than this, whatever it waits for; below the rebalance timeout
#: of 10 s.
LIMIT_S = 8.0
#: A tick goes on to a next step (what is due now after what was out, the next of a catch-up) until
#: this long after it began.
GO_ON_S = 4.0
#: A tick that comes sooner than this after the one before has nothing to add.
PAUSE_S = 0.5
#: What is due on a partition that has not acknowledged it after so long is set aside.
SET_ASIDE_AFTER_S = 6.0


class Firing:
    """Fires shards, one at a time; each failure is reported once, and tried again at the next tick.

    Attributes:
        shards: Numbers of the shards that are this process's.
        moved: When each last came forward (its jobs were read, its runs published in full), or
            was assigned, in monotonic seconds.
        learning: Has them learn what stands on ``jobs``.
        sender: Puts what is due on the logs.
    """

    def __init__(
        self,
        settings: Settings,
        cursors: MutableMapping[str, dict[str, Any]],
        world: World,
        announcer: Announcer,
        jobs: JobsLog,
    ) -> None:
        self.announcer = announcer
        self.shards: frozenset[int] = frozenset()
        self.moved: dict[int, float] = {}
        self._world = world
        self._reader: JobsReader = world.reader()
        self.sender = Sender(world.publisher, settings.partitions, world.counts)
        self._lagging = Lagging(self.sender, world.publisher, announcer, self._reader, world.clock)
        rows = Rows(cursors, settings, lambda: {"level": announcer.found, "kafka": announcer.kafka})
        self._holdings = Holdings(settings, rows, self.sender, world.clock)
        self._failing: dict[int, str] = {}
        #: When each shard came to this process of which nothing was published yet.
        self._new: dict[int, float] = {}
        self._jobs, self.learning = jobs, Learning(self._reader, jobs, world.clock)
        jobs.on_move, jobs.also = self._note_move, self._holdings.learnt
        #: Whether this machine's clock agrees with the log's; and who hears of a cursor set back.
        self.may_set_back: Callable[[], bool] = lambda: True
        self.on_set_back: Callable[[], None] = lambda: None

    @property
    def set_aside(self) -> list[str]:
        """What people should know of partitions that take nothing."""
        return [sentence for told in self._lagging.told.values() for sentence in told]

    def ahead_s(self) -> float | None:
        """Return how far ahead of now all that is due is published; None without a shard."""
        return self._holdings.ahead_s()

    def zoneless(self, number: int) -> list[Zoneless]:
        """Return the jobs of a shard that are set aside for their time zones."""
        return self._holdings.zoneless(number)

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        await self._reader.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._reader.stop()

    def held(self) -> dict[int, Shard]:
        """Return what is known of the jobs of each shard that this process has."""
        return self._holdings.shards

    def keep(self, shards: frozenset[int]) -> None:
        """From now on these shards are this process's; forget the others."""
        for number in self._forget_others(shards):
            about = fields("shard-left", shard=number)
            logger.info("shard %d: another scheduler has it now", number, extra=about)
        self.shards, now = shards, self._world.clock.monotonic()
        self.moved = dict.fromkeys(shards, now)
        new = shards - self._holdings.shards.keys()
        self._new = {shard: self._new.get(shard, now) for shard in new}

    def learn_again(self) -> None:
        """Take the shards of this process up anew, from their cursors: other jobs count now."""
        for number in self._forget_others(frozenset()):
            about = fields("shard-learnt-again", shard=number)
            logger.info("shard %d: its jobs are learnt again", number, extra=about)

    def _forget_others(self, shards: frozenset[int]) -> list[int]:
        gone = self._holdings.forget_others(shards)
        for number in gone:
            self._failing.pop(number, None)
            self._lagging.forget(number)
        return gone

    async def fire(self, number: int) -> None:
        """Publish what is due of a shard; to be called within the iteration of its ticks.

        Whatever else goes wrong is reported and leaves the cursor where it is.

        Raises:
            LevelError: If the installation was raised to a level that is not known here.
            HouseError: If it was exported: nobody may work there any more.
        """
        try:
            await self._fire(number)
        except (LevelError, HouseError):
            raise
        except (CronstreamError, KafkaError, OSError, TimeoutError) as error:
            self._fail(number, f"tick given up ({type(error).__name__}: {error})")
        except Exception:
            self._holdings.forget(number)
            text = "shard %d: tick given up; it is loaded again at the next"
            logger.exception(text, number, extra=fields("not-published", shard=number))
        else:
            if self._holdings.is_settled(number):
                self._recover(number)

    async def _fire(self, number: int) -> None:
        began = self._world.clock.monotonic()
        held = self._holdings.hold(number)
        if began - held.fired_at < PAUSE_S:
            return
        if held.out is not None:
            is_through = await self._wait(number, held, held.out, began)
            if not is_through or self._since(began) > GO_ON_S:
                return
        async with asyncio.timeout(self._left(began)):
            await self.learning.learn(number, held)
            await self._lagging.renew(number, held, self._left(began))
        if held.cursor.is_ahead(self._world.clock.now()):
            self._note_move(number)  # Nothing is due yet, and an edit would hold only from there.
            if self.may_set_back():
                self._set_back(number, held)
        elif await self._publish_all(number, held, began) and self._since(began) <= GO_ON_S:
            async with asyncio.timeout(self._left(began)):
                await self._lagging.tend(number, held, self._left(began))

    async def _publish_all(self, number: int, held: Held, began: float) -> bool:
        """Publish what is due, as far as a tick goes; return whether it was taken."""
        while True:
            plan = await self._plan(number, held)
            if not await self._publish(number, held, plan, began):
                return False
            is_all = plan.complete and not held.unlearnt
            waits = held.unlearnt and self.learning.waits()
            if is_all or waits or self._since(began) > GO_ON_S:
                break
            if held.unlearnt:
                async with asyncio.timeout(self._left(began)):
                    await self.learning.learn(number, held)
        held.fired_at = self._world.clock.monotonic() if is_all else float("-inf")
        if is_all and (came_at := self._new.pop(number, None)) is not None:
            self._world.counts.takeover_duration.observe(held.fired_at - came_at)
        return True

    def _set_back(self, number: int, held: Held) -> None:
        """Go on from now: a clock that was ahead, as the log's was, is right again.

        Nothing would be due before that time comes, nor would an edit hold.
        """
        now = self._world.clock.now()
        logger.error(
            "shard %d: published up to %s, %.0f s from now: the clock was ahead before; it goes on "
            "from now, but what ran too early is not run again without 'cronstream repair'",
            number,
            second(held.cursor.at),
            (held.cursor.at - now).total_seconds(),
            extra=fields("cursor-set-back", shard=number),
        )
        self._holdings.set_back(number, now)
        self.on_set_back()

    @property
    def is_right(self) -> bool:
        """Whether the cursors of its shards are where a right clock has them."""
        return self._holdings.is_right(self.shards)

    def has_all_in_force(self) -> bool:
        """Whether its shards have published by all that this process has read of ``jobs``."""
        known = self._jobs.known.of
        return all(self._holdings.has_in_force(n, known[n].position) for n in self.shards)

    async def _plan(self, number: int, held: Held) -> Plan:
        now = self._world.clock.now()
        if held.cursor.at >= now and math.isfinite(held.fired_at):
            return held.shard.plan(held.cursor, now, held.known_to)
        # Long sums stay out of the loop's way; nothing else touches the shard meanwhile.
        plan = await asyncio.to_thread(held.shard.plan, held.cursor, now, held.known_to)
        gap = (now - held.cursor.at).total_seconds()
        if held.cursor.taken and plan.noted is not None and gap > 0:
            logger.info(
                "shard %d: catching up from %s, %.0f s behind",
                number,
                second(held.cursor.at),
                gap,
                extra=fields("catching-up", shard=number),
            )
        return plan

    async def _publish(self, number: int, held: Held, plan: Plan, began: float) -> bool:
        """Put a plan on the logs and wait; return whether the cursor has moved."""
        if plan.noted is not None and plan.messages:
            held.write(plan.noted)
        messages = list(self.sender.placed(plan.messages))
        places = {place for place, _ in messages} - held.stragglers.keys()
        unread = held.unread().keys() - held.stragglers.keys()
        silent = unread | await self._lagging.silent(places - unread, self._left(began))
        heard = places - silent
        sent = await self.sender.send(placed for placed in messages if placed[0] in heard)
        held.out = Out(plan, sent, self._world.clock.monotonic(), silent)
        return await self._wait(number, held, held.out, began)

    async def _wait(self, number: int, held: Held, out: Out, began: float) -> bool:
        left_s = max(0.0, SET_ASIDE_AFTER_S - self._since(out.at))
        await self.sender.wait(out.sent, min(left_s, self._left(began)))
        if out.sent.waiting and self._since(out.at) < SET_ASIDE_AFTER_S:
            return False
        if number not in self.shards:
            return False
        held.accept(out)
        self._note_move(number)
        log_plan(number, out.plan)
        return True

    def _note_move(self, number: int) -> None:
        if number in self.shards:
            self.moved[number] = self._world.clock.monotonic()

    def _since(self, began: float) -> float:
        return self._world.clock.monotonic() - began

    def _left(self, began: float) -> float:
        """Return how long the tick may still hold its stream."""
        return max(0.0, LIMIT_S - self._since(began))

    def _fail(self, number: int, text: str) -> None:
        if self._failing.get(number) != text:
            self._failing[number] = text
            about = fields("not-published", shard=number)
            logger.error("shard %d: %s", number, text, extra=about)

    def _recover(self, number: int) -> None:
        if self._failing.pop(number, None) is not None:
            about = fields("published-again", shard=number)
            logger.info("shard %d: published again, nothing is left out", number, extra=about)
