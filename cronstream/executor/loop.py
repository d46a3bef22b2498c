"""The turn of the executor: hear, reap, meet deadlines, start what is due, report.

Here an attempt that is due waits for a slot (`Executor._start_due`).
"""

import os
import select
from collections import deque
from math import inf

from cronstream import clock
from cronstream.executor.dial import Dial
from cronstream.executor.execution import Execution, not_started
from cronstream.executor.holds import Holds
from cronstream.executor.link import Link
from cronstream.executor.output import Keeping, Output
from cronstream.executor.protocol import (
    Cancel,
    Cancelled,
    Clock,
    Down,
    End,
    Go,
    Hanging,
    Hold,
    Kept,
    Lease,
    Ping,
    Pong,
    Ready,
    Show,
    Started,
)
from cronstream.executor.running import Running, bell_for_ended_children
from cronstream.executor.slots import CountedSlots
from cronstream.executor.spawn import Launched, Spawner
from cronstream.executor.streaming import Streams

#: Starts between two looks at what else has happened: some milliseconds.
_STARTS_PER_TURN = 8
#: While commands are due and wait, reports are held back, but no longer than this: to start them
#: comes before reporting those that have been started, and reports sent together cost less.
_LONGEST_SILENCE_S = 0.5
#: epoll waits in whole milliseconds, so the last of them are waited for with ``select``.
_COARSE_S = 0.02
#: epoll takes no more than some weeks of milliseconds.
_LONGEST_WAIT_S = 3600.0
#: Seconds from TERM to KILL when the worker is gone.
_FAREWELL_GRACE_S = 1.0
#: Seconds after which it is reported of a command that it has not come to its directory or program.
_HANGS_S = 2.0
_FENCE_NOTE = "its worker's lease was about to be over, and it is fenced"


