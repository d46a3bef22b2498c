"""What the fold of a log forgets of jobs: by the log's days, and what cannot matter any more."""

from datetime import timedelta

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import KEEP_DAYS, KEEP_GONE_DAYS
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told, beat, due, finished

DAY_S = 86_400.0
RAISED = Level(level=2)


def told_at_level_2() -> Told:
    told = Told()
    told.tell(RAISED)
    return told


def taken_out(told: Told, *, seconds: float = 0.0) -> None:
    gone = Withdrawal(job="backup", revision=2, effective_from=at(seconds), removed=True)
    told.tell(gone, seconds=seconds)


def days_pass(told: Told, days: range) -> None:
    """A worker's heartbeat on each day."""
    for day in days:
        told.tell(beat("w1", day + 1), seconds=day * DAY_S)


def made(told: Told, run: Run, seconds: float) -> None:
    told.tell(run, seconds=seconds)
    told.tell(finished(run, told.claim(run)), seconds=seconds)


def test_a_job_that_was_taken_out_is_forgotten_days_later_and_not_before() -> None:
    told = told_at_level_2()
    made(told, due(0), 1)
    taken_out(told, seconds=2)
    days_pass(told, range(1, KEEP_GONE_DAYS + 1))
    told.tell(due(0), seconds=KEEP_GONE_DAYS * DAY_S)
    assert (
        told.ledger.book.refused["duplicate"] + told.ledger.book.refused["revision"],
        told.ledger.book.live,
    ) == (
        1,
        {},
    )
    days_pass(told, range(KEEP_GONE_DAYS + 1, 2 * KEEP_GONE_DAYS + 2))

    assert not told.ledger.book.marks


def test_a_job_in_force_is_forgotten_when_a_log_would_have_forgotten_it_and_learnt_again() -> None:
    told = told_at_level_2()
    made(told, due(0), 1)
    days_pass(told, range(1, KEEP_DAYS + 1))
    assert set(told.ledger.book.marks) == {"backup"}
    days_pass(told, range(KEEP_DAYS + 1, KEEP_DAYS + 2))
    assert not told.ledger.book.marks
    told.tell(due(300 * DAY_S), seconds=300 * DAY_S)

    assert told.ledger.book.mark("backup").learnt == 1
    assert told.live.run == due(300 * DAY_S)


def test_a_job_with_a_run_that_has_no_verdict_is_never_forgotten() -> None:
    told = told_at_level_2()
    told.tell(due(0), seconds=1)
    told.start(due(0))
    taken_out(told, seconds=2)
    days_pass(told, range(1, 2 * KEEP_DAYS))

    assert set(told.ledger.book.marks) == {"backup"}


def test_at_level_1_nothing_is_forgotten_since_nothing_is_learnt() -> None:
    told = Told()
    days_pass(told, range(1, 2 * KEEP_DAYS))

    assert set(told.ledger.book.marks) == {"backup"}
    assert "days" not in to_row(told.ledger, 0)


@pytest.mark.parametrize("leap", [timedelta(days=400), timedelta(days=-400)])
def test_a_clock_that_leaps_and_comes_back_is_two_days_at_most(leap: timedelta) -> None:
    told = told_at_level_2()
    taken_out(told)
    told.tell(beat("w1", 1), seconds=leap.total_seconds())
    told.tell(beat("w1", 2), seconds=10)
    told.tell(beat("w1", 3), seconds=20)

    assert set(told.ledger.book.marks) == {"backup"}


def test_revisions_that_were_replaced_before_the_last_day_are_forgotten_though_nothing_is_due() -> (
    None
):
    told = told_at_level_2()
    for hour in range(24 * 365):
        revision, since = hour + 2, hour * 3600.0
        entry = Withdrawal(job="backup", revision=revision, effective_from=at(since))
        told.tell(entry, seconds=since)

    assert len(told.ledger.book.mark("backup").revisions) <= 2 * 24 + 1


def test_revisions_are_kept_as_long_as_a_run_may_follow_one() -> None:
    told = told_at_level_2()
    told.tell(due(0), seconds=1)
    for day in range(1, 9):
        told.edit(day + 1, day * DAY_S)
        told.tell(beat("w1", day), seconds=day * DAY_S)

    assert len(told.ledger.book.mark("backup").revisions) == 9


def test_the_span_before_a_day_began_is_still_told_apart() -> None:
    """After an outage due times are published late, each under the revision of its time."""
    told = told_at_level_2()
    told.edit(2, 100)
    told.tell(beat("w1", 1), seconds=DAY_S)
    told.tell(due(50), seconds=DAY_S)
    told.tell(due(150), seconds=DAY_S)

    assert set(told.ledger.book.live) == {due(50).id}
    assert told.ledger.book.refused["revision"] == 1


def test_a_fold_that_began_in_the_middle_forgets_at_the_same_message() -> None:
    told = told_at_level_2()
    days_pass(told, range(1, 20))
    middle = told.ledger.book.next_offset
    made(told, due(20 * DAY_S), 20 * DAY_S)
    taken_out(told, seconds=20 * DAY_S)
    days_pass(told, range(21, 30))
    whole, later = Ledger(retry=False), Ledger(retry=False)
    later.book.assumed = 2
    for message in told.messages:
        whole.fold(*message)
        if message[0] >= middle:
            later.fold(*message)
            assert set(later.book.marks) == set(whole.book.marks)

    assert later.book.day < whole.book.day


def test_a_row_keeps_the_days() -> None:
    told = told_at_level_2()
    taken_out(told)
    days_pass(told, range(1, 3))
    read = from_row(orjson.loads(orjson.dumps(to_row(told.ledger, 0))))

    assert (read.book.day, read.book.today, read.book.marks) == (
        told.ledger.book.day,
        told.ledger.book.today,
        told.ledger.book.marks,
    )


def test_a_year_of_generated_names_leaves_the_row_as_small_as_after_a_week() -> None:
    """28 a day: what one partition of twelve has of 10,000 jobs a month."""
    ledger, offset, sizes = Ledger(retry=False), 0, {}
    ledger.fold(0, NOON, [RAISED])
    for day in range(365):
        for number in range(28):
            name, since = f"export-{day}-{number}", at(day * DAY_S + number)
            first = Withdrawal(job=name, revision=offset + 1, effective_from=since)
            run = a_run(job=name, scheduled_at=since, revision=offset + 1)
            gone = Withdrawal(job=name, revision=offset + 2, effective_from=since, removed=True)
            for entry in (first, run, gone):
                offset += 1
                ledger.fold(offset, since, [entry])
        ledger.book.news.clear()
        sizes[day] = len(orjson.dumps(to_row(ledger, 0)))

    assert len(ledger.book.marks) <= 28 * (KEEP_GONE_DAYS + 1)
    assert sizes[364] < 1.1 * sizes[7]
