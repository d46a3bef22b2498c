"""Planted faults: what the simulation must see if a rule of the core is broken.

Each is a small change of one function; the number is the rule of the design (section 3.1).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from unittest.mock import patch

from cronstream.core.ledger import rows
from cronstream.core.ledger.actions import Go, Hand, Lease, Publish, key_of
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.member import Holding, Member
from cronstream.core.ledger.owner import Owner
from cronstream.core.ledger.state import LiveRun, Mark, State
from cronstream.core.records import (
    Claimed,
    Finished,
    Lost,
    Outcome,
    Released,
    Run,
    Skip,
    Started,
    Withdrawal,
)
from tests.simulation import worker as sim_worker
from tests.simulation.executor import SimExecutor
from tests.simulation.process import Done, Sender
from tests.simulation.scheduler import SimScheduler

#: What is put in place of what: object, attribute, the faulty one.
Change: TypeAlias = tuple[Any, str, Any]
FAULTS: dict[str, list[Change]] = {}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have the core do something wrong for a while."""
    changes = [patch.object(*change) for change in FAULTS[name]]
    for change in changes:
        change.start()
    try:
        yield
    finally:
        for change in reversed(changes):
            change.stop()


def _fault(name: str, target: Any, attribute: str) -> Callable[[Any], Any]:
    def plant(faulty: Any) -> Any:
        FAULTS.setdefault(name, []).append((target, attribute, faulty))
        return faulty

    return plant


# -- the fold -----------------------------------------------------------------------------------


@_fault("11: scheduled runs are not deduplicated", Mark, "knows")
def _knows_nothing(_mark: Mark, _due: Any) -> bool:
    return False


@_fault("11: later attempts are not deduplicated", Ledger, "_later_attempt")
def _takes_every_later_attempt(ledger: Ledger, run: Run) -> None:
    live = ledger.live.get(run.id)
    if live is None or live.state is State.DECIDING:
        ledger.enter(run)


@_fault("1: a claim is not compared with the version", Ledger, "_claimed")
def _last_claim_wins(ledger: Ledger, entry: Claimed) -> None:
    ledger.hear(entry.worker, entry.number)
    live = ledger.live.get(entry.run)
    if live is None or live.state not in {State.QUEUED, State.CLAIMED}:
        return
    ledger.unindex(live.run.id)
    live.state, live.holder, live.claim = State.CLAIMED, entry.worker, entry.version
    live.version = ledger.offset
    ledger.index(live)


@_fault("1: a holder's entry is not compared with the claim", Ledger, "_standing")
def _any_claim_stands(ledger: Ledger, entry: Released | Started | Finished) -> LiveRun | None:
    live = ledger.live.get(entry.run)
    return live if live and live.held else None


@_fault("7: Lost is taken although a newer heartbeat came", Ledger, "_lost")
def _lost_whatever_was_heard(ledger: Ledger, entry: Lost) -> None:
    beat = ledger.beats.get(entry.worker)
    _lost(ledger, Lost(worker=entry.worker, number=beat.number if beat else entry.number))


_lost = Ledger._lost


@_fault("12: runs of any revision enter", Mark, "in_force")
def _any_revision_holds(_mark: Mark, _revision: int | None, _due: Any) -> bool:
    return True


@_fault("12: an edit does not lower the mark", Mark, "lower_to")
def _mark_stays(_mark: Mark, _effective_from: Any) -> None:
    return None


@_fault("13: a claimed run is withdrawn without its holder", Ledger, "_give_way")
def _withdrawn_from_under_its_holder(ledger: Ledger, live: LiveRun, entry: Withdrawal) -> None:
    run = live.run
    if run.scheduled_at < entry.effective_from or (run.revision or 0) >= entry.revision:
        return
    if not live.begun and live.state in {State.QUEUED, State.CLAIMED}:
        ledger._withdraw(live)


