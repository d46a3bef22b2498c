"""What a stream does not bring is read from the log, into the ledger that lacks it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rules import RULES
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.codec import encode, encode_entries
from cronstream.core.wire.entries import Heartbeat, Level, Owned
from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError, TruncatedError
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.worker import folding as folding_module
from cronstream.worker.folding import Folding
from tests.builders import NAMES, NOON, a_run


def a_message(offset: int) -> LogMessage:
    value = encode(Heartbeat(worker=f"w{offset}", number=offset))
    return LogMessage("cronstream.a", 0, offset, NOON, None, value)


class Failing:
    """Something that goes wrong so many times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


@dataclass
class FakeGaps:
    """A log of heartbeats; something may happen each time that a message at an offset comes."""

    before: dict[int, Callable[[], None]] = field(default_factory=dict)

    async def read(
        self, _log: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        for offset in range(start[0], end[0]):
            self.before.get(offset, lambda: None)()
            yield a_message(offset)


def a_folding(gaps: Any, next_offset: int, fatal: list[str] | None = None) -> Folding:
    member, settings = Member("me", NAMES.topics_of("a"), Timing()), Settings()
    fatal = [] if fatal is None else fatal
    quarantine = Quarantine(Publisher(settings))
    folding = Folding(settings, Role.of("a", retry=False), member, quarantine, fatal.append)
    folding._gaps = gaps
    member.ledgers[0] = a_ledger(next_offset)
    return folding


def a_ledger(next_offset: int) -> Ledger:
    ledger = Ledger(retry=False)
    ledger.book.next_offset = next_offset
    return ledger


async def test_what_a_stream_has_passed_over_is_read_first() -> None:
    folding = a_folding(FakeGaps(), 2)
    await folding._receive(a_message(5))
    assert list(folding._member.ledgers[0].book.beats) == ["w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_meanwhile_lacks_nothing() -> None:
    folding = a_folding(FakeGaps(), 3)
    older = a_ledger(1)
    folding._gaps.before[4] = lambda: folding._member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await folding._receive(a_message(5))
    assert list(older.book.beats) == ["w1", "w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_takes_nothing_of_a_gap_that_was_not_its_own() -> None:
    folding = a_folding(FakeGaps(), 3)
    older = a_ledger(1)
    folding._gaps.before[4] = lambda: folding._member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await folding._catch_up(0, 6)
    assert older.book.next_offset == 1


async def test_while_much_is_folded_at_once_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding_module, "_AT_ONCE_S", -1.0)
    folding, turns = a_folding(FakeGaps(), 0), list[int]()
    ledger = folding._member.ledgers[0]

    async def others() -> None:
        while True:
            turns.append(ledger.book.next_offset)
            await asyncio.sleep(0)

    between = asyncio.create_task(others())
    await folding._catch_up(0, 20)
    for offset in range(20, 40):  # As the stream brings them, without a pause.
        await folding._receive(a_message(offset))
    between.cancel()

    assert set(turns) > set(range(1, 39))


class Reluctant:
    """A log of one `Owned` that fails to be read as often as it is sent, or reads nothing."""

    def __init__(self, number: int, *failures: Exception | None) -> None:
        self.value = encode(Owned(worker="me", number=number))
        self.failures = list(failures)

    async def read(
        self, _log: str, _start: dict[int, int], _end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        yield LogMessage("cronstream.a", 0, 0, NOON, None, self.value)


def an_owner(monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> tuple[Folding, Owner]:
    """What folds for a member that has put its `Owned` on a log, and has not read it back."""
    monkeypatch.setattr(folding_module, "_OWNED_WITHIN_S", 0)
    folding = a_folding(None, 0)
    folding._member.assigned([0], lambda _: a_ledger(0))
    owner = folding._member.owners[0]
    gaps: Any = Reluctant(owner.number, *failures)
    folding._gaps = gaps
    return folding, owner


def acknowledged(offset: int) -> asyncio.Future[Ack]:
    done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    done.set_result(Ack(0, offset, NOON))
    return done


async def test_the_barrier_is_read_though_reading_fails_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folding, owner = an_owner(monkeypatch, KafkaConnectionError(), OSError("away"))

    async with asyncio.timeout(5):
        await folding.see_that_it_is_read(acknowledged(0), 0, owner.number)

    assert owner.ready


async def test_a_gap_that_cannot_be_read_at_first_is_read_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding_module, "_AGAIN_S", 0)
    folding = a_folding(FakeGaps({2: Failing(KafkaConnectionError(), OSError("away"))}), 2)
    await folding._receive(a_message(4))
    assert list(folding._member.ledgers[0].book.beats) == ["w2", "w3", "w4"]


async def test_a_follower_that_fails_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding_module, "_AGAIN_S", 0)
    folding = a_folding(FakeGaps(), 2)
    answers: list[Any] = [KafkaConnectionError(), [a_message(2)]]

    class Follower:
        async def poll(self, _: float) -> list[LogMessage]:
            if not answers:
                raise asyncio.CancelledError
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return list(answer)

    follower: Any = Follower()
    folding._follower = follower

    with pytest.raises(asyncio.CancelledError):
        await folding.follow_for_ever()

    assert list(folding._member.ledgers[0].book.beats) == ["w2"]


async def test_a_message_on_which_the_fold_fails_is_put_aside_and_the_next_is_folded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    aside: list[tuple[int, str]] = []
    folding = a_folding(FakeGaps(), 2)
    ledger, rules = folding._member.ledgers[0], cast("dict[Any, Any]", RULES)
    monkeypatch.setattr(
        folding._quarantine, "put", lambda _log, _p, offset, _raw, why: aside.append((offset, why))
    )
    monkeypatch.setitem(rules, Heartbeat, lambda book, beat: book.beats[beat.worker].at)
    await folding._receive(a_message(2))
    monkeypatch.setitem(rules, Heartbeat, lambda book, beat: book.hear(beat.worker, 1))
    await folding._receive(a_message(3))

    assert aside == [(2, "cannot be folded: KeyError('w2')")]
    assert list(ledger.book.beats) == ["w3"]
    assert caplog.messages == ["cronstream.a/0, offset 2: cannot be folded; it is passed over"]


async def test_a_message_is_put_aside_once_however_much_in_it_is_bad(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aside: list[Any] = []
    folding = a_folding(FakeGaps(), 0)
    monkeypatch.setattr(folding._quarantine, "put", lambda *given: aside.append(given))
    other, newer = a_run(job="elsewhere", cluster="b"), Heartbeat("w9", 9).derive()
    vars(newer)["v"] = 2
    good = encode_entries([Heartbeat("w1", 1), other, newer])
    raw = b"[1,2," + b"{}," * 300 + good[1:]

    await folding._receive(LogMessage("cronstream.a", 0, 0, NOON, None, raw))

    [(topic, partition, offset, value, reason)] = aside
    assert (topic, partition, offset, value) == ("cronstream.a", 0, 0, raw)
    assert reason.endswith("(304 entries of it)")
    assert list(folding._member.ledgers[0].book.beats) == ["w1"]


async def test_the_barrier_of_a_former_assignment_is_no_longer_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folding, owner = an_owner(monkeypatch, *[KafkaConnectionError()] * 1_000_000)
    waiting = asyncio.create_task(folding.see_that_it_is_read(acknowledged(0), 0, owner.number))
    await asyncio.sleep(0)

    folding._member.assigned([0], lambda _: a_ledger(0))

    async with asyncio.timeout(5):
        await waiting


async def test_a_barrier_that_cannot_be_sent_ends_the_worker() -> None:
    fatal: list[str] = []
    folding = a_folding(FakeGaps(), 0, fatal)
    refused: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    refused.set_exception(BrokerError("cronstream.a: a message cannot be sent"))

    await folding.see_that_it_is_read(refused, 0, 1)

    assert fatal == ["partition 0 cannot be owned (cronstream.a: a message cannot be sent)"]


async def test_a_log_that_has_lost_what_the_stream_passed_over_ends_the_worker_once() -> None:
    fatal: list[str] = []
    folding = a_folding(None, 0, fatal)
    gaps: Any = Reluctant(1, *[TruncatedError("cronstream.a/0 ends at 3")] * 3)
    folding._gaps = gaps

    await folding._receive(a_message(5))
    await folding.make_up(0, 5)

    assert fatal == ["cronstream.a/0 ends at 3"]
    assert folding._member.ledgers[0].book.next_offset == 0


async def test_a_log_that_goes_on_before_what_was_folded_ends_the_worker() -> None:
    fatal: list[str] = []
    folding = a_folding(FakeGaps(), 0, fatal)
    folding._member.ledgers[0] = a_ledger(500)
    folding._member.assigned([0], lambda _: a_ledger(500))

    await folding.see_that_it_is_read(acknowledged(11), 0, folding._member.owners[0].number)

    what = "goes on at 11, but was folded up to 500: it was truncated, or recreated"
    assert fatal == [f"cronstream.a/0 {what}"]


async def test_a_barrier_that_another_has_replaced_says_nothing_about_the_log() -> None:
    fatal: list[str] = []
    folding = a_folding(FakeGaps(), 0, fatal)
    folding._member.assigned([0], lambda _: a_ledger(0))
    former = folding._member.owners[0].number
    folding._member.assigned([0], lambda _: a_ledger(0))
    await folding._receive(a_message(0))

    await folding.see_that_it_is_read(acknowledged(0), 0, former)

    assert not fatal


async def test_a_log_that_is_raised_above_what_is_known_ends_the_worker_once() -> None:
    fatal: list[str] = []
    folding = a_folding(None, 0, fatal)
    raised = encode(Level(level=99, version="9.9"))
    await folding._receive(LogMessage("cronstream.a", 0, 0, NOON, None, raised))
    await folding._receive(a_message(1))
    await folding._receive(LogMessage("cronstream.a", 0, 0, NOON, None, raised))

    [reason] = fatal
    assert reason.startswith("cronstream.a/0, offset 0: this installation was raised to level 99")
    assert folding._member.ledgers[0].book.next_offset == 0


async def test_what_was_not_announced_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    folding = a_folding(None, 0)
    aside: list[str] = []
    monkeypatch.setattr(folding._quarantine, "put", lambda *given: aside.append(given[-1]))
    ledger = folding._member.ledgers[0]
    beat = Heartbeat(worker="w9", number=1)
    vars(beat)["v"] = 2
    monkeypatch.setattr(folding_module, "decode_entries", lambda _: ([beat], []))
    await folding._receive(a_message(0))

    assert aside == ["Heartbeat of level 2, which was not announced here (level 1 was)"]
    assert list(ledger.book.beats) == []
