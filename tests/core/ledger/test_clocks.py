"""Clocks of brokers that were wrong for a while: what the fold does then, and after it."""

from datetime import timedelta

import pytest

from cronstream.core.ledger.mark import WINDOW
from cronstream.core.ledger.rows import to_row
from cronstream.core.ledger.state import AHEAD, FROM_AHEAD, KEEP, KEEP_LEAST, STALE, Effect, State
from cronstream.core.protocol.actions import Publish
from cronstream.core.wire.entries import Forwarded, Level, Repair
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Backoff, Run
from tests.builders import a_run, at
from tests.ledger_builders import Told, a_skip, beat, due, finished
from tests.member_builders import Worker, owner

AHEAD_S = 7200.0
RAISED = Level(level=2)
FIXED = Backoff(first_s=15.0, jitter=0.0)


def told_once_ahead(*, retry: bool = False, level: int = 2) -> Told:
    """A log whose broker's clock was two hours ahead for one message."""
    told = Told(retry=retry)
    told.tell(Level(level=level))
    told.tell(beat("w9", 1), seconds=AHEAD_S)
    return told


@pytest.mark.parametrize(("level", "enters"), [(1, False), (2, True)])
def test_a_retry_is_stale_by_when_it_came_and_not_by_the_latest_time_ever_seen(
    level: int, enters: bool
) -> None:
    """Its sender compares the same two times, so it never says `Forwarded` of what is refused."""
    told = told_once_ahead(retry=True, level=level)
    told.tell(a_run(attempt=2, as_of=at(0)), seconds=1)
    assert bool(told.ledger.book.live) is enters

    told.tell(due(60, attempt=2, as_of=at(0)), seconds=STALE.total_seconds() + 1)
    assert due(60).id not in told.ledger.book.live


@pytest.mark.parametrize(("level", "waits_s"), [(1, AHEAD_S + 15), (2, 16)])
def test_a_clock_that_was_ahead_once_puts_off_no_later_retry(level: int, waits_s: float) -> None:
    told, run = told_once_ahead(level=level), a_run(max_attempts=2, attempts_left=2, backoff=FIXED)
    told.tell(run)
    told.tell(finished(run, told.claim(run), Outcome.FAILED), seconds=1)

    assert told.live.not_before == at(waits_s)


def test_one_that_is_ahead_puts_off_a_retry_by_ten_minutes_at_most() -> None:
    told, run = told_once_ahead(), a_run(max_attempts=2, attempts_left=2, backoff=FIXED)
    told.tell(run)
    told.tell(finished(run, told.claim(run), Outcome.FAILED), seconds=AHEAD_S)

    assert told.live.not_before == at(1) + STALE + timedelta(seconds=15)


def test_one_that_is_ahead_makes_nobody_forget_what_was_settled_last() -> None:
    told = Told(retry=True)
    told.tell(RAISED)
    for number in range(KEEP_LEAST + 5):
        run = due(number, attempt=2)
        told.tell(run, seconds=number)
        told.tell(finished(run, told.claim(run)), seconds=number)
        told.forward(run)
    last = due(500, attempt=2)
    told.tell(last, seconds=500)
    told.tell(finished(last, told.claim(last)), seconds=500)
    assert len(told.ledger.book.recent) == KEEP_LEAST + 5
    version = told.ledger.book.live[last.id].version
    told.tell(Forwarded(run=last.id, version=version), seconds=500 + 3 * KEEP.total_seconds())

    assert len(told.ledger.book.recent) == KEEP_LEAST
    told.tell(due(KEEP_LEAST, attempt=2, as_of=at(500)), seconds=501)
    assert not told.ledger.book.live, "it is known, so it is not made again"


def test_what_was_lost_before_its_time_is_not_taken_for_started_later_on() -> None:
    told, run = told_once_ahead(), due(60)
    told.tell(run)
    told.claim(run)
    told.lose()

    assert (told.live.state, told.live.unsure) == (State.QUEUED, False)


@pytest.mark.parametrize(("level", "verdicts"), [(1, 0), (2, 1)])
def test_an_edit_holds_though_a_clock_that_was_ahead_has_published_far_ahead(
    level: int, verdicts: int
) -> None:
    """What is far ahead is withdrawn, and the new revision's run for that time may enter."""
    told, far = Told(), 2 * WINDOW.total_seconds()
    told.tell(Level(level=level))
    told.tell(due(60))
    told.tell(due(far))
    told.edit(2, 30)
    assert told.verdicts == ["withdrawn", "withdrawn"]
    told.tell(due(60, revision=2))

    assert len(told.ledger.book.live) == verdicts


def a_decided_retry() -> tuple[Worker, Publish]:
    run = a_run(max_attempts=2, attempts_left=2)
    worker = owner(RAISED, run)
    worker.settle()
    live = worker.member.ledgers[0].book.live[run.id]
    worker.log(finished(run, live.claim or 0, Outcome.FAILED))
    worker.settle()
    [publish] = worker.of(Publish)
    assert live.effect is Effect.RETRY
    return worker, publish


def test_what_another_brokers_clock_finds_stale_is_judged_by_that_clock_the_next_time() -> None:
    """Else it would be published again for ever, where the clocks of two brokers differ."""
    worker, publish = a_decided_retry()
    worker.member.publish_again(publish, at(AHEAD_S))
    worker.log(beat("w2", 1))
    worker.wake()
    [_, again] = worker.of(Publish)
    [(_, run)] = again.messages

    assert isinstance(run, Run)
    assert run.as_of == at(AHEAD_S)


