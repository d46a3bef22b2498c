"""What was missed is made up for as its job says: an audit sees where it was not."""

from datetime import timedelta
from typing import Any

import pytest

from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import Missed, SkipReason
from cronstream.core.wire.runs import Run
from tests.builders import at
from tests.core.audit.books import Books, due_at

NOW = 250.0


def made_up(seconds: float, start: float = NOW) -> Run:
    return due_at(seconds).derive(not_before=at(start), as_of=at(NOW))


def a_skip(first: float, last: float, reason: SkipReason = SkipReason.COALESCED) -> Skip:
    span: dict[str, Any] = {"from_at": at(first), "to_at": at(last)}
    count = int((last - first) / 60) + 1
    return Skip(job="backup", revision=0, reason=reason, count=count, **span)


def after_an_outage(missed: Missed, *entries: Run | Skip) -> Books:
    """Return the books of a job that was due at 0 to 240, and was caught up with at 250."""
    books = Books(missed=missed)
    for entry in entries:
        if isinstance(entry, Skip):
            books.put(entry, NOW)
        else:
            books.attempt(entry, books.publish(entry, NOW + 0.5), claimed=NOW + 0.6)
    books.succeed(300)
    return books


def test_the_newest_of_an_outage_stands_for_all() -> None:
    books = after_an_outage(Missed.ONCE, a_skip(0, 180), made_up(240))
    audited = books.audit(until=330, now=400)

    assert audited.faults == []
    assert audited.tally.skipped == {"coalesced": 4}


def test_each_is_made_up_for_where_the_job_says_so() -> None:
    runs = [made_up(60 * n, NOW + n) for n in range(5)]

    assert after_an_outage(Missed.ALL, *runs).audit(until=330, now=400).faults == []


@pytest.mark.parametrize("pieces", [1, 9])
def test_what_is_skipped_for_a_later_one_that_is_skipped_too_is_unexplained(pieces: int) -> None:
    books = after_an_outage(Missed.ONCE, a_skip(0, 180), a_skip(240, 240, SkipReason.MISSED))
    audited = books.audit(until=330, now=1300, pieces=pieces)

    assert audited.faults == [("unexplained", due_at(180).id)]
    assert "coalesced" in audited.findings[0].text


def test_where_one_stands_for_all_a_second_is_unasked() -> None:
    books = after_an_outage(Missed.ONCE, a_skip(0, 120), made_up(180), made_up(240, NOW + 1))

    assert books.audit(until=330, now=400).faults == [("unasked", due_at(180).id)]


def test_what_is_made_up_for_though_its_job_skips_it_is_unasked() -> None:
    books = after_an_outage(Missed.SKIP, a_skip(0, 180, SkipReason.MISSED), made_up(240))

    assert books.audit(until=330, now=400).faults == [("unasked", due_at(240).id)]


def test_an_edit_in_between_excuses_what_was_run_before_it() -> None:
    """Whoever made it up did not know of the later due time, which follows another definition."""
    books = Books(missed=Missed.ONCE)
    books.put(a_skip(0, 120), NOW)
    run = made_up(180)
    books.attempt(run, books.publish(run, NOW + 0.5), claimed=NOW + 0.6)
    books.define(1, NOW + 1, missed=Missed.ONCE, schedule="@every 40s", effective_from=at(190))
    edited = due_at(200, revision=1).derive(not_before=at(NOW + 2), as_of=at(NOW + 2))
    later = due_at(240, revision=1)
    for each in (edited, later, due_at(280, revision=1)):
        start = max(NOW + 3, (each.not_before - at(0)) / timedelta(seconds=1))
        version = books.publish(each, NOW + 2)
        books.attempt(each, version, claimed=NOW + 2.5, start=start)
    found = [one for one in books.audit(until=290, now=400).faults if one[1] == run.id]

    assert found == []
