"""One worker, as the protocol sees it: what it owns, what it holds, what its executor does.

It does nothing itself. It is told what was read, reported and assigned, and what time it is, and
gives back actions. So the same code runs in a worker on Kafka and in a simulation of many.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from cronstream.core.ledger.actions import (
    Action,
    Append,
    Cancel,
    End,
    Go,
    Hand,
    Lease,
    Publish,
    Timing,
    key_of,
    run_and_claim,
)
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.owner import Owner
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.records import (
    Cancelled,
    Claimed,
    Delivery,
    Entry,
    Finished,
    Heartbeat,
    Lost,
    Outcome,
    Owned,
    Released,
    Run,
    Started,
    Withdrawal,
)

#: Entries after which what is held may be held no longer, or may have to give way.
_UNSETTLING = (Lost, Withdrawal, Cancelled)
_NEVER = float("-inf")


@dataclass(slots=True)
class Holding:
    """An attempt that was handed to the executor.

    Attributes:
        go: Whether it may start when its time comes; at_most_once waits for its own `Started`.
        told: Whether that `Started` was appended.
        started: Whether the executor has started it.
        giving_up: Whether the executor was told to drop or end it.
    """

    partition: int
    run: Run
    go: bool
    told: bool = False
    started: bool = False
    giving_up: bool = False


class Member:
    """A worker of one role of one cluster.

    Attributes:
        me: Its name, another one after each start.
        ledgers: Of the partitions that it owns, or on which it still holds something.
        owners: Its assignments, by partition.
        holding: What its executor has, by key.
        claiming: Partition of each claim that was appended and not yet read back, by key.
        actions: What is to be done; whoever carries them out empties it.
    """

    def __init__(self, me: str, cluster: str, timing: Timing) -> None:
        self.me, self.cluster, self.timing = me, cluster, timing
        self.ledgers: dict[int, Ledger] = {}
        self.owners: dict[int, Owner] = {}
        self.holding: dict[str, Holding] = {}
        self.claiming: dict[str, int] = {}
        self.actions: list[Action] = []
        self.rebalancing = self.draining = False
        self._number = 0
        self._sent: dict[int, deque[tuple[int, float]]] = {}
        self._beat_at: dict[int, float] = {}
        self._leases: dict[int, float] = {}
        self._unsettled: set[int] = set()
        self._unstarted: list[tuple[datetime, str]] = []

    # -- membership ---------------------------------------------------------------------------

    def revoked(self) -> None:
        """A rebalance is under way: nothing is decided, and what is claimed is kept (rule 5)."""
        self.rebalancing = True

    def assigned(self, partitions: Iterable[int], load: Callable[[int], Ledger]) -> None:
        """The rebalance is over, and these partitions are this worker's.

        What is claimed on the others and has not started is cancelled; the executor's word that
        it never started releases it.
        """
        mine = set(partitions)
        gone = set(self.owners) - mine
        self.owners = {}
        self._cancel_unstarted(gone)
        for partition in sorted(mine):
            if partition not in self.ledgers:
                self.ledgers[partition] = load(partition)
            self._number += 1
            self.owners[partition] = Owner(
                self.me,
                self._number,
                partition,
                self.ledgers[partition],
                self.cluster,
                self.timing,
            )
            self._append(partition, Owned(worker=self.me, number=self._number))
        self.rebalancing = False

    def drain(self) -> None:
        """The worker is to stop: claim nothing more, and give back what has not started."""
        self.draining = True
        self._cancel_unstarted(set(self.ledgers))

    def abandon(self) -> None:
        """The executor is gone: nothing that it had is held any more.

        No entry says so. Without heartbeats the leases run out, and the owner's `Lost` has the
        attempts made again: what had started, and what had not, cannot be told from here.
        """
        self.draining = True
        self.holding.clear()
        self.claiming.clear()

    def end_all(self, outcome: Outcome, note: str) -> None:
        """End every command that still runs."""
        self.actions.extend(End(key, outcome, note) for key in self.holding)

    def _cancel_unstarted(self, partitions: set[int]) -> None:
        for key, held in self.holding.items():
            if held.partition in partitions and not held.started:
                self.actions.append(Cancel(key))
        for key, partition in self.claiming.items():
            if partition in partitions:
                self.actions.append(Cancel(key))

    def to_follow(self) -> set[int]:
        """Return the partitions that have to be read though no stream brings them.

        A holder has to learn that it was lost or asked to give way, and to read its own
        heartbeats back, also while a rebalance is under way and after the partition has gone.
        """
        held = self._held_on()
        return held if self.rebalancing else held.difference(self.owners)

    def _held_on(self) -> set[int]:
        """Return the partitions on which it holds an attempt, or has a claim on its way."""
        return {held.partition for held in self.holding.values()}.union(self.claiming.values())

    # -- what was read ------------------------------------------------------------------------

    def read(
        self, partition: int, offset: int, at: datetime, entries: list[Entry], mono: float
    ) -> None:
        """Fold one message of the log; one that was folded before changes nothing.

        Args:
            partition: Of the worker's log.
            offset: Messages of a partition come in order, without a gap but for deleted ones.
            at: When the broker appended it.
            entries: What is in it.
            mono: Now, in monotonic seconds.
        """
        ledger = self.ledgers.get(partition)
        if ledger is None or not ledger.take(offset, at, entries):
            return
        for entry in entries:
            if isinstance(entry, Heartbeat | Claimed | Owned):
                self._hear(partition, entry, at, mono)
            elif isinstance(entry, Started | Finished | Released):
                if entry.worker == self.me:
                    self._read_back(partition, entry)
            elif isinstance(entry, _UNSETTLING):
                self._unsettled.add(partition)

    def _hear(
        self, partition: int, entry: Heartbeat | Claimed | Owned, at: datetime, mono: float
    ) -> None:
        owner = self.owners.get(partition)
        if owner is not None:
            owner.hear(entry.worker, mono)
        if entry.worker != self.me:
            return
        self._extend_lease(partition, entry.number)
        if isinstance(entry, Claimed):
            self._take_over(partition, entry.run, entry.version)
        elif isinstance(entry, Owned) and owner is not None and owner.awaits(entry.number):
            owner.pass_barrier(at, mono)
            self._take_over_all(partition)

    def _extend_lease(self, partition: int, number: int) -> None:
        """Rule 6: reading a heartbeat back renews the lease, from when it was sent."""
        sent, at = self._sent.get(partition, deque()), _NEVER
        while sent and sent[0][0] <= number:
            at = sent.popleft()[1]
        if at > _NEVER:
            self._leases[partition] = at + self.timing.fence_s

    def _take_over_all(self, partition: int) -> None:
        """Hand over what the state at the barrier says is this worker's (rule 4)."""
        ledger = self.ledgers[partition]
        for run_id in sorted(ledger.held.get(self.me, ())):
            self._take_over(partition, run_id, ledger.live[run_id].claim)
        if not self.draining:
            self.claiming = {k: p for k, p in self.claiming.items() if p != partition}

    def _take_over(self, partition: int, run_id: str, claim: int | None) -> None:
        owner = self.owners.get(partition)
        if owner is None or not owner.ready or self.draining or claim is None:
            return
        key = key_of(run_id, claim)
        self.claiming.pop(key, None)
        live = self._standing(partition, key)
        if live is None or live.state is State.RUNNING or key in self.holding:
            return
        go = live.run.delivery is not Delivery.AT_MOST_ONCE
        self.holding[key] = Holding(partition, live.run, go)
        self.actions.append(Hand(key, partition, live.run, go))
        if not go:
            heapq.heappush(self._unstarted, (live.run.not_before, key))
        if live.asked:
            self._unsettled.add(partition)

    def _read_back(self, partition: int, entry: Started | Finished | Released) -> None:
        key = key_of(entry.run, entry.claim)
        held = self.holding.get(key)
        if held is None:
            return
        if not isinstance(entry, Started):
            del self.holding[key]
        elif held.told and not held.go and self._is_running(partition, key):
            held.go = True
            self.actions.append(Go(key))

    def _is_running(self, partition: int, key: str) -> bool:
        """Whether `Started` was taken: after a withdrawal it is refused (rule 13)."""
        live = self._standing(partition, key)
        return live is not None and live.state is State.RUNNING

    def _standing(self, partition: int, key: str) -> LiveRun | None:
        run_id, claim = run_and_claim(key)
        live = self.ledgers[partition].live.get(run_id)
        if live and live.held and (live.holder, live.claim) == (self.me, claim):
            return live
        return None

    # -- what the executor reports ------------------------------------------------------------

    def started(self, key: str, at: datetime, pid: int) -> None:
        """A command has been started."""
        held = self.holding.get(key)
        if held is None:
            return
        held.started = True
        if held.go and not held.told:
            run_id, claim = run_and_claim(key)
            entry = Started(run=run_id, claim=claim, worker=self.me, started_at=at, pid=pid)
            self._append(held.partition, entry)

    def finished(self, key: str, entry: Finished) -> None:
        """An attempt has ended; its entry goes to the log, and the fold decides."""
        held = self.holding.pop(key, None)
        if held is not None:
            self._append(held.partition, entry)

    def cancelled(self, key: str) -> None:
        """The executor's word that an attempt never started and never will."""
        held = self.holding.pop(key, None)
        partition = self.claiming.pop(key, None) if held is None else held.partition
        if partition is not None:
            run_id, claim = run_and_claim(key)
            self._append(partition, Released(run=run_id, claim=claim, worker=self.me))

    def kept(self, key: str) -> None:
        """The executor's word that it was too late to cancel: the attempt started, or has ended."""
        held = self.holding.get(key)
        if held is not None:
            held.started, held.giving_up = True, False
            self._unsettled.add(held.partition)

    # -- time passes --------------------------------------------------------------------------

    def wake(self, now: datetime, mono: float) -> None:
        """Do what is due: heartbeats, claims, effects, judgements, starts.

        Args:
            now: The time by this worker's clock (UTC).
            mono: Now, in monotonic seconds.
        """
        for partition in self._unsettled:
            self._reconsider(partition)
        self._unsettled.clear()
        self._renew_leases()
        if not self.rebalancing:
            for partition, owner in self.owners.items():
                if owner.ready:
                    self._own(partition, owner, now, mono)
        self._start_at_most_once(now)
        self._beat(mono)
        if len(self.ledgers) > len(self.owners):
            for partition in set(self.ledgers) - set(self.owners) - self.to_follow():
                del self.ledgers[partition]

    def _renew_leases(self) -> None:
        """Rule 6: a lease lets nothing start whose claim stands no longer, so ends go first."""
        if self._leases:
            self.actions += [Lease(partition, until) for partition, until in self._leases.items()]
            self._leases.clear()

    def _own(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        if not self.draining:
            self._claim(partition, owner, now, mono)
        self.actions += owner.effects()
        if owner.ledger.held:
            for lost in owner.losses(mono):
                self._append(partition, lost)

    def _claim(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        if not owner.ledger.waiting:
            return
        room = self.timing.max_claims - len(self.holding) - len(self.claiming)
        claims = list(owner.claimable(now, room))
        if not claims:
            return
        number = self._next_beat(partition, mono)
        for live in claims:
            self.claiming[key_of(live.run.id, live.version)] = partition
            claim = Claimed(run=live.run.id, version=live.version, worker=self.me, number=number)
            self._append(partition, claim)

    def _reconsider(self, partition: int) -> None:
        """End what is no longer this worker's; cancel what was asked to give way (rule 13)."""
        for key, held in self.holding.items():
            if held.partition != partition or held.giving_up:
                continue
            live = self._standing(partition, key)
            if live is None:
                held.giving_up = True
                self.actions.append(End(key, Outcome.LOST, "its worker was taken for lost"))
            elif live.asked and not held.started:
                held.giving_up = True
                self.actions.append(Cancel(key))

    def _start_at_most_once(self, now: datetime) -> None:
        """Rule 9: `Started` is read back before the command is started."""
        while self._unstarted and self._unstarted[0][0] <= now:
            key = self._unstarted[0][1]
            held = self.holding.get(key)
            if held is not None and not held.told and not held.giving_up:
                owner = self.owners.get(held.partition)
                if self.rebalancing or owner is None or not owner.ready:
                    return
                held.told = True
                run_id, claim = run_and_claim(key)
                entry = Started(run=run_id, claim=claim, worker=self.me, started_at=now)
                self._append(held.partition, entry)
            heapq.heappop(self._unstarted)

    def _beat(self, mono: float) -> None:
        """Rule 8 of the way: to where it holds something, and, as owner, to where anyone does."""
        before = mono - self.timing.beat_s
        due = {p for p in self.ledgers if self._beat_at.get(p, _NEVER) <= before}
        if not due:
            return
        places = self._held_on() | {p for p, owner in self.owners.items() if owner.ledger.held}
        for partition in sorted(places & due):
            number = self._next_beat(partition, mono)
            self._append(partition, Heartbeat(worker=self.me, number=number))

    def _next_beat(self, partition: int, mono: float) -> int:
        self._number += 1
        self._beat_at[partition] = mono
        self._sent.setdefault(partition, deque(maxlen=600)).append((self._number, mono))
        return self._number

    def publish_again(self, action: Publish) -> None:
        """What was published has come too late to count (rule 11)."""
        owner = self.owners.get(action.partition)
        if owner is not None:
            owner.publish_again(action.run, action.version)

    def _append(self, partition: int, entry: Entry) -> None:
        self.actions.append(Append(partition, entry))
