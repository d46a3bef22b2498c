"""What is left out of a record that is larger than a message may be."""

from typing import Any

import pytest

from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.fitting import fitted, without_output
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Attempt, Discarded, Job, Run
from cronstream.core.wire.sizes import MAX_JOB_BYTES, MAX_NOTE, MAX_RECORD_BYTES
from tests.builders import NOON, a_run
from tests.ledger_builders import finished


def an_end(**fields: Any) -> Finished:
    return finished(a_run(), 7, **fields)


def a_job(command: str) -> Job:
    return Job("backup", "cluster-a", "@daily", "UTC", command)


def attempts(count: int, note: str | None) -> list[Attempt]:
    return [
        Attempt(attempt=n, outcome=Outcome.INTERRUPTED, ended_at=NOON, worker="w" * 100, note=note)
        for n in range(1, count + 1)
    ]


def test_what_fits_stays_as_it_is() -> None:
    end = an_end(head="a" * 1000)
    assert fitted(end) is end


@pytest.mark.parametrize("character", ["x", "\x01", "\ufffd", '"'])
def test_of_an_end_whose_output_is_too_large_every_byte_is_accounted_for(character: str) -> None:
    end = an_end(head="first " + character * 700_000, tail=character * 700_000 + " last", omitted=5)
    small = fitted(end)
    assert isinstance(small, Finished)
    assert len(encode(small)) <= MAX_RECORD_BYTES
    assert small.head.startswith("first ")
    assert small.tail.endswith(" last")
    before, after = (len(x.head.encode()) + x.omitted + len(x.tail.encode()) for x in (end, small))
    assert before == after
    assert small.note == "its output was too large for a message, and is cut"


def test_an_end_keeps_no_output_where_there_is_no_room_for_any() -> None:
    small = fitted(an_end(head="a" * 100, tail="b" * 100, note="it was ended"), limit=10)
    assert isinstance(small, Finished)
    assert (small.head, small.tail, small.omitted) == ("", "", 200)
    assert small.note == "it was ended; its output was too large for a message, and is cut"
    assert small.outcome is Outcome.SUCCEEDED


def test_an_end_that_is_cut_once_more_says_so_once() -> None:
    once = fitted(an_end(head="a" * 1000), limit=900)
    twice = fitted(once, limit=500)
    assert isinstance(twice, Finished)
    assert twice.note == "its output was too large for a message, and is cut"


def test_an_end_without_its_output_says_why_in_a_sentence_that_fits() -> None:
    small = without_output(an_end(head="é", tail="\ud800", omitted=1), "x" * 9999)
    assert (small.head, small.tail, small.omitted) == ("", "", 4)
    assert small.note is not None
    assert small.note.endswith("… (9,999 characters)")
    assert len(small.note) == MAX_NOTE


def test_a_run_is_told_without_notes_of_its_attempts_and_then_without_them() -> None:
    run = a_run(attempts=attempts(3, "x" * 400))
    size = len(encode(run))
    assert fitted(run, size - 1) == run.derive(attempts=attempts(3, None))
    assert fitted(run, 1) == run.derive(attempts=None)


def test_a_discarded_run_loses_what_people_read_and_nothing_of_what_it_takes_to_replay_it() -> None:
    run = a_run(command="x" * 1000, attempts=attempts(3, "y" * 400))
    gone = Discarded(run=run, reason="z" * 1000, discarded_at=NOON)
    smaller = [fitted(gone, len(encode(gone)) - cut) for cut in (1, 600, 10_000)]
    assert all(isinstance(each, Discarded) and each.run.command == run.command for each in smaller)
    assert [_said(each) for each in smaller] == [
        (MAX_NOTE, 3, 400),
        (MAX_NOTE, 3, 0),
        (MAX_NOTE, 0, 0),
    ]


def _said(gone: Message) -> tuple[int, int, int]:
    assert isinstance(gone, Discarded)
    noted = gone.run.attempts or []
    return len(gone.reason), len(noted), max((len(one.note or "") for one in noted), default=0)


def test_a_later_attempt_that_has_grown_past_the_limit_loses_notes_and_nothing_that_it_does() -> (
    None
):
    noted = attempts(20, "x" * 120_000)
    run = a_run(command="x" * 850_000, env={"A": "b"}, attempts=noted, attempt=21)
    small = fitted(run)
    assert small == run.derive(attempts=attempts(20, None))


def test_what_is_decided_of_a_run_that_nothing_has_room_for_ends_in_view() -> None:
    run = a_run(command="x" * 600_000, env={"A": "b" * 500_000}, attempt=2, max_attempts=3)
    later = fitted(run)
    gone = fitted(Discarded(run=run, reason="it failed", discarded_at=NOON))
    assert isinstance(later, Run)
    assert isinstance(gone, Discarded)
    assert later == gone.run
    assert (later.id, later.attempt, later.env) == (run.id, 2, None)
    assert "its command was too large to be kept" in later.command
    first = run.derive(attempt=1)
    assert fitted(first) == first


def test_what_has_nothing_that_can_be_left_out_is_returned_as_it_is() -> None:
    job = a_job(command="x" * 100)
    assert fitted(job, 10) is job


def test_the_largest_job_with_twenty_of_the_longest_notes_fits_when_it_is_discarded() -> None:
    room = MAX_JOB_BYTES - len(encode(a_job(command="")))
    run = a_run(command="x" * room, attempts=attempts(20, "\x01" * MAX_NOTE), attempt=2**53)
    gone = Discarded(run=run, reason="\x01" * (MAX_NOTE + 100), discarded_at=NOON)
    assert len(encode(gone)) <= MAX_RECORD_BYTES
