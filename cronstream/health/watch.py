"""Gathers the facts about a process, judges them, and ends it if it is unhealthy for too long."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from cronstream import clock
from cronstream.core.health.facts import describe
from cronstream.core.health.judgement import Health
from cronstream.core.health.judging import Facts, faulty, judge, warn
from cronstream.core.health.too_long import Standstill, UnhealthyTime
from cronstream.health.rights import RightsWatch
from cronstream.health.subject import Group, Subject
from cronstream.health.watchdog import Watchdog
from cronstream.logs import fields
from cronstream.metrics.process import Vitals
from cronstream.settings import Settings
from cronstream.topology.reading import Reader

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

_LOOK_S = 1.0
#: Between two questions to the broker, and how long an answer may take.
_ASK_S = 2.0
_ANSWER_S = 5.0
#: Without an answer for so long, there was none to be had.
_SILENT_S = 10.0
#: Without an answer for so long, the next question is put by another client.
_ANOTHER_CLIENT_S = 30.0
#: Without a turn of the event loop for so long, the process ends.
_STUCK_S = 30.0
#: Beyond the drain time, how long a process that stops may take over it.
_END_S = 45.0


class Compared(Protocol):
    """What is asked of `PresenceWatch`."""

    clock_fault: str

    @property
    def clock_s(self) -> float | None:
        """How many seconds this machine's clock is ahead of the broker's, if that is known."""

    def warnings(self) -> list[str]:
        """Return what people should see to."""


class HealthWatch:
    """Watches one process from its start until it stops.

    Args:
        on_fatal: Is given the reason, once, when the process is to end.

    Attributes:
        dog: Ends the process if it is stuck, or cannot stop.
    """

    def __init__(
        self,
        settings: Settings,
        subject: Subject,
        group: Group,
        on_fatal: Callable[[str], None],
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._settings, self._subject, self._group = settings, subject, group
        self._on_fatal, self._monotonic = on_fatal, monotonic
        patience_s = min(settings.health_patience_s, subject.patience_s)
        self._unhealthy = UnhealthyTime(patience_s, 2 * _LOOK_S)
        self.dog = Watchdog(_STUCK_S)
        self._reader: Reader | None = None
        self._unowned, self._nobodys = Standstill(), dict[int, float]()
        self._broker_at, self._back_at = monotonic(), float("-inf")
        self._begun_at: float | None = None
        self._round_trip_s: float | None = None
        self._is_stopping = self._was_ok = False
        self._waits_for = "it is starting"
        #: What people should know that was found at the start, and does no harm.
        self.notes: list[str] = []
        #: Why Kafka refuses it; None before its role is known.
        self.rights: RightsWatch | None = None
        #: How the process compares with the others; None before it has joined them.
        self.compared: Compared | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look, and to ask the broker."""
        loop = asyncio.get_running_loop()
        self._broker_at = self._monotonic()
        self._group.begin(self._broker_at)
        self._tasks = [loop.create_task(self._look_for_ever()), loop.create_task(self._ask())]
        if self._settings.health_patience_s:
            self.dog.start()

    def waits_for(self, reason: str) -> None:
        """The process has not begun yet: it waits for something, which is its fault till then."""
        self._waits_for = reason

    def begun(self) -> None:
        """A rebalance is over; the first one is what the start waits for."""
        if self._begun_at is None:
            self._begun_at = self._monotonic()

    def stopping(self) -> None:
        """The process was asked to stop: nothing is judged any more, but that it does stop.

        What it waits for may never come: a worker whose consumer's thread had ended was left by
        Faust in the middle of stopping, and stayed for as long as it was let (seen in chaos).
        """
        if not self._is_stopping:
            self._is_stopping = True
            self.dog.end_within(self._settings.drain_s + _END_S)

    async def stop(self) -> None:
        """Look no more, and disconnect."""
        self._is_stopping = True
        self.dog.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._reader is not None:
            await self._reader.stop()
        await self._group.stop()

    def page(self) -> Callable[[Any, Any], Awaitable[Any]]:
        """Return the body of the page ``/health``, of which Faust makes a method of a view."""

        async def health(view: Any, _request: Any) -> Any:
            told, status = self.report()
            return view.json(told, status=status)

        return health

    def report(self) -> tuple[dict[str, Any], int]:
        """Return what ``/health`` answers: a JSON object, and the HTTP status."""
        if not self._tasks:
            told = {"status": "unhealthy", "reason": self._waits_for, "ends_if_it_lasts": False}
            return {**told, "warnings": [], "paused": [], "facts": {}}, 503
        now = self._monotonic()
        facts = self._compared_facts(now)
        health = judge(facts, now)
        told = {
            "status": "healthy" if health.ok else "unhealthy",
            "reason": health.reason,
            "ends_if_it_lasts": health.ends and self._settings.health_patience_s > 0,
            "warnings": [*self.notes, *warn(facts)],
            "paused": self._subject.pauses(),
            "facts": describe(facts, now),
        }
        return told, 200 if health.ok else 503

    def vitals(self) -> Vitals:
        """Return what metrics say of it."""
        if not self._tasks:
            return Vitals(faults=frozenset({"starting"}))
        now = self._monotonic()
        facts = self._compared_facts(now)
        return Vitals(
            faults=faulty(facts, now),
            warnings=len(self.notes) + len(warn(facts)),
            round_trip_s=self._round_trip_s,
            clock_s=None if self.compared is None else self.compared.clock_s,
        )

    def look(self) -> Health:
        """Judge once, report a change, and end the process if it was unhealthy for too long."""
        now = self._monotonic()
        health = judge(self._facts(now), now)
        if self._was_ok and not health.ok and not self._is_stopping:
            logger.warning("unhealthy: %s", health.reason, extra=fields("unhealthy"))
        elif health.ok and not self._was_ok:
            logger.info("healthy", extra=fields("healthy"))
        self._was_ok = health.ok
        if self._unhealthy.is_over(health, now):
            self.stopping()
            self._on_fatal(f"unhealthy: {health.reason}")
        return health

    def answered(self, ends: dict[int, int]) -> None:
        """The broker has said how far each partition of the subject's topic goes."""
        before, self._broker_at = self._broker_at, self._monotonic()
        if self._broker_at - before > _SILENT_S:
            self._back_at = self._broker_at
        self._subject.note_ends(ends, self._broker_at)

    def found_unowned(self, partitions: set[int]) -> None:
        """A broker has said which partitions nobody owns; of a process that owns some, none."""
        places = dict.fromkeys(partitions, True)
        self._nobodys = self._unowned.look(places, self._monotonic())

    def _facts(self, now: float) -> Facts:
        self._group.look(now)
        oldest = self._subject.publisher.oldest
        return Facts(
            role=self._subject.facts(now),
            broker_at=self._broker_at,
            thread_at=self._group.thread_at,
            back_at=self._back_at,
            outside_since=self._group.outside_since,
            outside_why=self._group.outside_why,
            rebalancing_since=self._group.rebalancing_since,
            restoring_since=self._group.restoring_since,
            begun_at=self._begun_at,
            waiting_since=None if oldest is None else oldest.waiting_since,
            failures=0 if oldest is None else oldest.failures,
            failed_why="" if oldest is None else oldest.failed_why,
            lacking="" if self.rights is None else self.rights.lacking,
            unowned={} if self._subject.owns else self._nobodys,
            is_stopping=self._is_stopping,
            clock_fault="" if self.compared is None else self.compared.clock_fault,
        )

    def _compared_facts(self, now: float) -> Facts:
        """Return the facts with what is only told to people, which no judgement needs."""
        compared = () if self.compared is None else tuple(self.compared.warnings())
        return replace(self._facts(now), compared=compared)

    async def _look_for_ever(self) -> None:
        while True:
            self.dog.feed()
            if not self._is_stopping:
                self.look()
            await asyncio.sleep(clock.until_step(_LOOK_S))

    async def _ask(self) -> None:
        """Ask all leaders of the subject's topic, again and again, with a client of its own."""
        while True:
            answered = await _answer(self._note_ends())
            if answered is None:
                await self._begin_again()
            if self.rights is not None:
                is_troubled = not answered or not self._was_ok
                await self.rights.look(self._monotonic(), is_troubled=is_troubled)
            self.found_unowned(await self._ask_who_owns())
            await asyncio.sleep(clock.until_step(_ASK_S))

    async def _ask_who_owns(self) -> set[int]:
        """Ask only if this process owns nothing, for it may stand by or have been left out.

        A member that owns something has no need to ask, and the answer grows with the group.
        """
        is_settled = self._begun_at is not None and self._group.rebalancing_since is None
        if self._subject.owns or not is_settled:
            return set()
        return await _answer(self._find_unowned()) or set()

    async def _find_unowned(self) -> set[int]:
        async with asyncio.timeout(_ANSWER_S):
            return await self._group.unowned(self._subject.topic, self._subject.partitions)

    async def _begin_again(self) -> None:
        """Ask with another client next time, if this one has had no answer for long.

        So it is never for want of a good client that no broker is known to answer.
        """
        silent_s = self._monotonic() - self._broker_at
        if self._reader is not None and silent_s > _ANOTHER_CLIENT_S:
            reader, self._reader = self._reader, None
            await reader.stop()

    async def _note_ends(self) -> bool:
        if self._reader is None:
            reader = Reader(self._settings)
            await reader.start()
            self._reader = reader
        async with asyncio.timeout(_ANSWER_S):
            partitions, asked_at = range(self._subject.partitions), self._monotonic()
            ends = await self._reader.ends(self._subject.topic, partitions)
            self._round_trip_s = self._monotonic() - asked_at
            self.answered(ends)
        return True


async def _answer(question: Awaitable[_Answer]) -> _Answer | None:
    """Return what a broker answers; None if it does not, or not in time."""
    try:
        return await question
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
        logger.debug("no broker has answered (%s: %s)", type(error).__name__, error)
        return None
