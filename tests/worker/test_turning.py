"""What a worker does in a turn, and what it no longer does when an executor has died."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from cronstream.core.ledger.member import Member
from cronstream.core.naming import Role
from cronstream.core.records import Claimed, Delivery, Finished, Outcome, Started
from cronstream.executor import protocol
from cronstream.settings import Settings
from cronstream.worker.worker import Worker
from tests.builders import at
from tests.ledger_builders import due
from tests.member_builders import holder, owner


@dataclass
class FakePublisher:
    """Remembers what was put on the log."""

    entries: list[Any] = field(default_factory=list)

    def put(self, _log: str, _partition: int, entry: Any) -> None:
        self.entries.append(entry)


def a_worker(member: Member, *, is_alive: bool) -> tuple[Worker, FakePublisher]:
    """A worker whose executors all live, or of whose executors one has just died."""
    worker = Worker(Settings(), Role.of("cluster-a", retry=False), member, {}, lambda _: None)
    publisher: Any = FakePublisher()
    pool: Any = SimpleNamespace(is_alive=is_alive, send=lambda *_: None)
    worker.publisher, worker.executor = publisher, pool
    return worker, publisher


def kinds(publisher: FakePublisher) -> set[type]:
    return {type(entry) for entry in publisher.entries}


async def test_a_start_is_announced_only_while_all_executors_live() -> None:
    once = due(20, delivery=Delivery.AT_MOST_ONCE)
    alive, told = a_worker(holder(once)[0].member, is_alive=True)
    dying, told_by_dying = a_worker(holder(once)[0].member, is_alive=False)

    alive._turn()
    dying._turn()

    assert Started in kinds(told)
    assert not told_by_dying.entries


async def test_nothing_is_claimed_any_more_once_an_executor_has_died() -> None:
    alive, told = a_worker(owner(due(20)).member, is_alive=True)
    dying, told_by_dying = a_worker(owner(due(20)).member, is_alive=False)

    alive._turn()
    dying._turn()

    assert Claimed in kinds(told)
    assert not told_by_dying.entries


async def test_what_the_others_ran_is_reported_after_an_executor_has_died() -> None:
    bench, key = holder(due(20))
    dying, publisher = a_worker(bench.member, is_alive=False)
    end = at(21).timestamp()
    report = protocol.Finished(key, "interrupted", end - 1, end, None, 15, "", "", 0, "has gone")

    dying._reported([report])
    dying._turn()

    [entry] = publisher.entries
    assert isinstance(entry, Finished)
    assert entry.outcome is Outcome.INTERRUPTED