@_fault("13: a successor is not cleared by a later edit", Ledger, "_give_way")
def _successor_stays(ledger: Ledger, live: LiveRun, entry: Withdrawal) -> None:
    successor = live.successor
    _give_way(ledger, live, entry)
    live.successor = successor


@_fault("13: a successor is not cleared by a later edit", Ledger, "_reopen")
def _successor_enters_unchecked(ledger: Ledger, live: LiveRun) -> None:
    if not live.asked or not isinstance(live.successor, Run):
        _reopen(ledger, live)
        return
    ledger.mark(live.run.job).raise_to(live.run.scheduled_at)
    ledger._withdraw(live)
    ledger.enter(live.successor)


_give_way, _reopen = Ledger._give_way, Ledger._reopen


@_fault("13: a run that gave way has no successor", Ledger, "_succeed")
def _no_successor(ledger: Ledger, _live: LiveRun, _newer: Run | Skip) -> None:
    ledger.refused["duplicate"] += 1


@_fault("13: at_most_once: Started after a withdrawal is taken", Ledger, "_started")
def _started_after_withdrawal(ledger: Ledger, entry: Started) -> None:
    live = ledger._standing(entry)
    if live is not None and live.state is State.CLAIMED:
        live.begun, live.state = True, State.RUNNING


@_fault("9: at_most_once is made again after a loss", Ledger, "_again")
def _made_again(ledger: Ledger, live: LiveRun, _attempt: Any) -> None:
    live.run = live.run.derive(attempt=live.run.attempt + 1)
    ledger.queue(live)


# -- owners and members -------------------------------------------------------------------------


@_fault("2: effects of former owners are forgotten", Owner, "pass_barrier")
def _effects_forgotten(owner: Owner, at: Any, mono: float) -> None:
    _pass_barrier(owner, at, mono)
    owner._published |= set(owner.ledger.deciding.items())


_pass_barrier = Owner.pass_barrier


@_fault("2: Forwarded is appended without publishing", Owner, "_publish")
def _nothing_published(owner: Owner, live: LiveRun) -> Publish:
    return Publish(owner.partition, live.run.id, live.version, live.run.job, (), forwarded=True)


@_fault("3: nothing waits for the barrier", Member, "assigned")
def _no_barrier(member: Member, partitions: Any, load: Any) -> None:
    _assigned(member, partitions, load)
    for owner in member.owners.values():
        owner.pass_barrier(owner.ledger.now, 0.0)
        for run_id in owner.ledger.held.get(member.me, ()):
            member._take_over(owner.partition, run_id, owner.ledger.live[run_id].claim)


_assigned = Member.assigned


@_fault("4: an attempt is handed over when it is claimed", Member, "_claim")
def _claim_not_waited_for(member: Member, partition: int, owner: Owner, *now: Any) -> None:
    before = set(member.claiming)
    _claim(member, partition, owner, *now)
    for key in set(member.claiming) - before:
        run = owner.ledger.live[key.rpartition("#")[0]].run
        member.holding[key] = Holding(partition, run, go=True)
        member.actions.append(Hand(key, partition, run, go=True))


_claim = Member._claim


@_fault("4: claims are handed over on reading them", Member, "_take_over")
def _handed_over_by_entry(member: Member, partition: int, run_id: str, claim: int | None) -> None:
    live = member.ledgers[partition].live.get(run_id)
    if live is None or claim is None:
        return
    key = key_of(run_id, claim)
    member.claiming.pop(key, None)
    member.holding.setdefault(key, Holding(partition, live.run, go=True))
    member.actions.append(Hand(key, partition, live.run, go=True))


@_fault("5: a holder does not read on", Member, "to_follow")
def _nothing_followed(_member: Member) -> set[int]:
    return set()


@_fault("5: claims that have not started are not given back", Member, "_cancel_unstarted")
def _nothing_given_back(_member: Member, _partitions: set[int]) -> None:
    return None


