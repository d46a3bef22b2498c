"""What if runs of a job that may not overlap did, or commands outlived a fence? Planted faults."""

from typing import Any

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.overlap import may_be_cancelled
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.protocol.actions import Hand
from cronstream.core.protocol.holder import Holding
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.records import Attempt, Cancelled, Outcome, Overlap, Run
from tests.simulation.planting import fault


@fault("17: nothing is kept out by what has begun", Ledger, "begun_of")
def _nothing_begun(_ledger: Ledger, _job: str) -> list[LiveRun]:
    return []


@fault("17: between its attempts a run keeps nobody out", Ledger, "begun_of")
def _begun_while_held(ledger: Ledger, job: str) -> list[LiveRun]:
    return [live for live in _begun_of(ledger, job) if live.held]


@fault("17: the end of what was cancelled is not waited for", Ledger, "begun_of")
def _cancelled_is_over(ledger: Ledger, job: str) -> list[LiveRun]:
    return [live for live in _begun_of(ledger, job) if not live.cancelled]


_begun_of = Ledger.begun_of


@fault("17: a run is started before its Started is read back", Member, "_move_on")
def _started_at_once(member: Member, partition: int, owner: Owner, *now: Any) -> None:
    before = set(member.claiming)
    _move_on(member, partition, owner, *now)
    for key in set(member.claiming) - before:
        run = owner.ledger.live[key.rpartition("#")[0]].run
        member.holding[key] = Holding(partition, run, go=True, told=True)
        member.actions.append(Hand(key, partition, run, go=True))


_move_on = Member._move_on


@fault("17: a queue is served from its end", Ledger, "line")
def _last_come_first_served(ledger: Ledger, job: str) -> list[LiveRun]:
    due = [live for live in _line(ledger, job) if live.run.not_before <= ledger.now]
    later = [live for live in _line(ledger, job) if live.run.not_before > ledger.now]
    return due[::-1] + later


_line = Ledger.line


@fault("17: what has begun stands in line again after a loss", Ledger, "is_judged")
def _judged_again(ledger: Ledger, live: LiveRun) -> bool:
    return live.run.overlap is not Overlap.ALLOW and not ledger.retry


@fault("17: what was cancelled is made again after its end", Ledger, "_again")
def _cancelled_and_made_again(
    ledger: Ledger, live: LiveRun, attempt: Attempt, **more: bool
) -> None:
    if attempt.outcome in {Outcome.INTERRUPTED, Outcome.LOST}:
        live.cancelled = False
    _again(ledger, live, attempt, **more)


_again = Ledger._again


@fault("17: the retry log's word is not waited for", Ledger, "_cancelled")
def _settled_by_itself(ledger: Ledger, entry: Cancelled) -> None:
    live = ledger.live.get(entry.run)
    judged = live is not None and live.version == entry.version and may_be_cancelled(live)
    if live is not None and judged and live.state is State.RETRYABLE:
        ledger._give_up(live)
    else:
        _cancelled(ledger, entry)


_cancelled = Ledger._cancelled


@fault("17: an attempt that follows a cancellation is made", Ledger, "_later_attempt")
def _made_though_cancelled(ledger: Ledger, run: Run) -> None:
    live = ledger.live.get(run.id)
    if live is not None and live.state is State.DECIDING:
        live.cancelled = False
    _later_attempt(ledger, run)


_later_attempt = Ledger._later_attempt


@fault("8: a fence ends nothing", Timing, "fence_of")
def _no_fence(_timing: Timing, _run: Run) -> Any:
    return None
