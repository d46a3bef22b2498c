"""A worker's settings and clock, beside those of the others (rules 18 and 20)."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cronstream.core.health import clocks
from cronstream.core.health.agreement import Held, held
from cronstream.core.health.presence import Presence
from cronstream.core.protocol.member import Member
from tests.simulation.loop import moment
from tests.simulation.process import Process
from tests.simulation.telling import LastLogged

if TYPE_CHECKING:
    from tests.simulation.executor import SimExecutor

#: With a clock that stays off for so long a worker ends.
_ENDS_AFTER_S: Final = 2.0
#: A clock that is off by less is right.
_BORNE_S: Final = 1.0


class Minding(Process):
    """A worker that keeps to the lease and the fence of all, and to a clock that is right."""

    member: Member
    dial_skew = 0.0

    @property
    def executors(self) -> "list[SimExecutor]":
        """All of its executors."""
        raise NotImplementedError

    def dial(self) -> datetime:
        """Return the time by which its executors start: as it was when it was found right."""
        return moment(self.loop.now + self.dial_skew)

    def set_dial(self, skew: float) -> None:
        """Have executors start by a clock that is so far ahead."""
        if skew != self.dial_skew:
            self.dial_skew = skew
            for executor in self.executors:
                executor.clock_stepped()

    def compare(self) -> None:
        """Do what follows from what all tell (``cronstream.health.presence``)."""
        if self.telling is None:
            return
        self._keep_lease()
        if self.world.steps:
            self._mind_clock(self.telling)

    def _mind_clock(self, telling: LastLogged) -> None:
        was = self.clock_fault
        there = telling.present
        self.clock_fault = clocks.fault(telling.clock_s, clocks.right_s(there))
        if self._are_most_wrong(there):
            self.world.misled.append(self.loop.now)
        if not self.clock_fault:
            self.set_dial(self.skew_for_dial())
        if self.clock_fault and not was and self.has_joined:
            self.world.count["workers that rested, for their clock"] += 1
            self.member.rest()
            self._soon()
            self.later(_ENDS_AFTER_S, self._end_for_its_clock)
        elif was and not self.clock_fault:
            self.member.resume()
            self._soon()

    def _are_most_wrong(self, there: Iterable[Presence]) -> bool:
        """Whether most clocks are wrong, in their several ways: then nobody can know the time."""
        skews = {process.id: process.skew for process in self.world.processes}
        votes = [self.world.workers_topic.ahead_s, *(skews.get(who.name, 0.0) for who in there)]
        wrong = sum(abs(vote) > _BORNE_S for vote in votes)
        return 2 * wrong >= len(votes)

    def _keep_lease(self) -> None:
        if self.telling is None:
            return
        others = self.telling.roll.counted()
        timing = self.held(others).of(self.member.timing)
        if timing != self.member.timing:
            self.world.count["settings that were kept to"] += 1
            self.member.keep_to(timing)

    def skew_for_dial(self) -> float:
        """Return how far its clock is ahead, which was found right."""
        return self.skew

    def held(self, others: list[Presence]) -> Held:
        """Return the lease and the fence that it keeps to."""
        return held(self.world.shared_of(self), others)

    def _end_for_its_clock(self) -> None:
        if self.clock_fault and not self.draining:
            self.world.count["workers that ended, for their clock"] += 1
            self.drain(1.0, 0.1)

    def _soon(self) -> None:
        """Turn in a moment."""
        raise NotImplementedError

    def drain(self, patience_s: float, down_s: float) -> None:
        """Stop in good order."""
        raise NotImplementedError