@_fault("6: sending a heartbeat renews the lease", Member, "_next_beat")
def _lease_by_sending(member: Member, partition: int, mono: float) -> int:
    member.actions.append(Lease(partition, mono + member.timing.fence_s))
    return _next_beat(member, partition, mono)


_next_beat = Member._next_beat


@_fault("7: an outage makes workers lost", Owner, "losses")
def _lost_by_outage(owner: Owner, mono: float) -> Iterator[Lost]:
    for worker in list(owner.ledger.held):
        beat = owner.ledger.beats.get(worker)
        heard = max(owner.heard.get(worker, 0.0), owner.barrier or 0.0)
        if worker != owner.me and beat is not None and mono - heard > owner.timing.lease_s:
            yield Lost(worker=worker, number=beat.number)


@_fault("7: a lease is judged too early", Owner, "losses")
def _judged_too_early(owner: Owner, mono: float) -> Iterator[Lost]:
    for worker in list(owner.ledger.held):
        beat = owner.ledger.beats.get(worker)
        if worker != owner.me and beat and mono - owner.heard.get(worker, 0.0) > 1.0:
            yield Lost(worker=worker, number=beat.number)


@_fault("9: at_most_once does not wait for Started", Member, "_start_at_most_once")
def _started_not_read_back(member: Member, now: Any) -> None:
    waiting = {key for key, held in member.holding.items() if held.told}
    _start_at_most_once(member, now)
    for key, held in member.holding.items():
        if held.told and key not in waiting:
            member.actions.append(Go(key))


_start_at_most_once = Member._start_at_most_once


@_fault("13: a Started that was refused counts as read back", Member, "_read_back")
def _refused_counts(member: Member, partition: int, entry: Started | Finished | Released) -> None:
    key = key_of(entry.run, entry.claim)
    held = member.holding.get(key)
    if isinstance(entry, Started) and held and held.told and member._standing(partition, key):
        held.go = True
        member.actions.append(Go(key))
    else:
        _read_back(member, partition, entry)


_read_back = Member._read_back


# -- around the core ----------------------------------------------------------------------------


@_fault("1: a snapshot is ahead of what it holds", rows, "to_row")
@_fault("1: a snapshot is ahead of what it holds", sim_worker, "to_row")
def _row_ahead(ledger: Ledger, partition: int) -> dict[str, Any]:
    return {**_to_row(ledger, partition), "next_offset": ledger.next_offset + 2}


_to_row = rows.to_row


@_fault("4: an executor takes a claim as often as it is told", SimExecutor, "takes")
def _taken_again(executor: SimExecutor, key: str) -> bool:
    return key not in executor.holds and key not in executor.running


@_fault("6: an executor starts without a lease", SimExecutor, "has_lease")
def _no_lease_needed(_executor: SimExecutor, _partition: int) -> bool:
    return True


@_fault("5: what has started is given back", SimExecutor, "_cancel")
def _started_given_back(executor: SimExecutor, key: str) -> None:
    executor.holds.pop(key, None)
    executor.worker.later(0.002, lambda: executor.worker.member.cancelled(key))


@_fault("way 5: commands outlive their worker", SimExecutor, "die")
def _commands_outlive(executor: SimExecutor) -> None:
    executor.dead = True
    for start in executor.running.values():
        start.end, start.outcome = executor.loop.now + 8, Outcome.LOST


@_fault("2: the cursor is set before its runs are published", SimScheduler, "_put_all")
def _cursor_first(scheduler: SimScheduler, records: Any, done: Any) -> None:
    _put_all(scheduler, records, lambda: None)
    done()


_put_all = SimScheduler._put_all


@_fault("way 2: a sender goes on behind a failure", Sender, "put")
def _order_not_kept(sender: Sender, record: Any, done: Done | None) -> None:
    sender._waiting = []
    sender.sending = False
    sender._loop.at(sender._loop.now + sender._delay(), lambda: sender._arrive([(record, done)]))
