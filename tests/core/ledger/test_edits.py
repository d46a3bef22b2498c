"""The fold when the crontab changes: revisions, withdrawals, successors, skips and the mark."""

from datetime import timedelta

import pytest

from cronstream.core.ledger.mark import LONG_AGO, WINDOW, Mark
from cronstream.core.ledger.state import Effect, SkipNews, State
from cronstream.core.planning.due import REACH
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, Verdict
from cronstream.settings import Settings
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told, a_skip, due, finished, released, started

ONCE = Delivery.AT_MOST_ONCE


def skips(told: Told) -> list[tuple[float, float]]:
    """From and to, in seconds after noon, of each skip that counted."""
    return [
        ((news.from_at - NOON).total_seconds(), (news.to_at - NOON).total_seconds())
        for news in told.ledger.book.news
        if isinstance(news, SkipNews)
    ]


# -- rule 12: revisions ----------------------------------------------------------------------------


@pytest.mark.parametrize(("revision", "seconds", "enters"), [
    (1, 10, True),
    (1, 60, False),
    (2, 60, True),
    (2, 10, False),
    (7, 60, False),
])  # fmt: skip
def test_a_run_enters_only_under_the_revision_in_force_at_its_due_time(
    revision: int, seconds: float, enters: bool
) -> None:
    told = Told()
    told.edit(2, 30)
    told.tell(due(seconds, revision=revision))

    assert bool(told.ledger.book.live) is enters


def test_a_job_that_the_log_has_never_heard_of_has_no_revision_in_force() -> None:
    told = Told(revision=False)
    told.tell(a_run())

    assert told.ledger.book.refused["revision"] == 1


def test_an_edit_that_comes_twice_or_late_counts_once() -> None:
    told = Told()
    told.edit(3, 30)
    told.edit(3, 10)
    told.edit(2, 10)

    assert told.ledger.book.mark("backup").revisions == [(1, NOON), (3, at(30))]


def test_queued_runs_from_the_edit_on_give_way_and_may_come_again() -> None:
    told, before, after = Told(), due(10), due(40)
    told.tell(before, after)
    told.edit(2, 30)
    assert list(told.ledger.book.live) == [before.id]
    assert told.verdicts == ["withdrawn"]
    told.tell(due(40, revision=2))

    assert told.ledger.book.live[after.id].run.revision == 2


def test_an_edit_of_another_job_or_of_a_run_with_a_cause_withdraws_nothing() -> None:
    told = Told()
    told.tell(due(40), due(40, revision=None))
    told.tell(Withdrawal(job="other", revision=9, effective_from=at(0)))
    told.edit(2, 30)

    assert [live.run.cause for live in told.ledger.book.live.values()] == ["run-now"]


def test_what_was_settled_under_an_older_revision_stays_settled() -> None:
    told, run = Told(), due(40)
    told.tell(run)
    told.finish(run)
    told.edit(2, 30)
    told.tell(due(40, revision=2))

    assert not told.ledger.book.live
    assert told.ledger.book.refused["duplicate"] == 1


