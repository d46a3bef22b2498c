"""A worker: a real `Member`, with what it reads, sends and starts modelled."""

from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.protocol.actions import Action, Append, Hand, Lease, Publish, key_of
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Claimed, Forwarded, Started
from cronstream.core.wire.runs import Run
from cronstream.errors import LevelError
from tests.builders import NAMES
from tests.simulation.executor import SimExecutor
from tests.simulation.group import Group
from tests.simulation.loop import seconds
from tests.simulation.minding import Minding

if TYPE_CHECKING:
    from tests.simulation.stage import Stage


class SimWorker(Minding):
    """One process of a cluster's worker or retry worker."""

    #: Between two turns while something is held, and while nothing is.
    turn_s = 0.36
    long_s = 1000.0
    #: The one that attempts are handed to; and those of attempts that have one for themselves.
    executor: SimExecutor
    apart: dict[str, SimExecutor]
    #: What all of them together know to be over: one that dies takes no memory along.
    gone: dict[str, bool]

    def __init__(
        self, world: "Stage", name: str, group: Group, *, retry: bool, cluster: str | None = None
    ) -> None:
        super().__init__(world, name)
        self.retry, self.group = retry, group
        self.cluster = cluster or world.cluster
        self.logs = world.logs_of(retry=retry, cluster=self.cluster)
        for log in self.logs:
            log.listeners.append(self._notice)

    # -- life -----------------------------------------------------------------------------

    def started(self) -> None:
        """Begin with nothing in memory."""
        self.member = Member(self.id, NAMES.topics_of(self.cluster), self.timing)
        self.member.trusting.judge = self.world.trust.judge_of(self)
        self.gone, self.dial_skew = {}, self.skew
        self.executor, self.apart = SimExecutor(self), {}
        self._reading: set[int] = set()
        self._to_read: set[int] = set()
        self._loading: set[int] = set()
        self._turning, self._timer_at = False, float("inf")
        self.enter()

    def crash(self, down_s: float) -> None:
        """Its executor ends what runs; the group finds out later."""
        if self.alive:
            for executor in self.executors:
                executor.die()
            self.group.silent(self)
        super().crash(down_s)

    @property
    def ahead_s(self) -> float:
        """How long before its time an attempt is claimed."""
        return self.world.timing.look_ahead.total_seconds()

    @property
    def executors(self) -> list[SimExecutor]:
        """All of its executors."""
        return [self.executor, *self.apart.values()]

    @property
    def has_free_slot(self) -> bool:
        """Whether fewer commands run, or are about to, than it may have at a time."""
        taken = (len(one.running) + len(one.reserved) for one in self.executors if not one.dead)
        return sum(taken) < self.world.slots

    def executor_of(self, key: str) -> SimExecutor:
        """Return the executor that has an attempt, or would be told of it."""
        return self.apart.get(key, self.executor)

    def lose_executor(self, executor: SimExecutor) -> None:
        """An executor is killed, with what it runs; another takes its place."""
        if executor.dead:
            return
        self.world.count["executors that died"] += 1
        executor.die()
        executor.tell_ends()
        keys = sorted(executor.handed & self.member.holding.keys())
        self.gone.update(dict.fromkeys(keys, True))
        if executor is self.executor:
            self.executor = SimExecutor(self)
            self.executor.paused_until = executor.paused_until
        self.member.executor_died(keys, self.wall(), self.mono())
        for other in self.executors:
            other.start_due()  # There are slots again.
        self._soon()

    def drain(self, patience_s: float, down_s: float) -> None:
        """Stop in good order."""
        self.draining = True
        dice = Random(f"{self.id} {self.loop.now}")  # Of its own: nothing else is drawn otherwise.
        hands_over = dice.random() < 0.7
        self.member.drain(hands_over=hands_over)
        if hands_over and dice.random() < 0.2:
            self.later(dice.uniform(0.0, 2.0), self.member.drain)  # The others leave too.
        self._turn()
        self.later(0.4, partial(self._leave, patience_s, down_s))

    def _leave(self, patience_s: float, down_s: float) -> None:
        self.group.leave(self)
        self.member.assigned([], self._load)
        self._reading = set()
        self._turn()
        self.later(patience_s, self._end_all)
        self._stop_when_done(down_s, self.loop.now + patience_s + 4)

    def _end_all(self) -> None:
        if self.member.holding:
            self.member.end_all("its worker was asked to stop")
            self._turn()

    def _stop_when_done(self, down_s: float, limit: float) -> None:
        nothing_held = not (self.member.holding or self.member.claiming)
        if self.loop.now < limit and not (nothing_held and self.idle):
            self.later(0.2, partial(self._stop_when_done, down_s, limit))
            return
        for executor in self.executors:
            executor.die()
        if self.telling is not None:
            self.telling.stop()
        super().crash(down_s)

    # -- membership -----------------------------------------------------------------------

    def revoked(self) -> None:
        """A rebalance begins."""
        self.member.revoked()
        self._soon()

    def assigned(self, partitions: set[int]) -> None:
        """A rebalance is over."""
        self.member.assigned(partitions, self._load)
        self._reading = set()
        self._turn()

    def _load(self, partition: int) -> Ledger:
        """Return the last snapshot, or now and then an older one (a zombie's late write)."""
        rows = self.world.rows[self.retry, partition]
        fresh = Ledger(retry=self.retry, known=self.knows)
        fresh.book.assumed = self.world.level
        if not rows:
            return fresh
        old = self.dice.random() < 0.15
        try:
            return from_row(orjson.loads(self.dice.choice(rows) if old else rows[-1]), self.knows)
        except LevelError:
            return fresh

    # -- reading --------------------------------------------------------------------------

    def _notice(self, partition: int) -> None:
        if partition in self._reading and partition not in self._to_read and self.alive:
            self._to_read.add(partition)
            self.later(self.latency(), partial(self._read, partition))

    def _read(self, partition: int) -> None:
        self.when_reached(partial(self._read_now, partition))

    def _read_now(self, partition: int) -> None:
        self._to_read.discard(partition)
        ledger = self.member.ledgers.get(partition)
        if ledger is None or partition not in self._reading:
            return
        messages, mono = self.logs[partition].messages, self.mono()
        place = ledger.book.next_offset
        if self.dice.random() < 0.05:
            place = max(0, place - self.dice.choice((1, 3, 15)))
        place = max(place, self.logs[partition].start)
        while place < len(messages):
            at, entries = messages[place]
            try:
                self.member.read(partition, place, at, entries, mono)
            except LevelError:
                self._end_as_too_old()  # What comes behind it is read, and not folded.
            place += 1
            self.step("read", entries[0] if entries else None)
            if self.dice.random() < 0.02:
                self._notice(partition)
                break
        self._soon()

    def _end_as_too_old(self) -> None:
        """It folds no further, and ends in good order."""
        self.world.count["too old to go on"] += 1
        if not self.draining:
            self.drain(1.0, 0.1)

    def _read_all(self) -> None:
        """Read what is there of what is assigned or followed; what comes later is noticed."""
        member = self.member
        reading = set() if member.rebalancing else set(member.owners)
        if len(reading) < len(member.ledgers):
            reading |= member.to_follow()
        if reading == self._reading:
            return
        self._reading = reading
        for partition in reading:
            ledger = member.ledgers.get(partition)
            if ledger and ledger.book.next_offset < len(self.logs[partition].messages):
                self._notice(partition)

    # -- turning --------------------------------------------------------------------------

    @property
    def is_at_leisure(self) -> bool:
        """Whether it could start something at once that is not its own."""
        member = self.member
        is_there = self.fit and self.has_joined and not (self.draining or member.draining)
        waits = any(not held.started for held in member.holding.values()) or member.claiming
        return is_there and self.has_free_slot and not (waits or member.rebalancing)

    def turn_soon(self) -> None:
        """Turn in a moment: there is news."""
        self._soon()

    def _soon(self) -> None:
        if not self._turning:
            self._turning = True
            self.later(self.dice.random() * 0.05, self._turn)

    def _turn_by_time(self, at: float) -> None:
        if at == self._timer_at:
            self._timer_at = float("inf")
            self._turn()

    def _turn(self) -> None:
        self._turning = False
        member = self.member
        if member.trusting.set_aside:
            member.look_again()
        member.wake(self.wall(), self.mono())
        actions, member.actions = member.actions, []
        if actions:
            self._carry_out(actions)
        self._read_all()
        self._load_lent()
        self._keep_rows()
        wait = self._until_next_turn()
        if (at := self.loop.now + wait) < self._timer_at - 0.01:
            self._timer_at = at
            self.later(wait, partial(self._turn_by_time, at))

    def _load_lent(self) -> None:
        for partition in self.member.to_load() - self._loading:
            self._loading.add(partition)
            self.later(self.latency(), partial(self.when_reached, partial(self._lend, partition)))

    def _lend(self, partition: int) -> None:
        self._loading.discard(partition)
        self.member.lend_ledger(partition, self._load(partition))
        self.world.count["partitions that were read to borrow"] += 1
        self._read_all()
        self._notice(partition)

    def _until_next_turn(self) -> float:
        """Return how long nothing has to be done if nothing is read or reported meanwhile."""
        member, wait = self.member, self.long_s
        if member.holding or member.claiming or member.trusting.set_aside or member.borrowing:
            wait = self.turn_s
        for owner in member.owners.values():
            if owner.ledger.book.held or owner.awaits_news:
                wait = min(wait, self.turn_s)
            elif owner.ledger.book.waiting:
                wait = min(wait, self._until(owner.ledger.book.waiting[0][0]) - self.ahead_s)
            if owner.lines._alarms:
                wait = min(wait, self._until(owner.lines._alarms[0][0]))
        return max(wait, self.turn_s / 2)

    def _until(self, at: datetime) -> float:
        return seconds(at) - self.loop.now - self.skew

    def _carry_out(self, actions: list[Action]) -> None:
        orders = []
        for action in actions:
            if isinstance(action, Append):
                self._see_slot_of(action.entry)
                self._see_claim(action.entry)
                self.put(self.logs[action.partition], action.entry)
            elif isinstance(action, Publish):
                self._publish(action)
            else:
                orders.append(action)
        if orders:
            self._order(orders)
            self.step("handed over")

    def _see_claim(self, entry: object) -> None:
        if isinstance(entry, Claimed) and entry.borrowed:
            self.world.borrowed.add(key_of(entry.run, entry.version) + self.id)

    def _see_slot_of(self, entry: object) -> None:
        """What is announced before it starts has a slot: one that is kept for it, or a free one."""
        if not isinstance(entry, Started) or entry.pid is not None:
            return
        key = key_of(entry.run, entry.claim)
        has_its_own = any(key in executor.reserved for executor in self.executors)
        self.world.count["announced starts"] += 1
        if not has_its_own and not self.has_free_slot:
            self.world.without_slot.append(key)

    def _order(self, orders: list[Any]) -> None:
        """Tell each executor what is for it: leases are for all, all else for one."""
        for order in orders:
            if isinstance(order, Hand) and order.alone and order.key not in self.apart:
                self.apart[order.key] = SimExecutor(self)
        for executor in self.executors:
            own = [
                order
                for order in orders
                if isinstance(order, Lease) or self.executor_of(order.key) is executor
            ]
            if own:
                executor.handed |= {order.key for order in own if isinstance(order, Hand)}
                self.loop.at(self.loop.now + 0.001, partial(executor.obey, own))

    def _publish(self, action: Publish) -> None:
        """Publish what was decided; once all is acknowledged, say so in the log."""
        topics, count = self.world.topics, len(action.messages)
        stale: list[datetime | None] = []

        def acknowledged(record: Any, _: int, at: datetime) -> None:
            as_of = record.judged_at if isinstance(record, Run) else None
            stale.append(at if as_of is not None and at - as_of > self.world.stale else None)
            if len(stale) < count:
                return
            if late := [at for at in stale if at is not None]:
                self.world.count["published again"] += 1
                self.member.publish_again(action, max(late))
                self._soon()
            elif action.forwarded:
                entry = Forwarded(run=action.run, version=action.version)
                self.put(self.logs[action.partition], entry)

        for topic, record in action.messages:
            job = record.job if isinstance(record, Run) else action.job
            log = topics.log(topic, topics.partition_of(job))
            self.put(log, record, partial(acknowledged, record))

    def reported(self, reports: "list[partial[None]]") -> None:
        """Take what the executor reports."""
        for report in reports:
            report()
        self._soon()

    def _keep_rows(self) -> None:
        """Write a snapshot now and then, as owner; it may arrive late."""
        owners = self.member.owners
        if not owners or self.dice.random() >= 0.04:
            return
        for ledger in self.member.ledgers.values():
            ledger.book.news.clear()
        partition = self.dice.choice(list(owners))
        if owners[partition].ready:
            row = orjson.dumps(to_row(owners[partition].ledger, partition))
            rows = self.world.rows[self.retry, partition]
            self.loop.at(self.loop.now + self.latency(), partial(rows.append, row))