class Executor:
    """Starts commands when they are due, until the worker is gone.

    Args:
        link: To the worker.
        spawner: Starts a command.
        slots: One is taken for each command that runs; other executors may have their part of them.
        most: Commands that this executor can have, for want of descriptors.
        keeping: What becomes of output.
    """

    def __init__(
        self, link: Link, spawner: Spawner, slots: CountedSlots, *, most: int, keeping: Keeping
    ) -> None:
        self._link = link
        self._spawner = spawner
        self._slots, self._most = slots, most
        #: Whether a command is due that cannot be started before another ends: one of this
        #: executor's, for want of descriptors; or anybody's, for want of a slot.
        self._is_full = self._awaits_slot = False
        self._keeping = keeping
        self._dial = Dial()
        self._poll = select.epoll()
        self._bell = bell_for_ended_children()
        self._poll.register(self._bell, select.EPOLLIN)
        self._wanted: int | None = select.EPOLLIN
        self._poll.register(link.fileno(), self._wanted)
        self._holds = Holds()
        self._running = Running(self._poll)
        self._streams = Streams(link, self._running, shows_all=keeping.shows_all)
        #: What runs under a fence, by key.
        self._fenced: dict[str, Execution] = {}
        #: What was started by way of a shell, with when it is looked at, in the order of that.
        self._starting: deque[tuple[float, Execution]] = deque()
        #: Whether something has a slot, and waits for the word that it may start.
        self._asks = False
        self._is_ending = False
        self._flushed_at = clock.monotonic()

    def run(self) -> None:
        """Go on until the worker is gone and nothing is left of any command."""
        try:
            while not self._is_ending or self._running:
                self._turn()
        finally:
            self._running.kill_all()
            self._link.close()

    def _turn(self) -> None:
        # Pipes are read before any is closed, and closed before any is opened: an event can
        # never be about another pipe with the same number.
        for descriptor, events in self._wait(self._longest_poll_s()):
            self._hear(descriptor, events)
        for execution in self._running.reap():
            self._finish(execution)
        for execution in self._running.meet_deadlines():
            self._finish(execution)
        self._meet_fences()
        self._see_what_hangs()
        self._end_with_the_worker()
        self._start_due()
        self._streams.hand_on()
        self._flush_reports()
        # Writing them is one more way to learn that nobody is there: no other turn may ever come.
        self._end_with_the_worker()
        self._listen()

    def _flush_reports(self) -> None:
        """Write what has gathered, unless starts come first."""
        now = clock.monotonic()
        silent_s = now - self._flushed_at
        if self._asks or not self._is_behind() or silent_s >= _LONGEST_SILENCE_S:
            self._flushed_at, self._asks = now, False
            self._link.flush()

    def _is_behind(self) -> bool:
        """Say whether commands that are due wait for their turn, or for a slot."""
        next_at = self._holds.next_at()
        return next_at is not None and next_at <= self._dial.now()

    def _wait(self, limit_s: float) -> list[tuple[int, int]]:
        """Poll for as long as that, to the microsecond if it is a moment."""
        if 0 < limit_s <= _COARSE_S:
            select.select((self._poll.fileno(),), (), (), limit_s)
            return self._poll.poll(0)
        return self._poll.poll(max(limit_s - _COARSE_S / 2, 0) if limit_s > 0 else limit_s)

    def _longest_poll_s(self) -> float:
        """Return the longest that a poll may wait; -1 for ever."""
        waits = []
        next_at = self._holds.next_at()
        if next_at is not None and not (self._is_full or self._awaits_slot):
            waits.append(next_at - self._dial.now())
        if self._link.has_gathered:
            waits.append(self._flushed_at + _LONGEST_SILENCE_S - clock.monotonic())
        deadline = self._running.next_deadline()
        if deadline is not None:
            waits.append(deadline - clock.monotonic())
        if self._starting:
            waits.append(self._starting[0][0] - clock.monotonic())
        if self._fenced:
            waits.append(min(map(self._fence, self._fenced.values())) - clock.monotonic())
        if self._streams.next_at != inf:
            waits.append(self._streams.next_at - clock.monotonic())
        return min(max(min(waits), 0.0), _LONGEST_WAIT_S) if waits else -1

    def _hear(self, descriptor: int, events: int) -> None:
        if descriptor == self._bell:
            os.read(self._bell, 4096)
        elif descriptor == self._slots.fileno():
            pass  # One may be free: the turn goes on to look.
        elif descriptor != self._link.fileno():
            self._running.read(descriptor)
        elif events & (select.EPOLLHUP | select.EPOLLERR):
            self._link.hang_up()  # What it still sent before it was gone is nobody's wish any more.
        elif events & select.EPOLLIN:
            for order in self._link.receive():
                self._obey(order)

    def _listen(self) -> None:
        """Have epoll wait for what the link wants now; for nothing once nobody is there."""
        wanted = self._link.wanted()
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if wanted is None:
            self._poll.unregister(self._link.fileno())
        else:
            self._poll.modify(self._link.fileno(), wanted)

    def _obey(self, order: Down) -> None:
        match order:
            case Hold():
                self._holds.hold(order)
            case Go(key=key):
                self._holds.go(key)
            case Lease(partition=partition, until=until):
                self._holds.lease(partition, until)
            case Cancel(key=key):
                self._cancel(key)
            case Clock(offset=offset):
                self._dial.set(offset)
            case Ping():
                self._link.report(Pong())
            case End() | Show():
                self._see_to(order)

    def _see_to(self, order: End | Show) -> None:
        if isinstance(order, Show):
            self._streams.show(order)
        elif execution := self._running.get(order.key):
            self._running.end(execution, order.note)
        else:
            self._cancel(order.key)

    def _cancel(self, key: str) -> None:
        had_slot = self._holds.has_slot(key)
        never_started = self._holds.cancel(key, monotonic=clock.monotonic())
        if had_slot:
            self._slots.release()
        self._link.report(Cancelled(key) if never_started else Kept(key))

    def _start_due(self) -> None:
        """Start what is due, as far as there are slots; what finds none waits in `Holds`."""
        self._is_full = awaits_slot = False
        for granted in self._holds.granted(monotonic=clock.monotonic()):
            self._start(granted)
        for _ in range(_STARTS_PER_TURN):
            if not self._is_behind():
                break
            self._is_full = len(self._running) + self._holds.slots >= self._most
            awaits_slot = not self._is_full and not self._slots.acquire()
            if self._is_full or awaits_slot:
                break
            now = self._dial.now()
            hold = self._holds.pop_due(now=now, monotonic=clock.monotonic())
            if hold is None:
                self._slots.release()
                break
            if self._holds.waits_for_go(hold.key):
                self._asks = True
                self._link.report(Ready(hold.key))
            else:
                self._start(hold)
        self._await_slot(awaits_slot)

    def _await_slot(self, awaits_slot: bool) -> None:
        """Have epoll wait for a slot that is given back, or no longer."""
        if awaits_slot and not self._awaits_slot:
            self._poll.register(self._slots.fileno(), select.EPOLLIN)
        elif self._awaits_slot and not awaits_slot:
            self._poll.unregister(self._slots.fileno())
        self._awaits_slot = awaits_slot

    def _start(self, hold: Hold) -> None:
        launched = self._spawner.start(hold)
        now = self._dial.now()
        if isinstance(launched, Launched):
            output = Output(self._keeping.output_bytes, launched.masker)
            execution = Execution(hold, launched.pid, launched.pipe, now, output, launched.starter)
            self._running.add(execution)
            self._streams.begin(execution)
            if launched.starter is not None:
                self._starting.append((clock.monotonic() + _HANGS_S, execution))
            if hold.ends_before_s is not None:
                self._fenced[hold.key] = execution
            self._link.report(Started(hold.key, now, launched.pid))
            return
        self._slots.release()
        self._holds.ended(hold.key, monotonic=clock.monotonic())
        self._link.report(not_started(hold.key, launched, now))

    def _finish(self, execution: Execution) -> None:
        self._fenced.pop(execution.key, None)
        self._slots.release()
        self._holds.ended(execution.key, monotonic=clock.monotonic())
        finished = execution.finished(self._dial.now())
        self._streams.end(execution)
        self._link.report(finished)

    def _fence(self, execution: Execution) -> float:
        return self._holds.fence_of(execution.hold)

    def _meet_fences(self) -> None:
        """End what would outlive its worker's lease: nobody may be sure any more that it runs."""
        now = clock.monotonic()
        for execution in [one for one in self._fenced.values() if self._fence(one) <= now]:
            del self._fenced[execution.key]
            self._running.end(execution, _FENCE_NOTE)

    def _see_what_hangs(self) -> None:
        """Report what has been on its way to its directory, or its program, for too long."""
        now = clock.monotonic()
        while self._starting and self._starting[0][0] <= now:
            _, execution = self._starting.popleft()
            if note := execution.hangs():
                self._link.report(Hanging(execution.key, note))

    def _end_with_the_worker(self) -> None:
        """Begin to end all that runs, once, if the worker is gone."""
        if self._link.is_at_eof and not self._is_ending:
            self._is_ending = True
            self._holds.clear()
            self._running.end_all(_FAREWELL_GRACE_S, "its worker has gone")
