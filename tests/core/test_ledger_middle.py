"""What is assumed of a log that is read from its middle."""

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.middle import assume_revision
from cronstream.core.records import Heartbeat, Withdrawal
from tests.builders import NOON, a_run, at
from tests.ledger_builders import a_skip, due


def revisions(ledger: Ledger) -> list[int]:
    return [number for number, _ in ledger.mark("backup").revisions]


def test_the_revision_of_a_run_must_have_been_announced_before() -> None:
    ledger = Ledger(retry=False)
    assume_revision(ledger, due(0, revision=4))
    assume_revision(ledger, due(60, revision=4))
    assert revisions(ledger) == [4]

    skipping = Ledger(retry=False)
    assume_revision(skipping, a_skip(0, 60, revision=3))
    assert revisions(skipping) == [3]


def test_only_what_came_before_the_log_is_assumed() -> None:
    ledger = Ledger(retry=False)
    ledger.take(0, NOON, [Withdrawal(job="backup", revision=4, effective_from=at(60))])
    assume_revision(ledger, due(0, revision=5))
    assert revisions(ledger) == [4], "a later revision has a word of its own"
    assume_revision(ledger, due(0, revision=3))
    assert revisions(ledger) == [3, 4]


def test_runs_by_hand_later_attempts_and_other_entries_have_no_revision() -> None:
    first, later = Ledger(retry=False), Ledger(retry=True)
    assume_revision(first, a_run(revision=None))
    assume_revision(first, Heartbeat(worker="w1", number=1))
    assume_revision(later, due(0, attempt=2))

    assert (revisions(first), revisions(later)) == ([], [])
