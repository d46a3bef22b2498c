"""A log that has lost its beginning: what its runs tell of revisions, and what is refused."""

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import OUTDATED, SUPERSEDED, UNKNOWN, WINDOW
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.ledger.state import STALE, TOO_OLD
from cronstream.core.wire.entries import Heartbeat, Skip, Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import Told, a_skip, due

_FIRST = 500


def from_the_middle(*entries: Run | Skip | Withdrawal, level: int = 2) -> Told:
    """Fold a log of which all before these messages was deleted."""
    told = Told(revision=False)
    told.ledger.book.assumed = level
    told.ledger.fold(_FIRST - 1, at(-60), [Heartbeat(worker="w1", number=1)])
    for entry in entries:
        told.tell(entry)
    return told


def live(told: Told) -> list[tuple[str, int | None]]:
    runs = [one.run for one in told.ledger.book.live.values()]
    return [(f"{run.scheduled_at:%M:%S}", run.revision) for run in runs]


def refused(told: Told) -> list[tuple[str, str]]:
    return [(one.run, one.why) for one in told.ledger.book.turned_away]


def test_a_run_enters_though_the_word_that_put_its_revision_in_force_is_gone() -> None:
    told = from_the_middle(due(0, revision=4), due(60, revision=4))

    assert live(told) == [("00:00", 4), ("01:00", 4)]
    assert not told.ledger.book.refused


def test_so_does_a_skip() -> None:
    told = from_the_middle(a_skip(0, 60, revision=4), due(120, revision=4))

    assert told.ledger.book.mark("backup").skipped == [(at(0), at(60))]
    assert live(told) == [("02:00", 4)]


def test_a_log_of_level_1_is_folded_as_it_always_was_unless_its_beginning_was_not_read() -> None:
    told = from_the_middle(due(0, revision=4), level=1)
    assert refused(told) == [(due(0).id, UNKNOWN)]
    assert told.ledger.book.refused["revision"] == 1

    watched = Ledger(retry=False)
    watched.book.learns = True
    watched.fold(0, at(0), [due(0, revision=4)])
    assert list(watched.book.live) == [due(0).id]


def test_runs_by_hand_and_later_attempts_have_no_revision_to_be_learnt() -> None:
    told = from_the_middle(a_run(revision=None))
    assert told.ledger.book.marks == {}

    later = Ledger(retry=True)
    later.fold(5, at(0), [due(0, attempt=2)])
    assert later.book.marks == {}


def test_a_run_of_a_newer_revision_takes_the_place_of_one_that_was_late() -> None:
    """Both words are gone, so the newer one had been said when the late one came."""
    told = from_the_middle(due(60, revision=3), due(60, revision=4), due(120, revision=4))

    assert live(told) == [("01:00", 4), ("02:00", 4)]
    assert told.verdicts == ["withdrawn"]


def test_what_was_due_before_the_newer_revision_stands() -> None:
    told = from_the_middle(due(0, revision=3), due(60, revision=4))

    assert live(told) == [("00:00", 3), ("01:00", 4)]


def test_a_late_run_of_an_older_revision_than_was_learnt_is_refused_in_view() -> None:
    """Since when the newer one has held, nobody knows."""
    told = from_the_middle(due(60, revision=4), due(90, revision=3))

    assert live(told) == [("01:00", 4)]
    assert refused(told) == [(due(90).id, OUTDATED)]


def test_a_due_time_of_a_learnt_revision_that_is_earlier_than_the_first_seen_holds_too() -> None:
    told = from_the_middle(due(0, revision=3), due(120, revision=4), due(60, revision=4))

    assert live(told) == [("00:00", 3), ("02:00", 4), ("01:00", 4)]


def test_a_word_that_comes_later_holds_from_when_it_says() -> None:
    edit = Withdrawal(job="backup", revision=9, effective_from=at(90))
    told = from_the_middle(due(60, revision=4), due(120, revision=4), edit, due(120, revision=9))

    assert live(told) == [("01:00", 4), ("02:00", 9)]


def test_what_was_due_before_the_first_word_that_is_left_is_learnt() -> None:
    edit = Withdrawal(job="backup", revision=9, effective_from=at(90))
    told = from_the_middle(edit, due(0, revision=4), due(60, revision=5), due(120, revision=9))

    assert live(told) == [("00:00", 4), ("01:00", 5), ("02:00", 9)]


def test_a_revision_that_is_newer_than_a_word_is_learnt_for_that_word_was_late() -> None:
    late = Withdrawal(job="backup", revision=9, effective_from=at(0))
    told = from_the_middle(late, due(60, revision=12), a_skip(120, 180, revision=13))

    assert told.ledger.book.turned_away == []
    assert live(told) == [("01:00", 12)]
    assert told.ledger.book.mark("backup").revisions[-2:] == [(12, at(60)), (13, at(120))]


