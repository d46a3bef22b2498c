"""Rule 17: which runs begin, wait, are skipped or give way; in a line, and in the fold."""

from typing import Any

import pytest

from cronstream.core.ledger.overlap import Begin, moves
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.wire.entries import Cancelled, Forwarded, Level, Settled, Skipped
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import Told, due, finished, released, started

ALLOW, SKIP, QUEUE, REPLACE = Overlap
ONCE = Delivery.AT_MOST_ONCE


# -- what is to be done about a line ---------------------------------------------------------------


def in_line(*policies: Overlap, max_queue: int = 100) -> list[LiveRun]:
    """Due runs that have not begun, at versions 1, 2, and so on."""
    return [
        LiveRun(due(10 * i, overlap=policy, max_queue=max_queue), version=i)
        for i, policy in enumerate(policies, start=1)
    ]


def under_way(state: State = State.RUNNING, *, begun: bool = True) -> LiveRun:
    """The run that was due at noon, at version 0."""
    return LiveRun(due(0), version=0, state=state, holder="w1", claim=0, begun=begun)


def told_of(line: list[LiveRun], begun: list[LiveRun]) -> list[str]:
    """What is done, in words: each with the version that it names."""
    words = {Begin: "begin", Skipped: "skip", Cancelled: "cancel"}
    return [f"{words[type(move)]} {move.version}" for move in moves(line, begun)]


@pytest.mark.parametrize(("policies", "when_free", "when_not"), [
    ([SKIP], ["begin 1"], ["skip 1"]),
    ([SKIP, SKIP], ["begin 1"], ["skip 1", "skip 2"]),
    ([QUEUE], ["begin 1"], []),
    ([QUEUE, QUEUE, QUEUE], ["begin 1"], ["skip 3"]),
    ([REPLACE], ["begin 1"], ["cancel 0"]),
    ([REPLACE, REPLACE], ["skip 1", "begin 2"], ["skip 1", "cancel 0"]),
    ([QUEUE, REPLACE], ["begin 1"], ["cancel 0"]),
    ([REPLACE, SKIP], ["begin 1"], ["skip 2", "cancel 0"]),
    ([], [], []),
])  # fmt: skip
def test_a_line_moves_by_its_policies(
    policies: list[Overlap], when_free: list[str], when_not: list[str]
) -> None:
    line = in_line(*policies, max_queue=2)

    assert told_of(line, []) == when_free
    assert told_of(line, [under_way()]) == when_not


@pytest.mark.parametrize(("policies", "begun", "moves"), [
    ([SKIP, SKIP, SKIP], 0, ["begin 1", "begin 2"]),
    ([SKIP, SKIP, SKIP], 1, ["begin 1"]),
    ([SKIP, SKIP], 2, ["skip 1", "skip 2"]),
    ([QUEUE] * 4, 2, ["skip 3", "skip 4"]),
    ([QUEUE] * 4, 1, ["begin 1"]),
    ([REPLACE], 1, ["cancel 0"]),
])  # fmt: skip
def test_as_many_begin_as_may_be_under_way_and_what_follows_is_judged_then(
    policies: list[Overlap], begun: int, moves: list[str]
) -> None:
    line = [
        LiveRun(live.run.derive(max_running=2), version=live.version)
        for live in in_line(*policies, max_queue=2)
    ]

    assert told_of(line, [under_way() for _ in range(begun)]) == moves


def test_a_run_that_waits_is_not_overtaken_by_one_that_counts_more() -> None:
    strict, loose = due(10, overlap=QUEUE), due(20, overlap=QUEUE, max_running=3)
    line = [LiveRun(strict, version=1), LiveRun(loose, version=2)]

    assert told_of(line, [under_way()]) == []


@pytest.mark.parametrize("state", [State.QUEUED, State.CLAIMED, State.RUNNING, State.RETRYABLE])
def test_what_has_begun_is_replaced_between_attempts_too(state: State) -> None:
    assert told_of(in_line(REPLACE), [under_way(state)]) == ["cancel 0"]


def test_what_is_being_decided_or_only_claimed_is_waited_for_instead() -> None:
    assert told_of(in_line(REPLACE), [under_way(State.DECIDING)]) == []
    assert told_of(in_line(REPLACE), [under_way(State.CLAIMED, begun=False)]) == []


def test_nothing_is_cancelled_twice() -> None:
    former = under_way()
    former.cancelled = True

    assert told_of(in_line(REPLACE), [former]) == []


def test_every_run_that_has_begun_gives_way() -> None:
    other = LiveRun(due(5), version=7, state=State.RETRYABLE, begun=True)

    assert told_of(in_line(REPLACE), [under_way(), other]) == ["cancel 0", "cancel 7"]


# -- the fold: beginning ---------------------------------------------------------------------------