def test_runs_at_their_retries_stand() -> None:
    told, run = Told(), due(40, max_attempts=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.edit(2, 30)
    told.forward(run)
    told.edit(3, 30)

    assert told.live.state is State.RETRYABLE


def test_an_attempt_that_is_made_again_stands() -> None:
    told, run = Told(), due(40)
    told.tell(run)
    told.start(run)
    told.lose()
    told.edit(2, 30)

    assert (told.live.state, told.live.run.revision) == (State.QUEUED, 1)


# -- rule 13: withdrawing a claim ------------------------------------------------------------------


def asked_to_give_way(**fields: object) -> tuple[Told, int]:
    """A run that is claimed, and was asked to give way; and its claim."""
    told = Told()
    told.tell(due(40, **fields))
    claim = told.claim(due(40))
    told.edit(2, 30)
    return told, claim


def test_a_claimed_run_is_asked_to_give_way_and_is_withdrawn_when_released() -> None:
    told, claim = asked_to_give_way()
    assert (told.live.state, told.live.asked_to_give_way) == (State.CLAIMED, True)
    told.tell(released(due(40), claim))

    assert told.verdicts == ["withdrawn"]
    assert not told.ledger.book.live


def test_the_new_run_waits_beside_the_claim_and_takes_its_place() -> None:
    told, claim = asked_to_give_way()
    told.tell(due(40, revision=2))
    assert told.live.run.revision == 1
    told.tell(released(due(40), claim))

    assert (told.live.run.revision, told.live.state, told.live.asked_to_give_way) == (
        2,
        State.QUEUED,
        False,
    )
    assert told.ledger.book.mark("backup").high == at(40)


def test_a_skip_may_be_the_successor_and_is_then_a_verdict() -> None:
    told, claim = asked_to_give_way()
    told.tell(a_skip(40, 40, revision=2))
    told.tell(released(due(40), claim))

    assert not told.ledger.book.live
    assert skips(told)[-1] == (40, 40)
    assert told.ledger.book.mark("backup").settled == {at(40): Verdict.SKIPPED}


def test_the_same_revision_is_no_successor() -> None:
    told, claim = asked_to_give_way()
    told.tell(due(40, revision=1))
    assert told.live.successor is None
    told.tell(due(40, revision=2), due(40, revision=2))
    told.tell(released(due(40), claim))

    assert told.live.run.revision == 2


def test_a_later_edit_clears_the_successor_of_an_older_one() -> None:
    told, claim = asked_to_give_way()
    told.tell(due(40, revision=2))
    told.edit(3, 35)
    told.tell(released(due(40), claim))

    assert not told.ledger.book.live


def test_a_later_edit_that_does_not_concern_it_leaves_the_successor() -> None:
    told, claim = asked_to_give_way()
    told.tell(due(40, revision=2))
    told.edit(3, 50)
    told.tell(released(due(40), claim))

    assert told.live.run.revision == 2


@pytest.mark.parametrize("kind", ["run", "skip"])
def test_a_successor_is_checked_against_the_revision_in_force_when_it_enters(kind: str) -> None:
    told, claim = asked_to_give_way()
    successor = due(40, revision=2) if kind == "run" else a_skip(40, 40, revision=2)
    told.tell(successor)
    told.ledger.book.mark("backup").revisions.append((9, at(0)))
    told.tell(released(due(40), claim))

    assert not told.ledger.book.live
    assert not told.ledger.book.mark("backup").settled


def test_what_has_started_stands_and_its_successor_is_dropped() -> None:
    told, claim = asked_to_give_way()
    told.tell(due(40, revision=2))
    told.tell(started(due(40), claim))
    told.tell(due(40, revision=2))

    live = told.live
    assert (live.run.revision, live.state, live.successor) == (1, State.RUNNING, None)
    told.tell(finished(due(40), claim))
    assert told.verdicts == ["succeeded"]


def test_at_most_once_may_not_start_after_the_withdrawal() -> None:
    told, claim = asked_to_give_way(delivery=ONCE)
    told.tell(started(due(40), claim))

    assert (told.live.state, told.live.begun) == (State.CLAIMED, False)
    assert told.ledger.book.refused["started"] == 1


def at_most_once_whose_start_was_announced() -> tuple[Told, int]:
    """at_most_once says `Started` before it starts; then its job is edited."""
    told, run = Told(), due(40, delivery=ONCE)
    told.tell(run)
    claim = told.start(run)
    told.edit(2, 30)
    return told, claim


def test_at_most_once_that_was_to_start_and_is_given_back_gives_way_to_an_edit() -> None:
    told, claim = at_most_once_whose_start_was_announced()
    told.tell(released(due(40), claim))

    assert (list(told.ledger.book.live), told.verdicts) == ([], ["withdrawn"])


def test_at_most_once_that_was_to_start_and_is_given_back_has_a_successor() -> None:
    told, claim = at_most_once_whose_start_was_announced()
    told.tell(due(40, revision=2, delivery=ONCE))
    told.tell(released(due(40), claim))

    assert (told.live.run.revision, told.live.state) == (2, State.QUEUED)


def test_at_most_once_that_was_to_start_and_did_stands_whatever_the_edit() -> None:
    told, claim = at_most_once_whose_start_was_announced()
    told.tell(due(40, revision=2, delivery=ONCE))
    told.tell(finished(due(40), claim))
    told.tell(due(40, revision=2, delivery=ONCE))

    assert (list(told.ledger.book.live), told.verdicts) == ([], ["succeeded"])


def test_at_most_once_that_was_to_start_and_is_lost_is_discarded_whatever_the_edit() -> None:
    told, _ = at_most_once_whose_start_was_announced()
    told.tell(due(40, revision=2, delivery=ONCE))
    told.lose()
    told.tell(due(40, revision=2, delivery=ONCE))

    assert (told.live.effect, told.live.successor) == (Effect.DISCARD, None)
    assert told.live.run.revision == 1


def test_what_may_not_overlap_and_was_lost_after_its_start_stands_whatever_the_edit() -> None:
    told, run = Told(), due(40, overlap=Overlap.SKIP)
    told.tell(run)
    told.start(run)
    told.lose()
    told.edit(2, 30)

    assert (told.live.run.revision, told.live.run.attempt, told.verdicts) == (1, 2, [])


def test_at_most_once_that_was_asked_and_lost_never_started_so_it_gives_way() -> None:
    told, _ = asked_to_give_way(delivery=ONCE)
    told.tell(due(40, revision=2, delivery=ONCE))
    told.lose()

    assert (told.live.run.revision, told.live.run.attempt) == (2, 1)


def test_asked_and_then_lost_the_new_run_is_made_as_the_next_attempt() -> None:
    told, _ = asked_to_give_way()
    told.tell(due(40, revision=2, command="other"))
    told.lose()

    run = told.live.run
    assert (run.revision, run.attempt, run.command) == (2, 2, "other")
    assert [attempt.attempt for attempt in run.attempts or []] == [1]
    assert told.live.begun


@pytest.mark.parametrize("with_skip", [False, True])
def test_asked_and_then_lost_without_a_new_run_it_is_discarded(with_skip: bool) -> None:
    told, _ = asked_to_give_way()
    if with_skip:
        told.tell(a_skip(40, 40, revision=2))
    told.lose()

    assert told.live.effect is Effect.DISCARD
    assert told.live.reason == "attempt 1 lost while its job was changed"


def test_a_new_run_for_what_is_being_discarded_is_dropped() -> None:
    told, _ = asked_to_give_way()
    told.lose()
    told.tell(due(40, revision=2))
    told.edit(3, 30)
    told.forward(due(40))

    assert told.verdicts == ["discarded"]


# -- rule 16: skips --------------------------------------------------------------------------------


def test_a_span_is_skipped_in_one_entry_and_none_of_it_is_new_after_that() -> None:
    told = Told()
    told.tell(a_skip(10, 30))
    told.tell(due(10), due(20), due(30))
    told.tell(due(40))

    assert skips(told) == [(10, 30)]
    assert list(told.ledger.book.live) == [due(40).id]


def test_of_run_and_skip_the_first_stands() -> None:
    told = Told()
    told.tell(due(10))
    told.tell(a_skip(10, 10))

    assert not skips(told)
    assert told.live.state is State.QUEUED


def test_a_skip_of_a_revision_that_is_not_in_force_changes_nothing() -> None:
    told = Told()
    told.tell(a_skip(10, 30, revision=2))

    assert told.ledger.book.refused["revision"] == 1
    assert not skips(told)


def test_a_skip_that_comes_twice_counts_once_also_after_an_edit() -> None:
    told = Told()
    told.tell(a_skip(10, 30))
    told.tell(a_skip(10, 30))
    told.edit(2, 5)
    told.tell(a_skip(10, 30, revision=2))
    told.tell(due(20, revision=2))

    assert skips(told) == [(10, 30)]
    assert not told.ledger.book.live


def test_a_skip_counts_for_what_has_no_verdict_though_the_last_of_its_span_has_one() -> None:
    told, last = Told(), due(30)
    told.tell(due(20), last)
    told.finish(last)
    told.edit(2, 5)
    told.tell(a_skip(20, 30, revision=2))
    told.tell(due(20, revision=2))

    assert skips(told) == [(20, 30)]
    assert not told.ledger.book.live


# -- the mark --------------------------------------------------------------------------------------


def test_a_mark_is_lowered_to_just_before_the_edit_but_not_below_its_floor() -> None:
    mark = Mark(revisions=[(1, NOON)])
    mark.raise_to(at(5000))
    mark.lower_to(at(4900))
    assert mark.high == at(4900) - timedelta(microseconds=1)
    mark.lower_to(LONG_AGO)

    assert mark.high == mark.floor == at(5000) - WINDOW


def test_a_mark_can_be_lowered_as_far_as_a_scheduler_goes_back_for_an_edit() -> None:
    look_ahead = timedelta(seconds=Settings.model_fields["look_ahead_s"].default)

    assert REACH + look_ahead + timedelta(minutes=1) <= WINDOW


def test_lowering_never_raises_and_raising_never_lowers() -> None:
    mark = Mark()
    mark.raise_to(at(10))
    mark.lower_to(at(20))
    mark.raise_to(at(5))

    assert mark.high == at(10)


def test_a_verdict_below_the_floor_need_not_be_noted() -> None:
    mark = Mark()
    mark.raise_to(at(5000))
    mark.settle(at(10), Verdict.SUCCEEDED)

    assert not mark.settled
    assert mark.knows(at(10))


def test_a_revision_is_forgotten_once_a_later_one_holds_for_all_that_may_come() -> None:
    mark = Mark(revisions=[(1, at(0)), (2, at(100)), (3, at(4900))])
    mark.raise_to(at(5000))

    assert mark.revisions == [(2, at(100)), (3, at(4900))]
