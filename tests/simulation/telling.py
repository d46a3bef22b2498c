"""One process's end of the workers' topic: it tells of itself there, and hears of the others.

The real `Roll` reads it, and the real comparison of clocks measures by it. Modelled is what
``cronstream.topology.presence`` does around them.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from cronstream.core.health import clocks
from cronstream.core.health.presence import Presence
from cronstream.core.health.roll import Roll

if TYPE_CHECKING:
    from tests.simulation.process import Process

#: Between two times at which a process tells of itself.
EVERY_S: Final = 1.0
#: Between two looks what there is to read.
_POLL_S: Final = 0.25
#: How often reading takes long, in worlds where it does; and until when a world begins.
_SLOW: Final = 0.5
_BEGUN_S: Final = 1.0


class LastLogged:
    """What one boot of a process tells, and what it has heard.

    Attributes:
        stalled_until: Until then it hears nothing of the others.
        roll: All that have told of themselves, as far as it was read.
        measured: How far its clock was ahead of the broker's, and of one that goes evenly, then.
    """

    def __init__(self, process: "Process") -> None:
        self._process, self._world = process, process.world
        self.roll = Roll()
        self._next = 0
        self._place: int | None = None
        self._is_out = self._is_reading = False
        self.measured: tuple[float, float] | None = None
        self.stalled_until = 0.0

    @property
    def clock_s(self) -> float | None:
        """How far the process's clock is ahead of the broker's; a step is known at once."""
        if self.measured is None:
            return None
        found, skew = self.measured
        return found + self._process.skew - skew

    @property
    def present(self) -> Iterable[Presence]:
        """Who is there."""
        return [seen.who for seen in self.roll.present()]

    def begin(self) -> None:
        """Tell of the process, from now on; then it hears, and joins."""
        self._process.later(EVERY_S, self.begin)
        if not self._is_out:
            self._is_out = True
            who = self._process.describe(self.clock_s)
            told = partial(self._told, self._process.wall(), self._process.skew)
            self._process.put(self._world.workers_topic, (who.name, who.encode()), told)

    def _told(self, sent_at: datetime, skew: float, offset: int, at: datetime) -> None:
        if self._process.telling is not self:
            return  # Its process has restarted meanwhile.
        self._is_out = False
        found = clocks.difference_s(sent_at, at, self._process.wall())
        if found is not None and skew == self._process.skew:
            self.measured = found, skew
        if self._place is None:
            self._place = offset
            self.notice()
        self.compare()

    def stop(self) -> None:
        """Say that it ends, having ended all that it ran, if a broker hears it."""
        if self._place is not None and self._process.fit:
            self._world.workers_topic.append(self._world.loop.now, [(self._process.id, None)])

    # -- hearing --------------------------------------------------------------------------

    def notice(self) -> None:
        """There is something new."""
        if self._place is None or self._is_reading:
            return
        self._is_reading = True
        process, wait = self._process, self._process.latency() + _POLL_S
        has_begun = process.loop.now > _BEGUN_S
        is_first = self._next == 0 and self._world.joins_slowly
        if has_begun and (is_first or process.dice.random() < _SLOW):
            wait += process.dice.random() * self._world.slowest_roll_s
        process.later(wait, partial(process.when_reached, self._read))

    def _read(self) -> None:
        process, now = self._process, self._process.loop.now
        if now < self.stalled_until:
            process.later(self.stalled_until - now, partial(process.when_reached, self._read))
            return
        self._is_reading = False
        messages = self._world.workers_topic.messages
        for offset, (at, [(name, value)]) in enumerate(messages[self._next :], self._next):
            self.roll.fold(offset, at, name.encode(), value)
        self._next = len(messages)
        self.compare()

    def has_caught_up(self) -> bool:
        """Whether it has read the topic up to its own word, so that it may join."""
        return self._place is not None and self._next > self._place

    def compare(self) -> None:
        """Do what follows from what was read; and join, if it is time."""
        process = self._process
        process.compare()
        if not (process.has_joined or process.clock_fault) and self.has_caught_up():
            process.join_group()