def two(policy: Overlap, **fields: Any) -> tuple[Told, Run, Run]:
    """A ledger with two runs of a job, ten seconds apart, the first of which has started."""
    told = Told()
    first, second = due(0, overlap=policy, **fields), due(10, overlap=policy, **fields)
    told.tell(first)
    told.tell(second)
    told.start(first)
    return told, first, second


def cancel(told: Told, run: Run) -> None:
    told.tell(Cancelled(run=run.id, version=told.ledger.book.live[run.id].version))


@pytest.mark.parametrize(("policy", "state"), [
    (ALLOW, State.CLAIMED), (SKIP, State.QUEUED), (QUEUE, State.QUEUED), (REPLACE, State.QUEUED),
])  # fmt: skip
def test_a_claim_is_refused_while_another_run_has_begun(policy: Overlap, state: State) -> None:
    told, _, second = two(policy)
    told.claim(second, "w2")

    assert told.ledger.book.live[second.id].state is state


@pytest.mark.parametrize(("policy", "state"), [
    (SKIP, State.CLAIMED), (QUEUE, State.CLAIMED), (REPLACE, State.QUEUED),
])  # fmt: skip
def test_a_claim_stands_while_fewer_have_begun_than_its_own_run_lets(
    policy: Overlap, state: State
) -> None:
    told = Told()
    told.tell(Level(level=4))
    first, second, third = (due(i, overlap=policy, max_running=2) for i in (0, 10, 20))
    strict = due(30, overlap=policy)
    for run in (first, second, third, strict):
        told.tell(run)
    told.start(first)
    told.claim(strict, "w2")
    told.claim(second, "w2")
    told.claim(third, "w2")

    live = told.ledger.book.live
    assert live[second.id].state is state
    assert (live[strict.id].state, live[third.id].state) == (State.QUEUED, State.QUEUED)


def test_a_claim_that_has_not_yet_started_keeps_others_out_as_well() -> None:
    told = Told()
    first, second = due(0, overlap=QUEUE), due(10, overlap=QUEUE)
    told.tell(first, second)
    told.claim(first)
    told.claim(second, "w2")

    assert told.ledger.book.live[second.id].state is State.QUEUED
    assert told.ledger.book.refused["overlap"] == 1


def test_runs_that_may_overlap_keep_nobody_out_before_they_have_begun() -> None:
    told = Told()
    first, second = due(0), due(10, overlap=SKIP)
    told.tell(first, second)
    told.claim(first)
    told.claim(second, "w2")

    assert told.ledger.book.live[second.id].state is State.CLAIMED


@pytest.mark.parametrize("outcome", [Outcome.INTERRUPTED, Outcome.FAILED])
def test_a_run_has_begun_until_its_verdict_also_between_attempts(outcome: Outcome) -> None:
    told, first, second = two(QUEUE, max_attempts=2)
    told.tell(finished(first, told.ledger.book.live[first.id].claim or 0, outcome))
    told.claim(second)
    assert told.ledger.book.live[second.id].state is State.QUEUED
    if outcome is Outcome.FAILED:
        told.forward(first)
        told.claim(second)
        assert told.ledger.book.live[first.id].state is State.RETRYABLE
        assert told.ledger.book.live[second.id].state is State.QUEUED
        told.tell(Settled(run=first.id, verdict=Verdict.DISCARDED, attempt=2))
        told.claim(second)
        assert told.ledger.book.live[second.id].state is State.CLAIMED


def test_a_lost_run_that_had_begun_is_claimed_again_though_others_wait() -> None:
    told, first, _ = two(QUEUE)
    told.lose()
    told.claim(first, "w2")

    assert told.ledger.book.live[first.id].state is State.CLAIMED
    assert told.ledger.book.live[first.id].run.attempt == 2


def test_what_was_lost_before_its_start_has_not_begun_and_keeps_its_number() -> None:
    told, run = Told(), a_run(overlap=SKIP)
    told.tell(run)
    told.claim(run)
    told.lose()

    assert (told.live.state, told.live.begun, told.live.run.attempt) == (State.QUEUED, False, 1)
    assert told.ledger.book.lines == {"backup": {run.id}}


def test_what_was_released_after_its_start_has_not_begun() -> None:
    told, first, second = two(SKIP)
    told.tell(released(first, told.ledger.book.live[first.id].claim or 0))

    assert told.ledger.book.lines == {"backup": {first.id, second.id}}
    assert not told.ledger.book.begun_of("backup")


def test_a_start_after_a_withdrawal_is_refused() -> None:
    told, run = Told(), a_run(overlap=QUEUE)
    told.tell(run)
    claim = told.claim(run)
    told.edit(2)
    told.tell(started(run, claim))
    assert told.live.state is State.CLAIMED
    told.tell(released(run, claim))

    assert told.verdicts == ["withdrawn"]


