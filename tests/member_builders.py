"""A member that a test drives step by step, with logs that carry what it appends."""

from collections.abc import Iterable
from typing import Any, TypeVar

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol.actions import Action, Append, Hand
from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Entry, Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import NAMES, NOON, at

ActionT = TypeVar("ActionT", bound=Action)
BACKUP = Withdrawal(job="backup", revision=1, effective_from=NOON)


class Worker:
    """A member, with logs to which its own entries go at once when the test lets them.

    Attributes:
        did: All that it asked for, but what it appended.
        unsent: What it appended and has not been let through.
    """

    def __init__(self, *, retry: bool = False, **timing: Any) -> None:
        self.member = Member("w1", NAMES.topics_of("cluster-a"), Timing(**timing))
        self.retry, self.mono = retry, 100.0
        self.logs: dict[int, list[tuple[float, list[Entry]]]] = {0: [], 1: []}
        self.did: list[Action] = []
        self.unsent: list[Append] = []

    def log(self, *entries: Entry, partition: int = 0) -> int:
        """Put a message on a log, and have the member read it."""
        self.logs[partition].append((self.mono, list(entries)))
        self.read(partition)
        return len(self.logs[partition]) - 1

    def read(self, partition: int = 0) -> None:
        ledger = self.member.ledgers.get(partition)
        start = len(self.logs[partition]) if ledger is None else ledger.book.next_offset
        for offset in range(start, len(self.logs[partition])):
            time, entries = self.logs[partition][offset]
            self.member.read(partition, offset, at(time - 100), entries, self.mono)
        self.collect()

    def collect(self) -> None:
        actions, self.member.actions = self.member.actions, []
        self.unsent += [action for action in actions if isinstance(action, Append)]
        self.did += [action for action in actions if not isinstance(action, Append)]

    def wake(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self.mono += seconds
        self.member.wake(at(self.mono - 100), self.mono)
        self.collect()

    def flush(self) -> None:
        """Let through what it appended, until there is nothing more."""
        while self.unsent:
            append = self.unsent.pop(0)
            self.log(append.entry, partition=append.partition)

    def settle(self) -> None:
        """Let it do all that it does at this moment."""
        for _ in range(4):
            self.wake()
            self.flush()

    def assign(self, *partitions: int) -> None:
        self.member.revoked()
        self.member.assigned(partitions, lambda _: Ledger(retry=self.retry))
        self.collect()
        for partition in partitions:
            self.read(partition)

    def of(self, kind: type[ActionT]) -> list[ActionT]:
        """What it asked for, of one kind."""
        return [action for action in self.did if isinstance(action, kind)]

    def appended(self, *kinds: type[Entry]) -> list[Any]:
        """What it appended and has not been let through, of some kinds."""
        return [append.entry for append in self.unsent if isinstance(append.entry, kinds)]

    def keys(self, kind: Any) -> list[str]:
        return [action.key for action in self.of(kind)]


def owner(*entries: Entry, **timing: Any) -> Worker:
    """A worker that owns partition 0, past its barrier, after some entries."""
    worker = Worker(**timing)
    worker.logs[0].append((worker.mono, [BACKUP, *entries]))
    worker.assign(0)
    worker.flush()
    return worker


def holder(run: Run) -> tuple[Worker, str]:
    """A worker to whose executor a run was handed; and the key."""
    worker = owner(run)
    worker.settle()
    [hand] = worker.of(Hand)
    return worker, hand.key


def report_started(worker: Worker, key: str) -> None:
    worker.member.started(key, at(worker.mono - 100), 77)
    worker.collect()


def first(entries: Iterable[Entry]) -> Any:
    return next(iter(entries))