def test_what_could_not_be_sent_is_judged_by_its_own_log() -> None:
    worker, publish = a_decided_retry()
    worker.member.publish_again(publish)
    worker.log(beat("w2", 1))
    worker.wake()
    [_, again] = worker.of(Publish)
    [(_, run)] = again.messages

    assert isinstance(run, Run)
    assert run.as_of == worker.member.ledgers[0].book.at


def test_a_verdict_is_kept_with_when_it_came() -> None:
    told, run = told_once_ahead(), a_run(revision=None)
    told.tell(run, seconds=1)
    told.tell(finished(run, told.claim(run)), seconds=2)

    assert told.ledger.book.recent == {run.id: (1, Verdict.SUCCEEDED, at(2))}


# -- a clock that all machines share was ahead, and is right now ----------------------------------

AHEAD_AT = 7200
REPAIR = Repair(by="ada@host")


def published_ahead(*, level: int = 2) -> Told:
    """Two runs that were made when it seemed to be two hours later than it is."""
    told = Told()
    told.tell(Level(level=level))
    for run in (due(AHEAD_AT - 60), due(AHEAD_AT)):
        told.tell(run, seconds=AHEAD_AT)
        told.tell(finished(run, told.claim(run)), seconds=AHEAD_AT + 1)
    return told


def test_what_a_clock_that_was_ahead_has_published_is_told_when_it_is_refused_later_on() -> None:
    told = published_ahead()
    told.tell(due(600), seconds=600)

    assert [refusal.why for refusal in told.ledger.book.turned_away] == [FROM_AHEAD]


@pytest.mark.parametrize("seconds", [AHEAD_AT, AHEAD_AT + 1])
def test_what_is_refused_as_a_double_by_a_right_clock_is_not(seconds: int) -> None:
    told = published_ahead()
    told.tell(due(AHEAD_AT), seconds=seconds)

    assert (told.ledger.book.refused["duplicate"], told.ledger.book.turned_away) == (1, [])


def test_a_repair_lets_due_times_be_run_that_are_beyond_the_logs_time() -> None:
    told = published_ahead()
    told.tell(REPAIR, seconds=600)
    told.tell(due(660), seconds=640)
    assert not told.ledger.book.live, "what may have been published by a right clock stays known"
    for seconds in (600 + AHEAD.total_seconds() + 60, AHEAD_AT):
        told.tell(due(seconds), seconds=seconds - 20)

    assert len(told.ledger.book.live) == 2


def test_after_a_repair_an_edit_holds_from_when_it_says() -> None:
    told = published_ahead()
    told.edit(2, 500)
    told.tell(REPAIR, seconds=600)
    told.edit(3, 700)
    told.tell(due(800, revision=3), seconds=770)
    told.edit(4, 780)
    told.tell(due(800, revision=4), seconds=781)

    assert told.live.run.revision == 4


def test_a_repair_cuts_spans_that_were_skipped() -> None:
    told = published_ahead()
    told.tell(a_skip(AHEAD_AT + 60, AHEAD_AT + 120), seconds=AHEAD_AT)
    told.tell(a_skip(AHEAD_AT - 240, AHEAD_AT + 600), seconds=AHEAD_AT)
    told.tell(REPAIR, seconds=AHEAD_AT - 240)
    limit = at(AHEAD_AT - 240) + AHEAD

    mark = told.ledger.book.mark("backup")
    assert (mark.high, mark.floor, mark.skipped) == (limit, limit, [(at(AHEAD_AT - 240), limit)])
    assert mark.settled == {}


def test_a_repair_where_no_clock_was_wrong_changes_nothing() -> None:
    told = Told()
    told.tell(RAISED)
    for run in (due(0), due(60)):
        told.tell(run, seconds=0)
        told.tell(finished(run, told.claim(run)), seconds=1)
    before = to_row(told.ledger, 0)
    told.tell(REPAIR, seconds=1)

    after = to_row(told.ledger, 0)
    assert after == {**before, "next_offset": before["next_offset"] + 1}


def test_a_retry_that_waits_by_a_wrong_clock_comes_at_once_after_a_repair() -> None:
    told = Told(retry=True)
    told.tell(RAISED)
    far = a_run(attempt=2, not_before=at(AHEAD_AT), backoff=FIXED.derive(ceiling_s=60.0))
    near = due(1, attempt=2, not_before=at(630), backoff=FIXED.derive(ceiling_s=60.0))
    told.tell(far, near, seconds=AHEAD_AT)
    told.tell(REPAIR, seconds=600)

    waits = {live.run.id: live.run.not_before for live in told.ledger.book.live.values()}
    assert waits == {far.id: at(600), near.id: at(630)}
    assert told.ledger.book.live[far.id].version == told.ledger.book.offset


def test_a_repair_brings_back_what_is_remembered_until_a_time_to_come() -> None:
    told, run = Told(), a_run(revision=None)
    told.tell(RAISED)
    told.tell(run, seconds=AHEAD_AT)
    told.tell(finished(run, told.claim(run)), seconds=AHEAD_AT)
    told.tell(beat("w7", 1), seconds=AHEAD_AT)
    told.tell(REPAIR, seconds=600)

    assert told.ledger.book.recent[run.id][2] == at(600)
    assert told.ledger.book.beats["w7"].at == at(600)


def test_at_level_1_a_repair_is_put_aside() -> None:
    told = published_ahead(level=1)
    told.tell(REPAIR, seconds=600)

    assert told.ledger.book.refused["level"] == 1


def test_who_was_heard_by_a_clock_far_ahead_is_not_remembered_until_then() -> None:
    told = Told(retry=True)
    told.tell(RAISED)
    told.tell(beat("w7", 1), seconds=10 * KEEP.total_seconds())
    run = due(1, attempt=2)
    told.tell(run, seconds=1)
    told.finish(run)
    told.forward(run)

    assert set(told.ledger.book.beats) == {"w1"}
