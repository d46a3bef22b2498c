"""A modelled executor: it takes each key once, and starts under go-aheads, leases and slots."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

from cronstream.core.protocol.actions import Cancel, End, Go, Hand, Lease, run_and_claim
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run
from tests.simulation.loop import moment, seconds

if TYPE_CHECKING:
    from tests.simulation.worker import SimWorker

#: What a worker tells its executor.
Order: TypeAlias = Hand | Go | Cancel | End | Lease

_NEVER = float("-inf")
#: A start may be late by so much: as far as clocks are off that are not found to be.
_LATE_S = 1.0


@dataclass(slots=True, eq=False)
class Start:
    """A command that was started.

    Attributes:
        key: The run and the claim, as the worker names them to its executor.
        worker: The boot of the worker whose executor started it.
        at: When (simulated seconds).
        end: When it ended; None while it runs.
        outcome: How it ends if nobody ends it before.
    """

    run: Run
    key: str
    worker: str
    retry: bool
    at: float
    outcome: Outcome
    end: float | None = None


class SimExecutor:
    """The child of one boot of a worker; it goes on while the worker is stopped."""

    def __init__(self, worker: "SimWorker") -> None:
        self.worker = worker
        self.loop, self.world = worker.loop, worker.world
        self.paused_until = 0.0
        self.dead = False
        self.holds: dict[str, Hand] = {}
        self.running: dict[str, Start] = {}
        #: Keys that are over, in any executor of the worker, and whether they had started.
        self.gone = worker.gone
        self._may_go: set[str] = set()
        #: What has a slot, and waits for its `Go`.
        self.reserved: set[str] = set()
        self._leases: dict[int, float] = {}
        #: Keys of all that was ever on its way to it.
        self.handed: set[str] = set()
        #: Ends that are on their way to the worker.
        self._ends: dict[str, partial[None]] = {}

    def obey(self, orders: list[Order]) -> None:
        """Take orders, all of one turn at once."""
        if self.dead:
            return
        if self.loop.now < self.paused_until:
            self.loop.at(self.paused_until, partial(self.obey, orders))
            return
        for order in orders:
            self._obey(order)
        self.start_due()

    def _obey(self, order: Order) -> None:
        match order:
            case Hand():
                self._hold(order)
            case Go(key=key):
                self._may_go.add(key)
            case Cancel(key=key):
                self._cancel(key)
            case End(key=key, note=note):
                self._end(key, note)
            case Lease(partition=partition, until=until):
                self._leases[partition] = until
            case _ as never:
                assert_never(never)

    def die(self) -> None:
        """The worker has gone, or the executor itself: every command is ended."""
        if self.dead:
            return
        self.dead = True
        for start in self.running.values():
            start.end, start.outcome = self.loop.now, Outcome.LOST

    def takes(self, key: str) -> bool:
        """Whether a key is new to it: each is taken once, however often it is told."""
        return key not in self.holds and key not in self.running and key not in self.gone

    def has_lease(self, partition: int, before_s: float = 0.0) -> bool:
        """Whether attempts of a partition may start now, or go on if they are fenced."""
        return self.worker.mono() + before_s < self._leases.get(partition, _NEVER)

    def _hold(self, hand: Hand) -> None:
        if not self.takes(hand.key):
            return
        self.holds[hand.key] = hand
        if hand.go:
            self._may_go.add(hand.key)
        self._wait_for(hand)
        if self.world.steps:
            at = max(self.loop.now, seconds(hand.run.not_before)) + _LATE_S
            self.loop.at(at, partial(self._see_whether_late, hand))

    def _see_whether_late(self, hand: Hand) -> None:
        """Nothing waits past its time that has all it needs, whatever its machine's clock says."""
        key = hand.key
        if self.dead or key not in self.holds or self.loop.now < self.paused_until:
            return
        has_slot = key in self.reserved or self.worker.has_free_slot
        has_lease = self.has_lease(hand.partition, hand.ends_before_s or 0.0)
        if key in self._may_go and has_slot and has_lease:
            self.world.late.append(key)

    def clock_stepped(self) -> None:
        """The worker's clock is another: what is held becomes due sooner, or later."""
        for hand in self.holds.values():
            self._wait_for(hand)
        self.start_due()

    def _wait_for(self, hand: Hand) -> None:
        wait = (hand.run.not_before - self.worker.dial()).total_seconds()
        if wait > 0:
            self.loop.at(self.loop.now + wait + 0.001, self.start_due)

    def _cancel(self, key: str) -> None:
        if key in self.running or self.gone.get(key):
            self._report(partial(self.worker.member.kept, key))
            return
        self.holds.pop(key, None)
        self.reserved.discard(key)
        self.gone[key] = False
        self._report(partial(self.worker.member.cancelled, key))

    def start_due(self) -> None:
        """Start what is due, has its go-ahead and its lease, and finds a slot."""
        if self.dead or not self.holds:
            return
        if self.loop.now < self.paused_until:
            self.loop.at(self.paused_until, self.start_due)
            return
        now = self.worker.dial()
        for key, hand in sorted(self.holds.items(), key=lambda item: item[1].run.not_before):
            if hand.run.not_before > now:
                break
            has_slot = key in self.reserved or self.worker.has_free_slot
            if not has_slot or not self.has_lease(hand.partition, hand.ends_before_s or 0.0):
                continue
            if key in self._may_go:
                self._start(key, hand)
            elif key not in self.reserved:
                self.reserved.add(key)
                self._report(partial(self.worker.member.ready, key))

    def _start(self, key: str, hand: Hand) -> None:
        del self.holds[key]
        self.reserved.discard(key)
        start = self.world.begin(hand, self.worker)
        self.running[key] = start
        end = self.loop.now + self.world.spec(hand.run.job).lasts_s
        self.loop.at(end, partial(self._over, key, start))
        self._report(partial(self.worker.member.started, key, self.worker.dial(), 1))
        self.worker.step("started")
        if hand.ends_before_s is not None:
            self._fence(key, start, hand)
        if self.world.spec(hand.run.job).is_killer(hand.run):
            self.loop.at(self.loop.now + self.world.dice.choice((0.0, 0.0, 0.2)), self._be_killed)

    def _be_killed(self) -> None:
        """What it runs kills it, or its worker."""
        if self.dead:
            return
        killer = next((s.run for s in self.running.values() if self._kills(s.run)), None)
        if killer is None:
            return
        if self.world.spec(killer.job).kills == "executor":
            self.worker.lose_executor(self)
        else:
            self.worker.crash(self.world.dice.uniform(0.1, 0.4))

    def _kills(self, run: Run) -> bool:
        return self.world.spec(run.job).is_killer(run)

    def _fence(self, key: str, start: Start, hand: Hand) -> None:
        """End a fenced command at its time, with its whole grace, or look again at the next."""
        if self.running.get(key) is not start or self.dead:
            return
        if self.has_lease(hand.partition, hand.ends_before_s or 0.0):
            until = self._leases[hand.partition] - (hand.ends_before_s or 0.0)
            again = max(until - self.worker.mono(), 0.001)
            self.loop.at(self.loop.now + again, partial(self._fence, key, start, hand))
        elif self.loop.now < self.paused_until:
            self.loop.at(self.paused_until, partial(self._fence, key, start, hand))
        else:
            self.world.count["fenced"] += 1
            end = self.loop.now + hand.run.grace_s
            self.loop.at(end, partial(self._over, key, start, Outcome.INTERRUPTED))

    def _over(self, key: str, start: Start, outcome: Outcome | None = None) -> None:
        if self.running.get(key) is start and not self.dead:
            self._finish(key, outcome or start.outcome, None)

    def _end(self, key: str, note: str) -> None:
        if key in self.running:
            self._finish(key, Outcome.INTERRUPTED, note)
        else:
            self._cancel(key)

    def _finish(self, key: str, outcome: Outcome, note: str | None) -> None:
        start = self.running.pop(key)
        start.end, start.outcome = self.loop.now, outcome
        self.gone[key] = True
        run, claim = run_and_claim(key)
        entry = Finished(
            run=run,
            claim=claim,
            worker=self.worker.id,
            outcome=outcome,
            started_at=moment(start.at),
            ended_at=self.worker.dial(),
            exit_status=0 if outcome is Outcome.SUCCEEDED else 1,
            note=note,
        )
        self._ends[key] = partial(self.worker.member.finished, key, entry)
        self._report(partial(self._tell_end, key))
        self.worker.step("finished")
        for executor in self.worker.executors:
            executor.start_due()

    def _tell_end(self, key: str) -> None:
        end = self._ends.pop(key, None)
        if end is not None:
            end()

    def tell_ends(self) -> None:
        """What it has said before it died arrives."""
        for key in list(self._ends):
            self._tell_end(key)

    def _report(self, report: "partial[None]") -> None:
        delay = 0.002 + 0.1 * self.world.dice.random() ** 4
        self.worker.later(delay, partial(self._reported, report))

    def _reported(self, report: "partial[None]") -> None:
        if not self.dead:
            self.worker.reported([report])