def test_one_whose_start_was_announced_gives_way_to_an_edit_if_it_is_given_back() -> None:
    told, run = Told(), a_run(overlap=QUEUE)
    told.tell(run)
    claim = told.start(run)
    told.edit(2)
    told.tell(a_run(overlap=QUEUE, revision=2))
    assert told.live.asked_to_give_way
    told.tell(released(run, claim))

    assert told.verdicts == ["withdrawn"]
    assert (told.live.run.revision, told.live.begun) == (2, False)


@pytest.mark.parametrize("delivery", Delivery)
def test_one_that_was_asked_to_give_way_but_was_made_stands(delivery: Delivery) -> None:
    told, run = Told(), a_run(overlap=QUEUE, delivery=delivery)
    told.tell(run)
    claim = told.start(run)
    told.edit(2)
    told.tell(a_run(overlap=QUEUE, revision=2))
    told.tell(finished(run, claim, Outcome.INTERRUPTED))

    again = delivery is Delivery.AT_LEAST_ONCE
    assert told.live.state is (State.QUEUED if again else State.DECIDING)
    assert told.live.run.revision == 1


def test_runs_that_may_overlap_are_in_no_line() -> None:
    told = Told()
    told.tell(due(0), due(10, overlap=SKIP))

    assert told.ledger.book.lines == {"backup": {due(10).id}}
    assert [run_id for _, _, run_id in told.ledger.book.waiting] == [due(0).id]


def test_on_a_retry_log_every_run_has_begun() -> None:
    told = Told(retry=True)
    told.tell(a_run(attempt=2, max_attempts=2, attempts_left=1, overlap=SKIP))

    assert not told.ledger.book.lines
    assert told.ledger.book.waiting


# -- the fold: skipping ----------------------------------------------------------------------------


def test_a_skip_judged_at_an_older_version_changes_nothing() -> None:
    told, run = Told(), a_run(overlap=SKIP)
    version = told.tell(run)
    claim = told.claim(run)
    skipped = Skipped(run=run.id, version=version, reason=SkipReason.OVERLAP)
    told.tell(skipped)
    told.tell(released(run, claim))
    told.tell(skipped)

    assert told.live.state is State.QUEUED


def test_what_has_begun_is_never_skipped() -> None:
    told, run = Told(), a_run(overlap=SKIP)
    told.tell(run)
    claim = told.start(run)
    told.tell(finished(run, claim, Outcome.INTERRUPTED))
    told.tell(Skipped(run=run.id, version=told.live.version, reason=SkipReason.OVERLAP))

    assert told.live.state is State.QUEUED
    assert told.live.run.attempt == 2


# -- the fold: cancelling --------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "verdict"), [
    (Outcome.INTERRUPTED, "skipped"), (Outcome.FAILED, "skipped"),
    (Outcome.TIMED_OUT, "skipped"), (Outcome.LOST, "skipped"),
    (Outcome.SUCCEEDED, "succeeded"),
])  # fmt: skip
@pytest.mark.parametrize("delivery", Delivery)
def test_a_cancelled_run_is_not_made_again_however_it_ends(
    outcome: Outcome, verdict: str, delivery: Delivery
) -> None:
    told, first, second = two(REPLACE, max_attempts=3, delivery=delivery)
    cancel(told, first)
    assert told.ledger.book.live[first.id].state is State.RUNNING
    told.tell(finished(first, told.ledger.book.live[first.id].claim or 0, outcome))

    assert told.verdicts == [verdict]
    assert list(told.ledger.book.live) == [second.id]


def test_a_cancelled_run_whose_worker_is_lost_is_skipped() -> None:
    told, first, _ = two(REPLACE)
    cancel(told, first)
    told.lose()

    assert told.verdicts == ["skipped"]


def test_a_cancelled_run_that_never_started_after_all_is_skipped() -> None:
    told, first, _ = two(REPLACE)
    cancel(told, first)
    told.tell(released(first, told.ledger.book.live[first.id].claim or 0))

    assert told.verdicts == ["skipped"]


def test_a_run_that_waits_to_be_made_again_is_skipped_at_once() -> None:
    told, first, _ = two(REPLACE)
    told.lose()
    cancel(told, first)

    assert told.verdicts == ["skipped"]


def test_a_cancellation_judged_at_an_older_version_changes_nothing() -> None:
    told, first, _ = two(REPLACE)
    version = told.ledger.book.live[first.id].version
    told.lose()
    told.tell(Cancelled(run=first.id, version=version))

    assert not told.ledger.book.live[first.id].cancelled
    assert told.ledger.book.refused["cancelled"] == 1


def test_what_has_not_begun_is_not_cancelled_nor_is_what_is_not_known() -> None:
    told, _, second = two(REPLACE)
    cancel(told, second)
    told.tell(Cancelled(run="backup@never", version=0))

    assert told.ledger.book.live[second.id].state is State.QUEUED
    assert told.ledger.book.refused["cancelled"] == 2


