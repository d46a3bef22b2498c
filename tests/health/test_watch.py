"""What a watch asks, tells, and ends."""

import asyncio
import logging
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from cronstream.core.health.judging import WorkerFacts
from cronstream.health import watch as watch_module
from cronstream.health.watch import HealthWatch
from cronstream.health.watchdog import STATUS, Watchdog
from cronstream.settings import Settings

READY = 100.0


class FakeSubject:
    """A worker that is well until a test says otherwise; its log is never behind."""

    topic, partitions, owns = "log", 2, True
    patience_s = math.inf

    def __init__(self) -> None:
        self.publisher: Any = SimpleNamespace(oldest=None)
        self.has_ended = False
        self.ends: dict[int, int] = {}
        self.now = READY

    def facts(self, now_mono: float) -> WorkerFacts:
        return WorkerFacts(turned_at=now_mono, has_ended=self.has_ended)

    def pauses(self) -> list[str]:
        return ["job backup is paused"]

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        assert now_mono == self.now
        self.ends = ends


class FakeGroup:
    thread_at = READY
    outside_since: float | None = None
    outside_why = ""
    rebalancing_since: float | None = None
    restoring_since: float | None = None

    def __init__(self) -> None:
        self.without_owner: list[set[int] | Exception] = []
        self.asked: list[tuple[str, int]] = []

    def begin(self, now_mono: float) -> None:
        self.thread_at = now_mono

    def look(self, now_mono: float) -> None:
        self.thread_at = now_mono

    async def unowned(self, topic: str, partitions: int) -> set[int]:
        self.asked.append((topic, partitions))
        answer = self.without_owner.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stop(self) -> None: ...


class Bench:
    """A watch with all around it fake."""

    def __init__(self, patience_s: float = 5.0) -> None:
        self.subject, self.group = FakeSubject(), FakeGroup()
        self.fatal: list[str] = []
        self.left: list[int] = []
        self.dog = Watchdog(30, leave=self.left.append)
        self.watch = HealthWatch(
            Settings(health_patience_s=patience_s, drain_s=20),
            self.subject,
            self.group,
            self.fatal.append,
            monotonic=lambda: self.subject.now,
        )
        self.watch.dog = self.dog
        self.watch.begun()

    def seconds(self, count: int, *, answers: bool = True) -> list[bool]:
        """Let seconds pass; return at which of them it was healthy."""
        found = []
        for _ in range(count):
            self.subject.now += 1
            if answers:
                self.watch.answered({0: 1})
            found.append(self.watch.look().ok)
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_ends_a_process_that_does_not_come_back(bench: Bench) -> None:
    bench.seconds(3)
    bench.subject.has_ended = True

    bench.seconds(5)
    assert bench.fatal == []
    bench.seconds(3)

    assert bench.fatal == ["unhealthy: a task that should never end has ended"]


def test_who_interrupts_nothing_is_let_be_for_a_shorter_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeSubject, "patience_s", 2.0)
    bench = Bench(patience_s=60.0)
    bench.subject.has_ended = True

    bench.seconds(4)

    assert bench.fatal == ["unhealthy: a task that should never end has ended"]


def test_it_ends_nothing_while_no_broker_answers(bench: Bench) -> None:
    healthy = bench.seconds(60, answers=False)

    assert healthy == [True] * 10 + [False] * 50
    assert bench.fatal == []


def test_it_is_healthy_again_when_the_broker_is_back(bench: Bench) -> None:
    bench.seconds(60, answers=False)

    assert bench.seconds(2) == [True, True]


def test_a_process_that_does_not_come_back_after_an_outage_ends(bench: Bench) -> None:
    bench.group.outside_since = READY
    bench.seconds(60, answers=False)

    assert bench.seconds(15) == [True] * 15
    bench.seconds(8)

    assert bench.fatal == ["unhealthy: it has been outside its consumer group for 21 s"]


def test_it_never_ends_a_process_without_patience() -> None:
    bench = Bench(patience_s=0)
    bench.subject.has_ended = True

    assert not any(bench.seconds(100))
    assert bench.fatal == []


def test_each_change_is_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        bench.seconds(3)
        bench.group.outside_since = 0.0
        bench.seconds(3)
        bench.group.outside_since = None
        bench.seconds(3)

    told = [(record.levelname, record.getMessage().split(" for ")[0]) for record in caplog.records]
    assert told == [
        ("INFO", "healthy"),
        ("WARNING", "unhealthy: it has been outside its consumer group"),
        ("INFO", "healthy"),
    ]


