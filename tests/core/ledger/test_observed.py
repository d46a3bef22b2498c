"""What the fold has changed by each entry, as those see it who observe it."""

import pytest

from cronstream.core.ledger.beginning import DOUBT_DAYS
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.observed import Observed, observing
from cronstream.core.ledger.state import FORGOTTEN, LiveRun, State
from cronstream.core.wire.entries import Claimed, Heartbeat, Level, Repair, Skip, Withdrawal
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.runs import Run
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told, finished


class Seen(Told):
    """A ledger whose every change a test sees."""

    def __init__(self, *, retry: bool = False) -> None:
        self.seen: list[Observed] = []
        super().__init__(retry=retry, revision=False)
        self.ledger = Ledger(retry=retry, by=observing(self.seen.append))

    def changes(self) -> list[tuple[str, State | None, State | None, str]]:
        """The changes by the last entry: of which run, from what, to what, and how it ended."""
        return [
            (
                one.run_id,
                one.before.state if one.before else None,
                one.after.state if one.after else None,
                one.end.action if one.end else "",
            )
            for one in self.seen[-1].changes
        ]


def in_force(revision: int = 1) -> Withdrawal:
    return Withdrawal(job="backup", revision=revision, effective_from=NOON)


def test_a_run_is_seen_from_its_arrival_to_its_verdict() -> None:
    told, run = Seen(), a_run(revision=1)
    told.tell(in_force())
    told.tell(run)
    assert told.changes() == [(run.id, None, State.QUEUED, "")]
    claim = told.start(run)
    assert told.changes() == [(run.id, State.CLAIMED, State.RUNNING, "")]
    told.tell(finished(run, claim, Outcome.SUCCEEDED))
    assert told.changes() == [(run.id, State.RUNNING, None, "succeeded")]


def test_an_entry_that_changes_nothing_is_seen_of_the_run_that_it_names() -> None:
    told, run = Seen(), a_run(revision=1)
    told.tell(Claimed(run=run.id, version=0, worker="w1", number=1))
    [change] = told.seen[-1].changes
    assert (change.is_unknown, change.news) == (True, ())


def test_what_the_edit_that_a_run_brings_takes_out_is_seen_with_it() -> None:
    told = Seen()
    told.ledger.book.learns = True
    first, second = a_run(revision=1, scheduled_at=at(60)), a_run(revision=2, scheduled_at=at(30))
    told.tell(first)
    told.tell(second)
    assert sorted(told.changes()) == [
        (second.id, None, State.QUEUED, ""),
        (first.id, State.QUEUED, None, "withdrawn"),
    ]


def test_a_run_that_brings_no_edit_has_no_other_run_of_its_job_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Seen()
    told.tell(Level(level=2))
    told.tell(in_force())
    looked: list[str] = []
    automatic_runs = Book.automatic_runs

    def looking(book: Book, job: str) -> list[LiveRun]:
        looked.append(job)
        return automatic_runs(book, job)

    monkeypatch.setattr(Book, "automatic_runs", looking)
    runs = [a_run(revision=1, scheduled_at=at(n)) for n in range(1, 9)]
    for run in runs:
        told.tell(run)
        assert told.changes() == [(run.id, None, State.QUEUED, "")]
    assert looked == []
    told.tell(a_run(revision=2, scheduled_at=at(30)))
    assert looked


def test_what_was_skipped_and_what_was_refused_is_seen() -> None:
    told = Seen()
    told.tell(in_force())
    told.tell(Skip(job="backup", revision=1, from_at=at(1), to_at=at(9), count=9, reason=MISSED))
    assert [(one.from_at, one.count) for one in told.seen[-1].skips] == [(at(1), 9)]
    told.tell(in_force(3))
    told.tell(a_run(revision=2, scheduled_at=at(20)))
    [refusal] = told.seen[-1].refusals
    assert (refusal.revision, told.changes()) == (2, [])


def test_a_retry_that_a_repair_has_come_at_once_is_seen() -> None:
    told = Seen(retry=True)
    late = a_run(attempt=2, attempts_left=1, not_before=at(10 * 86_400), as_of=NOON)
    told.tell(Level(level=2, version="test"))
    told.tell(late)
    told.tell(Repair(by="ada@host"))
    [change] = told.seen[-1].changes
    assert (change.run_id, change.says("queued")) == (late.id, True)
    assert isinstance(change.after and change.after.run, Run)


@pytest.mark.parametrize(
    ("retry", "seen"),
    [(False, (State.QUEUED, None, "skipped")), (True, (State.QUEUED, State.DECIDING, ""))],
)
def test_what_is_given_up_a_week_after_the_beginning_is_seen_without_an_entry(
    retry: bool, seen: tuple[State | None, State | None, str]
) -> None:
    told, run = Seen(retry=retry), a_run(revision=1, as_of=at(-2))
    told.ledger.book.assumed = 2
    told.ledger.fold(1000, NOON, [run])
    for day in range(1, DOUBT_DAYS + 2):
        told.ledger.fold(1000 + day, at(day * 86_400), [])

    assert told.changes() == [(run.id, *seen)]
    [refusal] = told.seen[-1].refusals
    assert (refusal.run, refusal.why) == (run.id, FORGOTTEN)
    [ends] = [one.end for one in told.seen[-1].changes]
    assert (ends.reason if ends else None) == (None if retry else "missed")
    assert len(told.seen) == 2, "and it is seen once"


def test_heartbeats_are_folded_and_not_seen() -> None:
    told = Seen()
    told.tell(Heartbeat(worker="w1", number=3))
    assert (told.seen, told.ledger.book.beats["w1"].number) == ([], 3)


MISSED = SkipReason.MISSED
