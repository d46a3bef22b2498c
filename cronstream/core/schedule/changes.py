"""Changes of a zone's clocks, and what they do to a schedule: what is skipped, moved, doubled."""

import zoneinfo
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeAlias, cast

from cronstream.core.schedule.clock import ClockSchedule, Dst, EverySchedule, wall_of
from cronstream.core.schedule.ruled import JitteredSchedule, RuledSchedule
from cronstream.core.schedule.schedule import Schedule

#: A schedule before any jitter.
_Base: TypeAlias = RuledSchedule | ClockSchedule | EverySchedule

_SECOND: Final = timedelta(seconds=1)
_TICK: Final = timedelta(microseconds=1)
_STEP: Final = timedelta(hours=6)
_REACH: Final = timedelta(days=3 * 366)
#: Times on the clock that are looked at for each change.
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One change.

    Attributes:
        at: The first moment after it (aware, UTC).
        before: What the clock would show then without it (naive).
        after: What it shows.
    """

    at: datetime
    before: datetime
    after: datetime

    @property
    def is_forward(self) -> bool:
        """Whether times are skipped; else some are repeated."""
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the times that a schedule names, as the clock shows them (naive).

    Attributes:
        skipped: Not due.
        moved: Due at the first moment after the change.
        doubled: Due both times.
        once: Due only once, though they come twice.
    """

    skipped: tuple[datetime, ...] = ()
    moved: tuple[datetime, ...] = ()
    doubled: tuple[datetime, ...] = ()
    once: tuple[datetime, ...] = ()


def clock_changes(zone: zoneinfo.ZoneInfo, after: datetime) -> Iterator[ClockChange]:
    """Give the changes of a zone's clocks after a moment (aware, UTC), for three years."""
    at, end = after, after + _REACH
    while at < end:
        if _offset(at, zone) != _offset(at + _STEP, zone):
            turn = _turn(at.replace(microsecond=0), zone)
            shown = wall_of(turn, zone)
            yield ClockChange(turn, shown - (_offset(turn, zone) - _offset(at, zone)), shown)
        at += _STEP


def _turn(low: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    """Return the first moment whose offset is another than that of `low`."""
    before = _offset(low, zone)
    seconds = bisect_left(
        range(int(_STEP // _SECOND) + 1),
        True,
        key=lambda s: _offset(low + timedelta(seconds=s), zone) != before,
    )
    return low + timedelta(seconds=seconds)


def effect_of(change: ClockChange, schedule: Schedule) -> Effect:
    """Return what a change does to a schedule, before any jitter."""
    base = schedule.base if isinstance(schedule, JitteredSchedule) else schedule
    members = base.members if isinstance(base, RuledSchedule) else (base,)
    clocks = [member for member in members if isinstance(member, ClockSchedule)]
    low, high = sorted((change.before, change.after))
    named = {clock: set(islice(_named(clock, low, high), _MOST)) for clock in clocks}
    walls = sorted(set().union(*named.values()))
    if change.is_forward:
        return _of_forward(change, base, named)
    dues = {
        wall: [_is_due(base, change.at + (wall - shown)) for shown in (high, low)] for wall in walls
    }
    return Effect(
        doubled=tuple(wall for wall in walls if all(dues[wall])),
        once=tuple(wall for wall in walls if any(dues[wall]) and not all(dues[wall])),
    )


def _of_forward(
    change: ClockChange, base: _Base, named: Mapping[ClockSchedule, set[datetime]]
) -> Effect:
    """Return what comes of times that are skipped, of those that the schedule's rules leave."""
    left = {wall for walls in named.values() for wall in walls if _leaves(base, wall, change.at)}
    moving = set().union(*(walls for clock, walls in named.items() if clock.dst is Dst.ONCE))
    # What moves is due right after; unless that is excluded, or beyond a bound.
    moved = moving & left if _is_due(base, change.at) else set()
    return Effect(skipped=tuple(sorted(left - moved)), moved=tuple(sorted(moved)))


def _leaves(base: _Base, wall: datetime, at: datetime) -> bool:
    """Return whether no rule excludes a time on the clock, nor ends or begins beyond a moment."""
    if not isinstance(base, RuledSchedule):
        return True
    if (base.start and at < base.start) or (base.end and at >= base.end):
        return False
    return base.exclusions is None or base.exclusions.free_from(wall) == wall


def _named(clock: ClockSchedule, low: datetime, high: datetime) -> Iterator[datetime]:
    """Give the times on the clock with ``low <= time < high``."""
    wall = clock.walls.after(low - _SECOND)
    while wall is not None and wall < high:
        yield wall
        wall = clock.walls.after(wall)


def _is_due(schedule: _Base, moment: datetime) -> bool:
    return schedule.next_after(moment - _TICK) == moment


def _offset(moment: datetime, zone: zoneinfo.ZoneInfo) -> timedelta:
    # A ZoneInfo always has an offset.
    return cast("timedelta", moment.astimezone(zone).utcoffset())
