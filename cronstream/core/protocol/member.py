"""One worker, as the protocol sees it: what it owns, what it holds, what its executor does.

It does nothing itself. It is given what was read, reported and assigned, and what time it is, and
gives back actions. So the same code runs in a worker on Kafka and in a simulation of many.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import State, starts_after_word
from cronstream.core.protocol.actions import Hand, Publish, key_of, run_and_claim
from cronstream.core.protocol.holder import Holding
from cronstream.core.protocol.lending import Lender
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Finished,
    Heartbeat,
    Lost,
    Owned,
    Released,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.levels import needed_level
from cronstream.core.wire.naming import ClusterTopics

#: Entries after which what is held may be held no longer, or may have to give way.
_UNSETTLING = (Lost, Withdrawal, Skipped, Cancelled)


class Member(Lender):
    """A worker of one role of one cluster."""

    def __init__(self, me: str, topics: ClusterTopics, timing: Timing) -> None:
        super().__init__(me, timing)
        self.topics = topics
        #: Whether it drains only until its clock is right again.
        self.resting = False

    def revoked(self) -> None:
        """A rebalance is under way: nothing is decided, and what is claimed is kept (rule 5)."""
        self.rebalancing = True
        self._owned_by.clear()
        self._succeeded.clear()

    def assigned(self, partitions: Iterable[int], load: Callable[[int], Ledger]) -> None:
        """The rebalance is over, and these partitions are this worker's.

        What is claimed on the others, has not started and is not due soon is cancelled; the
        executor's word that it never started releases it.
        """
        self.look_again()
        mine = set(partitions)
        self._leave(set(self.owners) - mine)
        self.owners = {}
        self._begun &= self.claiming.keys()
        self._borrowed &= self.claiming.keys()
        for partition in sorted(mine):
            self._left.pop(partition, None)
            if partition not in self.ledgers:
                self.ledgers[partition] = load(partition)
            self.owners[partition] = Owner(
                self.me,
                self.say_owned(partition),
                partition,
                self.ledgers[partition],
                self.topics,
                self.timing,
            )
        self.rebalancing = False

    def drain(self, *, hands_over: bool = False) -> None:
        """The worker is to stop: claim nothing more, and give back what has not started.

        Args:
            hands_over: Whether another is there to own its partitions soon: until then it starts
                what is due. May be said first, and taken back.
        """
        self.draining, self.resting = True, False
        if hands_over:
            self._leave(set(self.ledgers))
        else:
            self._left.clear()
            self._cancel_unstarted(set(self.ledgers))

    def rest(self) -> None:
        """Its clock cannot be trusted: claim nothing, as if it were to stop, until `resume`."""
        if not self.draining:
            self.drain()
            self.resting = True

    def resume(self) -> None:
        """Its clock is right again: go on, unless it is to stop."""
        if not self.resting:
            return
        self.resting = self.draining = False
        self._forget_clock()
        for partition, owner in self.owners.items():
            if owner.ready:
                self._take_over_all(partition)

    def look_again(self) -> None:
        """Judge again what waits for its key."""
        for partition, run, version in self.trusting.look_again(self.ledgers):
            if partition in self.owners:
                self.owners[partition].lines.answered(run, version)

    def keep_to(self, timing: Timing) -> None:
        """Keep to other spans of time from now on, since others have other settings."""
        self.timing = self.heartbeats.timing = timing
        for owner in self.owners.values():
            owner.timing = timing

    @property
    def keeps_all(self) -> bool:
        """Whether no rebalance is under way, and all that it folds is its own."""
        return not self.rebalancing and self.ledgers.keys() <= self.owners.keys()

    def to_follow(self) -> set[int]:
        """Return the partitions that have to be read though no stream brings them.

        A holder has to learn that it was lost or asked to give way, and to read its own
        heartbeats back, also while a rebalance is under way and after the partition has gone.
        """
        held = self._held_on() | self.reading_on | self.borrowing.keys()
        return held if self.rebalancing else held.difference(self.owners)

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

        Raises:
            LevelError: If the log was raised to a level that this worker does not know.
        """
        ledger = self.ledgers.get(partition)
        if ledger is None or not ledger.fold(offset, at, entries):
            return
        if ledger.book.aside:
            entries = [entry for entry in entries if needed_level(entry) <= ledger.book.level]
        for entry in entries:
            if isinstance(entry, Heartbeat | Claimed | Owned):
                self._hear(partition, entry, at, mono)
            elif isinstance(entry, Started | Finished | Released):
                if entry.worker == self.me:
                    self._read_back(partition, entry)
            elif isinstance(entry, _UNSETTLING):
                self._unsettle(partition, entry)

    def _unsettle(self, partition: int, entry: Lost | Withdrawal | Skipped | Cancelled) -> None:
        self._unsettled.add(partition)
        if isinstance(entry, Skipped | Cancelled) and partition in self.owners:
            self.owners[partition].lines.answered(entry.run, entry.version)

    def _hear(
        self, partition: int, entry: Heartbeat | Claimed | Owned, at: datetime, mono: float
    ) -> None:
        owner = self.owners.get(partition)
        if owner is not None:
            owner.hear(entry.worker, mono)
        self._note_owner(partition, entry)
        if entry.worker != self.me:
            return
        sent = self.heartbeats.read_back(partition, entry.number)
        if owner is not None:
            owner.came_back(sent)
        if isinstance(entry, Claimed):
            self._take_over(partition, entry.run, entry.version)
            if owner is not None:
                owner.lines.answered(entry.run, entry.version)
        elif isinstance(entry, Owned) and owner is not None and owner.awaits(entry.number):
            owner.pass_barrier(at, mono)
            self._take_over_all(partition)

    def _take_over_all(self, partition: int) -> None:
        """Hand over what the state at the barrier says is this worker's (rule 4)."""
        ledger = self.ledgers[partition]
        for run_id in sorted(ledger.book.held.get(self.me, ())):
            self._take_over(partition, run_id, ledger.book.live[run_id].claim)
        if not self.draining:
            self.claiming = {k: p for k, p in self.claiming.items() if p != partition}

    def _take_over(self, partition: int, run_id: str, claim: int | None) -> None:
        if self.draining or claim is None:
            return
        owner, key = self.owners.get(partition), key_of(run_id, claim)
        is_borrowed = key in self._borrowed
        if not (is_borrowed or (owner and owner.ready)):
            return
        self._borrowed.discard(key)
        is_new = self.claiming.pop(key, None) is not None
        live, was_begun = self._mine(partition, run_id, claim), key in self._begun
        self._begun.discard(key)
        if live is None or key in self.holding or not self._trusts(partition, key, live):
            return
        # Only a run that may not overlap was claimed and started in one go, and never handed over.
        begins = live.state is State.RUNNING
        if begins and not is_new:
            return
        told, retry = begins or was_begun, self.ledgers[partition].book.retry
        waits = told or live.unsure or starts_after_word(live.run, retry=retry)
        go = begins or not waits
        self.holding[key] = Holding(partition, live.run, go, told=told)
        self._note_deadline(key, live)
        fence = self.timing.fence_of(live.run) if live.run.fence else None
        self.actions.append(Hand(key, partition, live.run, go, fence, live.alone))
        self.borrowed += is_borrowed
        if live.asked_to_give_way or live.cancelled:
            self._unsettled.add(partition)

    # -- time passes --------------------------------------------------------------------------

    def wake(self, now: datetime, mono: float) -> None:
        """Do what is due: heartbeats, claims, effects, judgements, starts.

        Args:
            now: The time by this worker's clock (UTC).
            mono: Now, in monotonic seconds.
        """
        for partition, ledger in self.ledgers.items():
            if ledger.book.asks or partition in self._unsettled:
                ledger.book.asks = False
                self._reconsider(partition)
        self._unsettled.clear()
        self._note_clock(now, mono)
        self._drop_late(now)
        self._give_back(now)
        # Rule 6: a lease lets nothing start whose claim stands no longer, so ends go first.
        self.actions.extend(self.heartbeats.renewed())
        self._end_refused(now)
        self._claimed = 0
        if not self.rebalancing:
            for partition, owner in self.owners.items():
                if owner.ready:
                    self._own(partition, owner, now, mono)
        self._trade(now, mono)
        self._announce(now)
        self._beat(mono)
        if len(self.ledgers) > len(self.owners):
            for partition in set(self.ledgers) - set(self.owners) - self.to_follow():
                del self.ledgers[partition]

    def _own(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        if not self.draining:
            self._claim(partition, owner, now, mono)
            self._move_on(partition, owner, now, mono)
        self.actions += owner.effects(now)
        if owner.ledger.book.held:
            for lost in owner.losses(mono):
                self._append(partition, lost)
            if owner.asks(mono):
                self.say_here(partition, mono)

    def _announce(self, now: datetime) -> None:
        """Rule 9: `Started` is read back before the command is started, and only for a slot."""
        if self.draining:
            return  # What has not started is given back: nobody could make what was announced.
        for key in list(self._with_slot):
            held = self.holding.get(key)
            if held is not None and not (held.told or held.giving_up):
                owner = self.owners.get(held.partition)
                if self.rebalancing or owner is None or not owner.ready:
                    continue
                held.told = True
                run_id, claim = run_and_claim(key)
                entry = Started(run=run_id, claim=claim, worker=self.me, started_at=now)
                self._append(held.partition, entry)
            del self._with_slot[key]

    def _beat(self, mono: float) -> None:
        """Rule 8 of the way: to where it holds something, and, as owner, to where anyone does."""
        due = self.heartbeats.due(self.ledgers, mono)
        if not due:
            return
        places = self._held_on()
        owners = [(p, owner) for p, owner in self.owners.items() if owner.ready]
        places |= {p for p, owner in owners if owner.ledger.book.held or owner.awaits_news}
        for partition in sorted(places & due):
            self.say_here(partition, mono)

    def publish_again(self, action: Publish, at: datetime | None = None) -> None:
        """What was published has come too late to count (rule 11), by the clock where it came."""
        owner = self.owners.get(action.partition)
        if owner is not None:
            owner.publish_again(action.run, action.version, at)
