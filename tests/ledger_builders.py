"""A ledger that a test feeds entry by entry, each as a message of its own."""

from datetime import datetime
from typing import Any

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import LiveRun, News
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Lost,
    Released,
    Skip,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.runs import Run
from tests.builders import NOON, a_run, at


class Told:
    """A ledger and what it was told; job ``backup`` is in force from noon at revision 1.

    Attributes:
        messages: Offset, time and entries of each message so far.
    """

    def __init__(self, *, retry: bool = False, revision: bool = True) -> None:
        self.ledger = Ledger(retry=retry)
        self.messages: list[tuple[int, datetime, list[Entry]]] = []
        self._number = 0
        if revision and not retry:
            self.tell(Withdrawal(job="backup", revision=1, effective_from=NOON))

    def tell(self, *entries: Entry, seconds: float = 0.0) -> int:
        """Fold one message; return its offset."""
        message = (self.ledger.book.next_offset, at(seconds), list(entries))
        self.messages.append(message)
        self.ledger.fold(*message)
        return message[0]

    @property
    def live(self) -> LiveRun:
        """The only live run."""
        [live] = self.ledger.book.live.values()
        return live

    @property
    def verdicts(self) -> list[str]:
        """The verdicts so far, withdrawals among them."""
        wanted = {"succeeded", "discarded", "skipped", "withdrawn"}
        news = [item for item in self.ledger.book.news if isinstance(item, News)]
        return [item.action for item in news if item.action in wanted]

    def claim(self, run: Run, worker: str = "w1", version: int | None = None) -> int:
        """Have a worker claim a run; return the claim."""
        live = self.ledger.book.live[run.id]
        claim = live.version if version is None else version
        self._number += 1
        self.tell(Claimed(run=run.id, version=claim, worker=worker, number=self._number))
        return claim

    def start(self, run: Run, worker: str = "w1", **fields: Any) -> int:
        """Have a worker claim a run and start it; return the claim."""
        claim = self.claim(run, worker)
        self.tell(started(run, claim, worker), **fields)
        return claim

    def finish(
        self, run: Run, outcome: Outcome = Outcome.SUCCEEDED, *, seconds: float = 1.0
    ) -> None:
        """Have a worker make an attempt at a run."""
        claim = self.start(run)
        self.tell(finished(run, claim, outcome), seconds=seconds)

    def lose(self, worker: str = "w1", *, seconds: float = 0.0) -> None:
        """Have a worker taken for lost."""
        lost = Lost(worker=worker, number=self.ledger.book.beats[worker].number)
        self.tell(lost, seconds=seconds)

    def forward(self, run: Run) -> None:
        """Say that what was decided has been published."""
        self.tell(Forwarded(run=run.id, version=self.ledger.book.live[run.id].version))

    def edit(self, revision: int, seconds: float = 0.0) -> None:
        """Put another revision of the job into force."""
        self.tell(Withdrawal(job="backup", revision=revision, effective_from=at(seconds)))


def started(run: Run, claim: int, worker: str = "w1") -> Started:
    """Return the entry of an attempt that was started."""
    return Started(run=run.id, claim=claim, worker=worker, started_at=NOON)


def finished(
    run: Run, claim: int, outcome: Outcome = Outcome.SUCCEEDED, worker: str = "w1", **more: Any
) -> Finished:
    """Return the entry of an attempt that has ended."""
    status = {Outcome.SUCCEEDED: 0, Outcome.FAILED: 3}.get(outcome)
    return Finished(
        run=run.id,
        claim=claim,
        worker=worker,
        outcome=outcome,
        started_at=NOON,
        ended_at=at(1),
        **{"exit_status": status, **more},
    )


def released(run: Run, claim: int, worker: str = "w1") -> Released:
    """Return the entry that gives a claim back."""
    return Released(run=run.id, claim=claim, worker=worker)


def beat(worker: str, number: int) -> Heartbeat:
    """Return a heartbeat."""
    return Heartbeat(worker=worker, number=number)


def a_skip(start: float, end: float, *, revision: int = 1, **fields: Any) -> Skip:
    """Return a skip of the due times between two times in seconds after noon."""
    values = {"reason": SkipReason.MISSED, "count": 1, **fields}
    return Skip(job="backup", revision=revision, from_at=at(start), to_at=at(end), **values)


def due(seconds: float, **fields: Any) -> Run:
    """Return the run that is due so many seconds after noon."""
    return a_run(scheduled_at=at(seconds), **fields)
