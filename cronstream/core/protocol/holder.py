"""What a worker's executor has been handed, what it reports, and what it is asked to end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from math import inf

from cronstream.core.ledger.deadline import start_by
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import LONG_AGO
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.protocol.actions import (
    Action,
    Append,
    Cancel,
    End,
    Go,
    key_of,
    run_and_claim,
)
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Entry, Finished, Released, Started
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.levels import lowered
from cronstream.core.wire.runs import Run

_REPLACED = "a later run has taken its place"


def _why(live: LiveRun) -> str:
    by = live.cancelled_by
    return _REPLACED if live.cancel is SkipReason.OVERLAP else f"cancelled by {by or 'a person'}"


@dataclass(slots=True)
class Holding:
    """An attempt that was handed to the executor.

    Attributes:
        go: Whether it may start when its time comes; or else it waits for its own `Started`, as
            at_most_once does, and a run that may not overlap.
        told: Whether that `Started` was appended.
        started: Whether the executor has started it.
        started_at: When that was, as far as it said (UTC).
        giving_up: Whether the executor was asked to drop or end it.
        orphaned: Whether its executor has died. It is held until the last word about it is read
            back: a claim that comes doubled before would be handed to another executor, which
            does not know that it is over.
    """

    partition: int
    run: Run
    go: bool
    told: bool = False
    started: bool = False
    started_at: datetime | None = None
    giving_up: bool = False
    orphaned: bool = False


class Holder:
    """A worker, as far as it holds claims.

    Attributes:
        me: Its name, another one after each start.
        ledgers: Of the partitions that it owns, or on which it still holds something.
        holding: What its executor has, by key.
        reading_on: Partitions that are to be read though no stream brings them, whatever it holds.
        claiming: Partition of each claim that was appended and not yet read back, by key.
        actions: What is to be done; whoever carries them out empties it.
    """

    def __init__(self, me: str, timing: Timing) -> None:
        self.me, self.timing = me, timing
        self.ledgers: dict[int, Ledger] = {}
        self.holding: dict[str, Holding] = {}
        self.claiming: dict[str, int] = {}
        self.reading_on: set[int] = set()
        self.actions: list[Action] = []
        self.draining = False
        #: What its clock would show had it never stepped back since it was last found right; and
        #: when that was noted (monotonic seconds).
        self._shown, self._shown_at = LONG_AGO, 0.0
        #: What has a slot, and waits for its own `Started`, in the order in which it came.
        self._with_slot: dict[str, None] = {}
        #: What was claimed and started in one go, and has not been read back.
        self._begun: set[str] = set()
        self._unsettled: set[int] = set()
        #: Until when what was handed over may start, earliest first.
        self._deadlines: list[tuple[datetime, str]] = []

    def drain_times(self, most_s: float) -> list[float]:
        """Return after how long commands are ended, in order, if it stops: `most_s` at the last."""
        own = (held.run.drain_s for held in self.holding.values())
        return sorted({most_s, *(drain_s for drain_s in own if drain_s and drain_s < most_s)})

    def end_all(self, note: str, drained_s: float = inf) -> None:
        """End every command that still runs, or those that may go on for no longer than that."""
        for key, held in self.holding.items():
            drain_s = inf if held.run.drain_s is None else held.run.drain_s
            if drain_s <= drained_s and not held.orphaned:
                self.actions.append(End(key, note))

    def _cancel_unstarted(
        self, partitions: set[int], stays: Callable[[Holding], bool] = lambda _: False
    ) -> None:
        for key, held in self.holding.items():
            if held.partition in partitions and not (held.started or held.orphaned or stays(held)):
                self.actions.append(Cancel(key))
        for key, partition in self.claiming.items():
            if partition in partitions:
                self.actions.append(Cancel(key))

    def _is_running(self, partition: int, key: str) -> bool:
        """Whether `Started` was taken: after a withdrawal it is refused (rule 13)."""
        live = self._standing(partition, key)
        return live is not None and live.state is State.RUNNING

    def _standing(self, partition: int, key: str) -> LiveRun | None:
        return self._mine(partition, *run_and_claim(key))

    def _mine(self, partition: int, run_id: str, claim: int) -> LiveRun | None:
        """Return the run on which this claim of its own stands."""
        live = self.ledgers[partition].book.live.get(run_id)
        if live and live.held and (live.holder, live.claim) == (self.me, claim):
            return live
        return None

    def _held_on(self) -> set[int]:
        """Return the partitions on which it holds an attempt, or has a claim on its way."""
        return {held.partition for held in self.holding.values()}.union(self.claiming.values())

    # -- what is to end -----------------------------------------------------------------------

    def _reconsider(self, partition: int) -> None:
        """End what is no longer this worker's; have end what gives way (rules 13 and 17)."""
        for key, held in self.holding.items():
            if held.partition != partition or held.giving_up:
                continue
            live = self._standing(partition, key)
            if live is None:
                held.giving_up = True
                self.actions.append(End(key, "its worker was taken for lost"))
            elif live.cancelled and held.started and live.cancel is SkipReason.PAUSED:
                continue  # What has begun goes on, and is the last attempt of its run.
            elif live.cancelled and held.started:
                held.giving_up = True
                self.actions.append(End(key, _why(live)))
            elif (live.asked_to_give_way or live.cancelled) and not held.started:
                held.giving_up = True
                self.actions.append(Cancel(key))

    def _note_deadline(self, key: str, live: LiveRun) -> None:
        until = start_by(live.run)
        if until is not None and not live.begun_before:
            heappush(self._deadlines, (until, key))

    def _drop_late(self, now: datetime) -> None:
        """Rule 22: what still waits when its time is over is given back, and skipped."""
        while self._deadlines and self._deadlines[0][0] < now:
            _, key = heappop(self._deadlines)
            held = self.holding.get(key)
            if held is not None and not (held.started or held.giving_up):
                held.giving_up = True
                self.actions.append(Cancel(key))

    # -- what the executor reports ------------------------------------------------------------

    def ready(self, key: str) -> None:
        """What waits for its own `Started` is due, and the executor keeps a slot for it."""
        held = self.holding.get(key)
        if held is not None and not (held.told or held.giving_up):
            self._with_slot[key] = None

    def _free_slots(self, now: datetime) -> int:
        """Return how many slots are left by all that runs, is announced, due, or being claimed."""
        taken = sum(
            held.started or held.told or held.run.not_before <= now
            for held in self.holding.values()
            if not held.orphaned
        )
        return self.timing.slots - taken - len(self.claiming)

    def started(self, key: str, at: datetime, pid: int) -> None:
        """A command has been started."""
        held = self.holding.get(key)
        if held is None or held.orphaned:
            return
        held.started, held.started_at = True, at
        if held.go and not held.told:
            run_id, claim = run_and_claim(key)
            entry = Started(run=run_id, claim=claim, worker=self.me, started_at=at, pid=pid)
            self._append(held.partition, entry)

    def finished(self, key: str, entry: Finished) -> None:
        """An attempt has ended; its entry goes to the log, and the fold decides."""
        held = self.holding.get(key)
        if held is not None and not held.orphaned:
            del self.holding[key]
            self._append(held.partition, entry)

    def cancelled(self, key: str) -> None:
        """The executor's word that an attempt never started and never will."""
        held = self.holding.get(key)
        if held is not None and held.orphaned:
            return
        partition = self.claiming.pop(key, None) if held is None else held.partition
        self.holding.pop(key, None)
        if partition is not None:
            self._append(partition, self._release(key))

    def _release(self, key: str, _: datetime | None = None) -> Released:
        run_id, claim = run_and_claim(key)
        return Released(run=run_id, claim=claim, worker=self.me)

    def executor_died(self, keys: Iterable[str], now: datetime, mono: float) -> None:
        """An executor has died with what it had: that is lost, unless it cannot have started.

        Args:
            keys: What it had been handed, and had not reported the end of.
            now: The time by this worker's clock (UTC), once it was dead.
            mono: The same, in monotonic seconds.
        """
        self._note_clock(now, mono)
        for key in keys:
            held = self.holding.get(key)
            if held is None or held.orphaned:
                continue
            held.orphaned = held.giving_up = True
            is_due = held.told or held.run.not_before <= self._shown
            may_have_started = held.go and (held.started or is_due)
            word = self._lost_with_it if may_have_started else self._release
            self._append(held.partition, word(key, now))

    def _lost_with_it(self, key: str, now: datetime) -> Finished:
        run_id, claim = run_and_claim(key)
        return Finished(
            run=run_id,
            claim=claim,
            worker=self.me,
            outcome=Outcome.LOST,
            started_at=None,
            ended_at=now,
            note="its executor died",
            executor_died=True,
        )

    def _note_clock(self, now: datetime, mono: float) -> None:
        """Note what its clock shows; where that has stepped back, the one that never does counts.

        By it executors go on to start what is due, until the worker has noticed.
        """
        went_on = self._shown + timedelta(seconds=mono - self._shown_at)
        self._shown, self._shown_at = max(went_on, now), mono

    def _forget_clock(self) -> None:
        """Its clock was found right again: what it has shown before says nothing any more."""
        self._shown = LONG_AGO

    def kept(self, key: str) -> None:
        """The executor's word that it was too late to cancel: the attempt started, or has ended."""
        held = self.holding.get(key)
        if held is not None and not held.orphaned:
            held.started, held.giving_up = True, False
            self._unsettled.add(held.partition)

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

    def _append(self, partition: int, entry: Entry) -> None:
        ledger = self.ledgers.get(partition)
        self.actions.append(Append(partition, lowered(entry, ledger.book.level if ledger else 1)))
