"""What a stream does not bring is read from the log, into the ledger that lacks it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from cronstream.core.codec import encode
from cronstream.core.ledger.actions import Timing
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.member import Member
from cronstream.core.naming import Role
from cronstream.core.records import Heartbeat
from cronstream.settings import Settings
from cronstream.topology.reading import LogMessage
from cronstream.worker.worker import Worker
from tests.builders import NOON


def a_message(offset: int) -> LogMessage:
    value = encode(Heartbeat(worker=f"w{offset}", number=offset))
    return LogMessage("cronstream.a", 0, offset, NOON, None, value)


@dataclass
class FakeGaps:
    """A log of heartbeats; something may happen before its message at an offset comes."""

    before: dict[int, Callable[[], None]] = field(default_factory=dict)

    async def read(
        self, _log: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        for offset in range(start[0], end[0]):
            self.before.pop(offset, lambda: None)()
            yield a_message(offset)


def a_worker(gaps: Any, next_offset: int) -> Worker:
    member = Member("me", "a", Timing())
    worker = Worker(Settings(), Role.of("a", retry=False), member, {}, lambda _: None)
    worker._gaps = gaps
    worker.member.ledgers[0] = a_ledger(next_offset)
    return worker


def a_ledger(next_offset: int) -> Ledger:
    ledger = Ledger(retry=False)
    ledger.next_offset = next_offset
    return ledger


async def test_what_a_stream_has_passed_over_is_read_first() -> None:
    worker = a_worker(FakeGaps(), 2)
    await worker._take(a_message(5))
    assert list(worker.member.ledgers[0].beats) == ["w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_meanwhile_lacks_nothing() -> None:
    worker = a_worker(FakeGaps(), 3)
    older = a_ledger(1)
    worker._gaps.before[4] = lambda: worker.member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await worker._take(a_message(5))
    assert list(older.beats) == ["w1", "w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_takes_nothing_of_a_gap_that_was_not_its_own() -> None:
    worker = a_worker(FakeGaps(), 3)
    older = a_ledger(1)
    worker._gaps.before[4] = lambda: worker.member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await worker._catch_up(0, 6)
    assert older.next_offset == 1
