"""Announces a process on the workers' topic, and follows what all others announce there.

Without that topic a process goes on: what it cannot write or read it says in its log, and as a
warning on ``/health``. So its producer is its own: what fails here breaks nothing else.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.health import clocks
from cronstream.core.health.presence import EVERY_S, Presence, often
from cronstream.core.health.roll import REMEMBERED, Roll
from cronstream.errors import BrokerError, CronstreamError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage, moment_of
from cronstream.topology.producing import start_producer, stop_producer
from cronstream.topology.reading import Reader

logger = logging.getLogger(__name__)

#: How long one answer may take; without it, it is asked again later.
_ANSWER_S = 5.0
#: How long a poll waits, and before what failed is tried again.
_POLL_S = 2.0
_AGAIN_S = 3.0
#: After what it has announced, what others should have at once waits for so long.
_SOON_S = 0.1
_MAX_BYTES = 100_000
#: What does not change with every run, and is announced at once.
_NEWS = ("owns", "leaving", "slots", "trusts")
_TOLD_AFTER = 2


@dataclass(slots=True)
class _Fault:
    """What has failed some times in a row; a broker that is newly elected is nothing to report."""

    times: int = 0
    sentence: str = ""

    @property
    def is_told(self) -> bool:
        return self.times >= _TOLD_AFTER

    def happened(self, sentence: str) -> bool:
        """Note that it has failed once more; return whether that is to be reported now."""
        self.times += 1
        self.sentence = sentence
        return self.times == _TOLD_AFTER


def new_name() -> str:
    """Return a name for this process, another one after each start."""
    return f"{socket.gethostname()}.{secrets.token_hex(4)}"


class WorkersTopic:
    """One process's end of the workers' topic.

    Args:
        settings: Where Kafka is.
        describe: Returns what there is to announce now; with the clock's difference, and how often.

    Attributes:
        roll: All that are there, as far as it was read.
        on_news: Is called whenever there may be something new: a clock steps, or a file changes,
            without a message.
        look_s: Between two looks whether there is something new, here or to announce.
    """

    def __init__(
        self, settings: Settings, describe: Callable[[float | None, float], Presence]
    ) -> None:
        self._settings, self._describe = settings, describe
        self._topic = settings.names.workers
        self.roll = Roll()
        self.on_news: Callable[[], None] = lambda: None
        self.look_s = 0.5
        self._measured: tuple[float, float] | None = None
        self._faults: dict[str, _Fault] = {}
        self._reader: Reader | None = None
        self._next_offset = 0
        self._producer: Any = None
        self._sending: asyncio.Future[Any] | None = None
        self._told: Presence | None = None
        self._told_at = float("-inf")
        self._announcing: asyncio.Task[Any] | None = None
        self._has_urgent = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def clock_s(self) -> float | None:
        """How far this machine's clock is ahead of the broker's; None before it is known."""
        return self.clock_s_at(self.clock_offset)

    def clock_s_at(self, offset: float) -> float | None:
        """Return how far this machine's clock is ahead of the broker's, if it has this offset.

        So if it steps, that is known at once, whether Kafka answers or not: the other clock, which
        never steps, shows it.
        """
        if self._measured is None:
            return None
        found, measured_at = self._measured
        return round(found + offset - measured_at, 3)

    @property
    def clock_offset(self) -> float:
        """How far this machine's clock is ahead of the one that never steps."""
        return clock.offset(clock.wall, clock.monotonic)

    @property
    def present(self) -> list[Presence]:
        """What those announce of themselves that are there."""
        return [seen.who for seen in self.roll.present()]

    @property
    def trouble(self) -> str:
        """Why it cannot announce itself, or hear of others; empty if it can do both."""
        return "; ".join(fault.sentence for fault in self._faults.values() if fault.is_told)

    async def join(self) -> int | None:
        """Announce this process, then read who was there before it.

        Returns:
            The offset of what it announced; None if it could not: then who was before is not known.
        """
        place = await self._announce()
        if place is not None and self._measured is None:
            await (
                self._announce()
            )  # The first took long, for it had to find out who leads the topic.
        offset, at = (-1, clock.now()) if place is None else place
        await self._try("hear of others", self._read_from(at - REMEMBERED))
        if place is None or self._reader is None:
            return None
        return offset if await self._try("hear of others", self._read_past(offset)) else None

    async def _read_past(self, offset: int) -> None:
        while self._next_offset <= offset:
            await self._poll()

    def follow(self) -> None:
        """From now on announce this process, and follow the others, until it stops."""
        loop = asyncio.get_running_loop()
        work = self._look_for_ever(), self._follow_for_ever()
        self._tasks = [loop.create_task(task) for task in work]

    async def stop(self) -> None:
        """Follow no more; and say that this process ends, having ended all that it ran."""
        tasks = [*self._tasks, *([self._announcing] if self._announcing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._told is not None:
            await self._try("announce its end", self._send(self._told.name, None))
        await stop_producer(self._producer)
        if self._reader is not None:
            await self._reader.stop()
        self._producer = self._reader = self._told = None

    # -- announcing -----------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        """Look what is new, whether Kafka answers or not; and announce this process."""
        while True:
            await self._until_next_look()
            await self._try("compare itself with others", self._note_news())
            if not self._is_announcing and (self._has_urgent.is_set() or self._is_due()):
                self._has_urgent.clear()
                self._announcing = asyncio.create_task(self._announce())

    def announce_soon(self) -> None:
        """There is something that others should have at once."""
        self._has_urgent.set()

    async def _until_next_look(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(clock.until_step(self.look_s)):
                await self._has_urgent.wait()
            silent_s = 0.0 if self._is_announcing else clock.monotonic() - self._told_at
            await asyncio.sleep(_SOON_S - silent_s)

    @property
    def _is_announcing(self) -> bool:
        return self._announcing is not None and not self._announcing.done()

    async def _note_news(self) -> None:
        self.on_news()

    def _is_due(self) -> bool:
        silent_s = clock.monotonic() - self._told_at
        if silent_s < EVERY_S / 3:
            return False
        every_s = often(len(self.roll.present()))
        return silent_s >= every_s or (silent_s >= every_s / 3 and self._has_news(every_s))

    def _has_news(self, every_s: float) -> bool:
        """Whether something has changed that does not change with every run."""
        now, told = self._describe(self.clock_s, every_s), self._told
        if told is None or any(getattr(now, name) != getattr(told, name) for name in _NEWS):
            return True
        return abs((now.clock_s or 0.0) - (told.clock_s or 0.0)) > clocks.TOLD_S

    async def _announce(self) -> tuple[int, datetime] | None:
        """Announce this process; return where and when that was appended, or None."""
        self._told_at = clock.monotonic()
        who = self._describe(self.clock_s, often(len(self.roll.present())))
        place: list[tuple[int, datetime]] = []
        if await self._try("announce itself", self._send(who.name, who.encode(), place)):
            self._told = who
        return place[0] if place else None

    async def _send(
        self, name: str, value: bytes | None, place: list[tuple[int, datetime]] | None = None
    ) -> None:
        if self._producer is None:
            self._producer = await start_producer(self._settings, _MAX_BYTES, counts_messages=False)
        if self._sending is not None:  # While Kafka is away nothing more is put behind it.
            await asyncio.shield(self._sending)
        sent_at = clock.now()
        self._sending = await self._producer.send(
            self._topic, value, key=name.encode(), partition=0
        )
        self._sending.add_done_callback(self._sent)
        meta = await asyncio.shield(self._sending)
        appended_at = moment_of(meta.timestamp)
        found = clocks.difference_s(sent_at, appended_at, clock.now())
        if found is not None:
            self._measured = found, clock.offset(clock.wall, clock.monotonic)
        if place is not None:
            place.append((meta.offset, appended_at))

    def _sent(self, done: asyncio.Future[Any]) -> None:
        self._sending = None
        if not done.cancelled():
            done.exception()  # It is raised where somebody waits; if nobody does any more, nowhere.

    # -- following ------------------------------------------------------------------------------

    async def _follow_for_ever(self) -> None:
        while True:
            if self._reader is None:
                since = self.roll.now or clock.now()
                await self._try("hear of others", self._read_from(since - REMEMBERED))
            if self._reader is None or not await self._try("hear of others", self._poll()):
                await asyncio.sleep(_AGAIN_S)

    async def _read_from(self, since: datetime) -> None:
        reader = Reader(self._settings, waits_ms=int(_POLL_S * 1000))
        try:
            await reader.start()
            start = await reader.offsets_at(self._topic, [0], since)
        except BaseException:
            await reader.stop()
            raise
        reader.follow({TopicPartition(self._topic, 0): start[0]})
        self._reader, self._next_offset = reader, start[0]

    async def _poll(self) -> None:
        if self._reader is not None:
            came = await self._reader.poll(_POLL_S)
            for message in came:
                self._fold(message)
            if came:
                self.on_news()

    def _fold(self, message: LogMessage) -> None:
        self._next_offset = message.offset + 1
        self.roll.fold(message.offset, message.at, message.key, message.value)

    async def _try(self, what: str, work: Any) -> bool:
        """Do it, and say if it fails, once; return whether it was done."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                await work
        except (KafkaError, CronstreamError, OSError, TimeoutError, AssertionError) as error:
            why = str(error) if isinstance(error, BrokerError) else type(error).__name__
            fault = self._faults.setdefault(what, _Fault())
            if fault.happened(f"this process cannot {what} on {self._topic} ({why})"):
                text = "%s; it goes on, but nothing is compared"
                logger.warning(text, fault.sentence, extra=fields("presence-fails"))
            return False
        fault = self._faults.pop(what, _Fault())
        if fault.is_told:
            text = "this process can %s on %s again"
            logger.info(text, what, self._topic, extra=fields("presence-works"))
        return True