def test_newer_words_that_hold_only_later_do_not_make_a_late_word_hold() -> None:
    late = Withdrawal(job="backup", revision=9, effective_from=at(0))
    newer = Withdrawal(job="backup", revision=14, effective_from=at(61))
    words = (late, newer, due(60, revision=12), due(120, revision=14))
    told = from_the_middle(*words, level=4)

    assert told.ledger.book.turned_away == []
    assert live(told) == [("01:00", 12), ("02:00", 14)]
    before = from_the_middle(late, newer).ledger.book.mark("backup")
    assert before.may_learn(12, at(60), beyond_late=True)
    assert not before.may_learn(12, at(60), beyond_late=False), "as it was below level 4"
    assert not before.may_learn(12, at(62), beyond_late=True), "a newer word holds by then"


def test_a_word_that_comes_after_the_first_run_of_its_revision_still_counts() -> None:
    older = Withdrawal(job="backup", revision=9, effective_from=at(-60))
    word = Withdrawal(job="backup", revision=12, effective_from=at(10))
    runs = due(0, revision=9), due(20, revision=9), due(60, revision=12)
    told = from_the_middle(older, *runs, word, word)

    assert live(told) == [("00:00", 9), ("01:00", 12)]
    assert told.verdicts == ["withdrawn"]
    assert told.ledger.book.refused["duplicate"] == 1
    told.tell(due(20, revision=12))
    assert live(told) == [("00:00", 9), ("01:00", 12), ("00:20", 12)]


def test_a_late_word_takes_no_run_from_a_newer_revision() -> None:
    late = Withdrawal(job="backup", revision=9, effective_from=at(0))
    told = from_the_middle(due(60, revision=12), late, due(60, revision=9), due(120, revision=12))

    assert live(told) == [("01:00", 12), ("02:00", 12)]


def test_at_level_1_a_run_that_is_newer_than_every_word_is_refused_in_view() -> None:
    word = Withdrawal(job="backup", revision=9, effective_from=at(0))
    told = from_the_middle(word, due(60, revision=12), level=1)

    [refusal] = told.ledger.book.turned_away
    assert (refusal.run, refusal.why, refusal.is_ordinary) == (due(60).id, UNKNOWN, False)
    told.tell(a_skip(60, 120, revision=12))
    [refusal] = told.ledger.book.turned_away
    assert (refusal.run, refusal.from_at, refusal.to_at) == ("backup", at(60), at(120))


def test_a_revision_that_was_replaced_long_ago_is_refused_in_view() -> None:
    """The jobs topic was recreated, say, and its offsets begin again."""
    edit = Withdrawal(job="backup", revision=57, effective_from=at(0))
    late = WINDOW.total_seconds() + 60
    told = from_the_middle(edit, due(60, revision=3))
    assert [(one.why, one.is_ordinary) for one in told.ledger.book.turned_away] == [
        (SUPERSEDED, True)
    ]
    told.tell(due(late, revision=3))
    assert [(one.why, one.is_ordinary) for one in told.ledger.book.turned_away] == [
        (OUTDATED, False)
    ]


def test_a_late_run_of_a_job_that_was_taken_out_does_not_wait_for_ever() -> None:
    gone = Withdrawal(job="backup", revision=9, effective_from=at(90), removed=True)
    told = from_the_middle(gone, due(60, revision=4))

    assert (live(told), told.verdicts) == ([], ["skipped"])


def test_a_run_that_is_too_old_is_refused_in_view_on_either_log() -> None:
    for retry in (False, True):
        told = Told(retry=retry)
        fields = {"attempt": 2} if retry else {"revision": None}
        told.tell(a_run(as_of=at(0), **fields), seconds=STALE.total_seconds() + 1)
        assert [one.why for one in told.ledger.book.turned_away] == [TOO_OLD]


def test_what_is_refused_is_told_once() -> None:
    told = from_the_middle(due(60, revision=4), due(90, revision=3))
    told.tell(due(120, revision=4))

    assert told.ledger.book.turned_away == []


@pytest.mark.parametrize("removed", [False, True])
def test_what_was_learnt_goes_through_a_row(removed: bool) -> None:
    told = from_the_middle(due(0, revision=3), due(60, revision=4))
    if removed:
        told.tell(Withdrawal(job="backup", revision=5, effective_from=at(90), removed=True))
    read = from_row(orjson.loads(orjson.dumps(to_row(told.ledger, 0))))

    assert read.book.marks == told.ledger.book.marks
    assert read.book.mark("backup").learnt == 4
