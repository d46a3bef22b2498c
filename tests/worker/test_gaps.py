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
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.reading import LogMessage
from cronstream.worker.folding import Folding
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


def a_folding(gaps: Any, next_offset: int) -> Folding:
    member, settings = Member("me", "a", Timing()), Settings()
    quarantine = Quarantine(Publisher(settings))
    folding = Folding(settings, Role.of("a", retry=False), member, quarantine, lambda: None)
    folding._gaps = gaps
    member.ledgers[0] = a_ledger(next_offset)
    return folding


def a_ledger(next_offset: int) -> Ledger:
    ledger = Ledger(retry=False)
    ledger.next_offset = next_offset
    return ledger


async def test_what_a_stream_has_passed_over_is_read_first() -> None:
    folding = a_folding(FakeGaps(), 2)
    await folding._take(a_message(5))
    assert list(folding._member.ledgers[0].beats) == ["w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_meanwhile_lacks_nothing() -> None:
    folding = a_folding(FakeGaps(), 3)
    older = a_ledger(1)
    folding._gaps.before[4] = lambda: folding._member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await folding._take(a_message(5))
    assert list(older.beats) == ["w1", "w2", "w3", "w4", "w5"]


async def test_a_ledger_that_is_loaded_again_takes_nothing_of_a_gap_that_was_not_its_own() -> None:
    folding = a_folding(FakeGaps(), 3)
    older = a_ledger(1)
    folding._gaps.before[4] = lambda: folding._member.ledgers.update({0: older})  # type: ignore[attr-defined]
    await folding._catch_up(0, 6)
    assert older.next_offset == 1
