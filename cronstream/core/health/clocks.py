"""Which clocks are off, from how far each is ahead of the broker's."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind

#: People are informed of a clock that is off by more than this.
TOLD_S = 1.0
#: A worker whose clock is off by more than this claims nothing: what it starts would be early, or
#: late, by as much.
REFUSED_S = 5.0
#: A message that took longer to be acknowledged says too little of when it was appended.
SURE_WITHIN = timedelta(seconds=1)


def difference_s(
    sent_at: datetime, appended_at: datetime, acknowledged_at: datetime
) -> float | None:
    """Return how many seconds a clock is ahead of the broker's, at least; less than 0: behind.

    Args:
        sent_at: When a message was sent, by the clock.
        appended_at: When the broker appended it, by the broker's clock.
        acknowledged_at: When its word of that came, by the clock.

    Returns:
        0 if the broker's time is between the other two; None if they are too far from each other.
    """
    if not timedelta() <= acknowledged_at - sent_at <= SURE_WITHIN:
        return None
    if sent_at > appended_at:
        return (sent_at - appended_at).total_seconds()
    return min(0.0, (acknowledged_at - appended_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a scheduler's clock compared with the log's, when that was measured last (rule 18).

    A clock that is further in front than is allowed would publish runs that are not due for long,
    and push the cursor out of reach of the right time: nothing is fired then. One that is behind
    does no harm but lateness. A step into either is known before the next message has been
    measured: the other clock, which never steps, shows it.

    Attributes:
        ahead: How far it was ahead of the log's; less than nothing: behind.
        behind: How far it was behind, at least.
        offset: How far it was ahead of the clock that never steps, when that was sent.
    """

    ahead: timedelta
    behind: timedelta
    offset: timedelta

    @classmethod
    def of(
        cls, sent_at: datetime, appended_at: datetime, acknowledged_at: datetime, offset: timedelta
    ) -> "Comparison":
        """Compare by a message: when it was sent and acknowledged by the clock, and its time."""
        return cls(sent_at - appended_at, appended_at - acknowledged_at, offset)

    def is_trusted(self, offset: timedelta, allowed: timedelta) -> bool:
        """Whether it is not too far ahead; `offset` is what it is now."""
        return self.ahead + max(offset - self.offset, timedelta()) <= allowed

    def is_late(self, offset: timedelta, allowed: timedelta) -> bool:
        """Whether it is too far behind."""
        return self.behind + max(self.offset - offset, timedelta()) > allowed

    def agrees(self, offset: timedelta, allowed: timedelta) -> bool:
        """Whether it is neither: only then it may say that a cursor is too far ahead."""
        return self.is_trusted(offset, allowed) and not self.is_late(offset, allowed)


def right_s(present: Iterable[Presence]) -> float:
    """Return how far the right time is ahead of the broker's clock: 0, unless most say otherwise.

    The broker has a clock that may be wrong, too. So the right time is what is in the middle of all
    clocks, the broker's among them; a machine counts once, however many processes it has. Where
    there are two middles, the broker is believed.
    """
    by_machine = defaultdict[str, list[float]](list)
    for who in present:
        if who.clock_s is not None:
            by_machine[who.machine].append(who.clock_s)
    votes = sorted([0.0, *(min(found, key=abs) for found in by_machine.values())])
    middle = len(votes) // 2
    return votes[middle] if len(votes) % 2 else min(votes[middle - 1], votes[middle], key=abs)


def fault(clock_s: float | None, right: float) -> str:
    """Return what is wrong with a worker's clock, so that it may start nothing; empty if nothing.

    Args:
        clock_s: How far it is ahead of the broker's; None if that was not measured.
        right: How far the right time is; see `right_s`.
    """
    if clock_s is None or abs(clock_s - right) <= REFUSED_S:
        return ""
    return f"this machine's clock is {_off(clock_s - right)}: it claims nothing until that is right"


def firing_fault(me: Presence, present: Iterable[Presence]) -> str:
    """Return why a scheduler is to leave its shards to another; empty if it is not.

    What it fires is late by as much as its clock is behind the look-ahead, or not fired at all if
    it is as far ahead: but better so than by nobody.

    Args:
        me: The scheduler, with its clock as it is now.
        present: All that are there.
    """
    there = list(present)
    right, allowed = right_s(there), me.shared.look_ahead_s / 2
    if me.clock_s is None or abs(me.clock_s - right) <= allowed:
        return ""
    others = [
        who.name
        for who in there
        if who.role is RoleKind.SCHEDULER and who.name != me.name and who.machine != me.machine
        if who.clock_s is not None and abs(who.clock_s - right) <= TOLD_S
    ]
    off = _off(me.clock_s - right)
    return f"this machine's clock is {off}: it leaves firing to {others[0]}" if others else ""


def warnings(present: Iterable[Presence]) -> list[str]:
    """Return a sentence for each machine whose clock is off, and one if it is the broker's."""
    there = list(present)
    right, found = right_s(there), dict[str, str]()
    if abs(right) > TOLD_S:
        found[""] = f"the clock of Kafka is {_off(-right)}, as most machines have it: set it by NTP"
    for who in there:
        if who.clock_s is not None and abs(who.clock_s - right) > TOLD_S:
            off = _off(who.clock_s - right)
            found[who.machine] = f"the clock of {who.machine} is {off}: set it by NTP"
    return list(found.values())


def _off(seconds: float) -> str:
    return f"{abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