def test_what_is_being_decided_is_cancelled_only_once_it_waits_for_its_retry() -> None:
    told, first, _ = two(REPLACE, max_attempts=2)
    told.tell(finished(first, told.ledger.book.live[first.id].claim or 0, Outcome.FAILED))
    cancel(told, first)
    assert not told.ledger.book.live[first.id].cancelled
    told.forward(first)
    cancel(told, first)

    live = told.ledger.book.live[first.id]
    assert (live.state, live.effect, live.cancelled) == (State.DECIDING, Effect.CANCEL, True)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("forwarded", [False, True])
def test_at_its_retries_it_ends_as_the_retry_log_says(verdict: Verdict, *, forwarded: bool) -> None:
    told, first, _ = two(REPLACE, max_attempts=2)
    told.tell(finished(first, told.ledger.book.live[first.id].claim or 0, Outcome.FAILED))
    told.forward(first)
    cancel(told, first)
    if forwarded:
        told.forward(first)
        assert told.ledger.book.live[first.id].state is State.RETRYABLE
    told.tell(Settled(run=first.id, verdict=verdict, attempt=2))

    assert told.verdicts == [verdict.value]


def test_a_forwarded_of_the_retry_does_not_stand_for_the_cancellation() -> None:
    told, first, _ = two(REPLACE, max_attempts=2)
    told.tell(finished(first, told.ledger.book.live[first.id].claim or 0, Outcome.FAILED))
    version = told.ledger.book.live[first.id].version
    told.forward(first)
    cancel(told, first)
    told.tell(Forwarded(run=first.id, version=version))

    assert told.ledger.book.live[first.id].effect is Effect.CANCEL
    assert first.id in told.ledger.book.deciding


# -- the retry log ---------------------------------------------------------------------------------


def at_its_retries() -> tuple[Told, Run]:
    told = Told(retry=True)
    run = a_run(attempt=2, max_attempts=3, attempts_left=2, overlap=REPLACE, as_of=at(0))
    told.tell(run)
    return told, run


def test_a_queued_retry_is_skipped_and_told_so() -> None:
    told, run = at_its_retries()
    told.tell(Cancelled(run=run.id))
    assert (told.live.state, told.live.effect) == (State.DECIDING, Effect.SKIP)
    told.forward(run)

    assert told.verdicts == ["skipped"]


@pytest.mark.parametrize("outcome", [Outcome.INTERRUPTED, Outcome.FAILED, Outcome.LOST])
def test_a_running_retry_is_skipped_when_it_has_ended(outcome: Outcome) -> None:
    told, run = at_its_retries()
    claim = told.start(run)
    told.tell(Cancelled(run=run.id))
    assert told.live.state is State.RUNNING
    told.tell(finished(run, claim, outcome))

    assert told.live.effect is Effect.SKIP


def test_a_retry_that_succeeds_all_the_same_has_succeeded() -> None:
    told, run = at_its_retries()
    claim = told.start(run)
    told.tell(Cancelled(run=run.id), finished(run, claim))

    assert told.live.effect is Effect.SETTLE


def test_what_was_decided_before_the_cancellation_stands() -> None:
    told, run = at_its_retries()
    told.finish(run)
    told.tell(Cancelled(run=run.id))

    assert (told.live.effect, told.live.cancelled) == (Effect.SETTLE, False)


def test_the_attempt_that_follows_a_failure_is_skipped_as_it_enters() -> None:
    told, run = at_its_retries()
    told.finish(run, Outcome.FAILED)
    told.tell(Cancelled(run=run.id))
    third = run.derive(attempt=3, attempts_left=1)
    told.tell(third)
    assert told.live.effect is Effect.SKIP
    told.forward(third)
    told.tell(third)

    assert told.verdicts == ["skipped"]
    assert not told.ledger.book.live


def test_a_doubled_cancellation_changes_nothing() -> None:
    told, run = at_its_retries()
    told.tell(Cancelled(run=run.id))
    version = told.live.version
    told.tell(Cancelled(run=run.id))
    assert told.live.version == version
    told.forward(run)
    told.tell(Cancelled(run=run.id))

    assert told.ledger.book.refused["cancelled"] == 2


def test_a_claim_that_was_refused_does_not_stand_when_it_comes_a_second_time() -> None:
    told = Told()
    first, second = due(0, overlap=QUEUE), due(10, overlap=QUEUE)
    told.tell(first, second)
    version = told.ledger.book.live[second.id].version
    claim = told.start(first)
    told.claim(second, "w2", version)
    told.tell(finished(first, claim))
    told.claim(second, "w2", version)

    assert told.ledger.book.live[second.id].state is State.QUEUED