class FakeReader:
    """A broker that answers with its next answer, or fails."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, list[int]]] = []
        self.is_open = False

    async def start(self) -> None:
        self.is_open = True

    async def stop(self) -> None:
        self.is_open = False

    async def ends(self, topic: str, partitions: range) -> dict[int, int]:
        self.asked.append((topic, list(partitions)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[int, int] = answer
        return found


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - tasks of the thing that is tested
            await asyncio.sleep(0)


async def test_it_asks_every_leader_of_its_topic_and_survives_any_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader(OSError("away"), ValueError("odd"), {0: 5, 1: 6}, TimeoutError())
    monkeypatch.setattr(watch_module, "Reader", lambda _: reader)
    monkeypatch.setattr(watch_module, "_ASK_S", 0.001)
    bench.watch.start()
    assert reader.answers

    await _until(lambda: not reader.answers)
    told, status = bench.watch.report()
    await bench.watch.stop()

    assert bench.subject.ends == {0: 5, 1: 6}
    assert reader.asked[0] == ("log", [0, 1])
    assert (told["status"], status) == ("healthy", 200)
    assert not reader.is_open


async def test_another_client_asks_when_one_has_had_no_answer_for_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, fresh = FakeReader(), FakeReader({0: 5, 1: 6})
    readers = iter([old, fresh, FakeReader()])
    monkeypatch.setattr(watch_module, "Reader", lambda _: next(readers))
    monkeypatch.setattr(watch_module, "_ASK_S", 0.001)
    bench.watch.start()
    await _until(lambda: len(old.asked) > 1)
    assert not fresh.is_open

    bench.subject.now += 40
    await _until(lambda: bench.subject.ends)
    await bench.watch.stop()

    assert bench.subject.ends == {0: 5, 1: 6}
    assert not old.is_open


async def test_a_process_that_has_not_begun_says_what_it_waits_for(bench: Bench) -> None:
    bench.watch.waits_for("waiting for Kafka: nobody is there")

    told, status = bench.watch.report()

    assert (told["reason"], status) == ("waiting for Kafka: nobody is there", 503)
    assert told["ends_if_it_lasts"] is False


async def test_what_was_found_at_the_start_is_a_warning_and_no_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "Reader", lambda _: FakeReader())
    bench.watch.start()
    bench.watch.notes += ["a topic has grown"]
    told, status = bench.watch.report()
    await bench.watch.stop()

    assert (told["warnings"], status) == (["a topic has grown"], 200)
    assert told["paused"] == ["job backup is paused"]


def test_it_ends_a_process_that_was_left_out_while_partitions_have_no_owner(bench: Bench) -> None:
    bench.subject.owns = False
    for _ in range(22):
        bench.watch.found_unowned({1})
        bench.seconds(1)

    assert bench.fatal == [
        "unhealthy: it owns no partition, and nobody has owned 1 of them for 21 s"
    ]


def test_a_spare_process_stands_by_while_others_own_everything(bench: Bench) -> None:
    bench.subject.owns = False
    for second in range(60):
        bench.watch.found_unowned({0} if second == 30 else set())
        assert bench.seconds(1) == [True]


def test_a_process_that_is_given_something_is_healthy_at_once(bench: Bench) -> None:
    bench.subject.owns = False
    bench.watch.found_unowned({0, 1})
    assert bench.seconds(17)[-1] is False

    bench.subject.owns = True

    assert bench.seconds(1) == [True]


async def test_only_who_owns_nothing_asks_who_owns_what_and_survives_any_answer(
    bench: Bench,
) -> None:
    bench.group.without_owner = [{1}, OSError("away")]
    assert await bench.watch._ask_who_owns() == set()
    assert not bench.group.asked

    bench.subject.owns = False
    found = [await bench.watch._ask_who_owns() for _ in range(2)]
    bench.group.rebalancing_since = 5.0
    found.append(await bench.watch._ask_who_owns())

    assert found == [{1}, set(), set()]
    assert bench.group.asked == [("log", 2)] * 2


async def test_before_its_start_it_says_that_it_starts(bench: Bench) -> None:
    told, status = bench.watch.report()

    assert (told["reason"], status) == ("it is starting", 503)


def test_a_process_that_is_told_to_stop_and_never_does_is_ended(bench: Bench) -> None:
    bench.watch.stopping()
    bench.watch.stopping()
    seconds = 0
    while not bench.left and seconds < 1000:
        bench.dog.feed()
        bench.dog.look()
        seconds += 1

    assert (bench.left, seconds) == ([STATUS], 65)


async def test_it_says_that_it_is_stopping(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "Reader", lambda _: FakeReader({0: 1}))
    bench.watch.start()
    bench.watch.stopping()

    told, status = bench.watch.report()
    await bench.watch.stop()

    assert (told["reason"], told["ends_if_it_lasts"], status) == ("it is stopping", False, 503)
