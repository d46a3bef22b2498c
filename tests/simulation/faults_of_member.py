"""What if owners and members broke a rule? Planted faults."""

from collections.abc import Iterator
from typing import Any

from cronstream.core.ledger.state import LiveRun
from cronstream.core.protocol.actions import Cancel, Go, Hand, Lease, Publish, key_of
from cronstream.core.protocol.holder import Holding
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.owner import Owner
from cronstream.core.wire.entries import Finished, Lost, Released, Started
from tests.simulation.planting import fault


@fault("2: effects of former owners are forgotten", Owner, "pass_barrier")
def _effects_forgotten(owner: Owner, at: Any, mono: float) -> None:
    _pass_barrier(owner, at, mono)
    owner._published |= set(owner.ledger.book.deciding.items())


_pass_barrier = Owner.pass_barrier


@fault("2: Forwarded is appended without publishing", Owner, "_publish")
def _nothing_published(owner: Owner, live: LiveRun, *_times: Any) -> Publish:
    return Publish(owner.partition, live.run.id, live.version, live.run.job, (), forwarded=True)


@fault("3: nothing waits for the barrier", Member, "assigned")
def _no_barrier(member: Member, partitions: Any, load: Any) -> None:
    _assigned(member, partitions, load)
    for owner in member.owners.values():
        owner.pass_barrier(owner.ledger.book.now, 0.0)
        for run_id in owner.ledger.book.held.get(member.me, ()):
            member._take_over(owner.partition, run_id, owner.ledger.book.live[run_id].claim)


_assigned = Member.assigned


@fault("4: an attempt is handed over when it is claimed", Member, "_claim")
def _claim_not_waited_for(member: Member, partition: int, owner: Owner, *now: Any) -> None:
    before = set(member.claiming)
    _claim(member, partition, owner, *now)
    for key in set(member.claiming) - before:
        run = owner.ledger.book.live[key.rpartition("#")[0]].run
        member.holding[key] = Holding(partition, run, go=True)
        member.actions.append(Hand(key, partition, run, go=True))


_claim = Member._claim


@fault("4: claims are handed over on reading them", Member, "_take_over")
def _handed_over_by_entry(member: Member, partition: int, run_id: str, claim: int | None) -> None:
    live = member.ledgers[partition].book.live.get(run_id)
    if live is None or claim is None:
        return
    key = key_of(run_id, claim)
    member.claiming.pop(key, None)
    member.holding.setdefault(key, Holding(partition, live.run, go=True))
    member.actions.append(Hand(key, partition, live.run, go=True))


@fault("5: a holder does not read on", Member, "to_follow")
def _nothing_followed(_member: Member) -> set[int]:
    return set()


@fault("5: claims that have not started are not given back", Member, "_cancel_unstarted")
def _nothing_given_back(_member: Member, _partitions: set[int], *_stays: Any) -> None:
    return None


@fault("5: who leaves a partition gives back what it goes on to start", Member, "_cancel_but")
def _given_back_and_started(member: Member, partition: int, *times: Any) -> None:
    _cancel_but(member, partition, *times)
    gone = {action.key for action in member.actions if isinstance(action, Cancel)}
    for key, held in member.holding.items():
        if held.partition == partition and not held.started and key not in gone:
            member._append(partition, member._release(key))


_cancel_but = Member._cancel_but


@fault("6: sending a heartbeat renews the lease", Member, "_next_beat")
def _lease_by_sending(member: Member, partition: int, mono: float) -> int:
    member.actions.append(Lease(partition, mono + member.timing.fence_s))
    return _next_beat(member, partition, mono)


_next_beat = Member._next_beat


@fault("7: an outage makes workers lost", Owner, "losses")
def _lost_by_outage(owner: Owner, mono: float) -> Iterator[Lost]:
    for worker in list(owner.ledger.book.held):
        beat = owner.ledger.book.beats.get(worker)
        heard = max(owner.heard.get(worker, 0.0), owner.barrier or 0.0)
        if worker != owner.me and beat is not None and mono - heard > owner.timing.lease_s:
            yield Lost(worker=worker, number=beat.number)


@fault("7: a lease is judged too early", Owner, "losses")
def _judged_too_early(owner: Owner, mono: float) -> Iterator[Lost]:
    for worker in list(owner.ledger.book.held):
        beat = owner.ledger.book.beats.get(worker)
        if worker != owner.me and beat and mono - owner.heard.get(worker, 0.0) > 1.0:
            yield Lost(worker=worker, number=beat.number)


@fault("9: at_most_once does not wait for Started", Member, "_announce")
def _started_not_read_back(member: Member, now: Any) -> None:
    waiting = {key for key, held in member.holding.items() if held.told}
    _announce(member, now)
    for key, held in member.holding.items():
        if held.told and key not in waiting:
            member.actions.append(Go(key))


_announce = Member._announce


@fault("9: a start is announced whether there is a slot or not", Member, "_announce")
def _announced_when_due(member: Member, now: Any) -> None:
    for key, held in member.holding.items():
        if not held.go and held.run.not_before <= now:
            member.ready(key)
    _announce(member, now)


@fault("17: a run begins whether there is a slot or not", Member, "_free_slots")
def _always_a_slot(_member: Member, _now: Any) -> int:
    return 99


@fault("13: a Started that was refused counts as read back", Member, "_read_back")
def _refused_counts(member: Member, partition: int, entry: Started | Finished | Released) -> None:
    key = key_of(entry.run, entry.claim)
    held = member.holding.get(key)
    if isinstance(entry, Started) and held and held.told and member._standing(partition, key):
        held.go = True
        member.actions.append(Go(key))
    else:
        _read_back(member, partition, entry)


_read_back = Member._read_back
