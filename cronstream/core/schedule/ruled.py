"""Schedules with rules: of several the next, without what is excluded, within bounds, and moved."""

import hashlib
import zoneinfo
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from typing import Final

from cronstream.core.schedule.clock import ClockSchedule, Dst, EverySchedule, Times, wall_of
from cronstream.core.schedule.duration import parse_duration
from cronstream.core.schedule.exclusions import (
    ALL_MINUTES,
    Exclusions,
    begin_of,
    end_of,
    minutes_of,
)
from cronstream.core.schedule.expression import compile_expression
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.walls import CronWalls, EveryDays, OneWall
from cronstream.errors import ScheduleError

_SECOND: Final = timedelta(seconds=1)
_TICK: Final = timedelta(microseconds=1)
#: The search gives up after so many years, and after so many due times that are all excluded,
#: though what lies between them is not: a crontab that says so is to be told within seconds.
_HORIZON: Final = timedelta(days=50 * 366)
_MOST_EXCLUDED: Final = 50_000


@dataclass(frozen=True, slots=True)
class RuledSchedule(Times):
    """Due when one of several schedules is, between two moments, unless that is excluded.

    Attributes:
        start: Not due before it (aware, UTC).
        end: Nor from it on.
    """

    members: tuple[ClockSchedule | EverySchedule, ...]
    zone: zoneinfo.ZoneInfo
    exclusions: Exclusions | None = None
    start: datetime | None = None
    end: datetime | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        try:
            return self._search(moment)
        except OverflowError:
            return None  # The end of the calendar, 9999.

    def _search(self, moment: datetime) -> datetime | None:
        due = self._any_after(moment if self.start is None else max(moment, self.start - _TICK))
        if due is None or (self.end is not None and due >= self.end):
            return None
        if self.exclusions is None:
            return due
        limit = due + _HORIZON if self.end is None else self.end
        for _ in range(_MOST_EXCLUDED):
            if due is None or due >= limit:
                break
            wall = wall_of(due, self.zone)
            free = self.exclusions.free_from(wall)
            if free == wall:
                return due
            if free is None:
                break
            # In the second of repeated hours, a time on the clock may be before it.
            due = self._any_after(max(due, _first_instant(free, self.zone) - _TICK))
        return None

    def _any_after(self, moment: datetime) -> datetime | None:
        dues = [due for member in self.members if (due := member.next_after(moment)) is not None]
        return min(dues, default=None)


@dataclass(frozen=True, slots=True)
class JitteredSchedule(Times):
    """Due a while after another schedule is, always the same for a job and a due time.

    It is less than the jitter, and less than it takes until the next due time: so due times stay in
    order, and none of them is lost.
    """

    base: RuledSchedule
    jitter_s: int
    job: str

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        try:
            return self._search(moment)
        except OverflowError:
            return None  # The end of the calendar, 9999.

    def _search(self, moment: datetime) -> datetime | None:
        last = self._last_up_to(moment)
        if last is not None and (moved := self._moved(last)) > moment:
            return moved
        due = self.base.next_after(moment)
        return None if due is None else self._moved(due)

    def _last_up_to(self, moment: datetime) -> datetime | None:
        """Return the last due time up to `moment` that may be moved beyond it."""
        first = self.base.next_after(moment - timedelta(seconds=self.jitter_s))
        if first is None or first > moment:
            return None
        steps = bisect_left(
            range(int((moment - first) // _SECOND) + 1),
            True,
            key=lambda s: self._is_last(first + timedelta(seconds=s), moment),
        )
        return first + timedelta(seconds=steps)

    def _is_last(self, from_: datetime, moment: datetime) -> bool:
        due = self.base.next_after(from_)
        return due is None or due > moment

    def _moved(self, due: datetime) -> datetime:
        following, span = self.base.next_after(due), self.jitter_s
        if following is not None:
            span = min(span, int((following - due) // _SECOND))
        # It must never be another: whoever changes it moves what has been published.
        text = f"jitter\0{self.job}\0{int(due.timestamp())}"
        chosen = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return due + timedelta(seconds=chosen % span)


def ruled_schedule(rules: Rules, zone: zoneinfo.ZoneInfo) -> RuledSchedule | JitteredSchedule:
    """Return the schedule that rules mean in a zone.

    Raises:
        ScheduleError: If a part is not valid.
    """
    members = tuple(compile_expression(each, zone, rules.dst) for each in rules.expressions)
    start, end = bounds(rules.start, rules.end)
    schedule = RuledSchedule(
        members,
        zone,
        Exclusions.parse(rules.exclude, _wanted(members)) if rules.exclude else None,
        None if start is None else _first_instant(start, zone),
        None if end is None else _first_instant(end, zone),
    )
    return (
        JitteredSchedule(schedule, jitter_of(rules.jitter), rules.job) if rules.jitter else schedule
    )


def bounds(start: str, end: str) -> tuple[datetime | None, datetime | None]:
    """Return when something begins and ends (exclusive), both naive; None where nothing is said.

    What ends in 9999, the last year of the calendar, is meant never to end.

    Raises:
        ScheduleError: If one is not valid, or the end is not after the start.
    """
    first, last = _bound("start", start, begin_of), _bound("end", end, end_of)
    if first is not None and last is not None and first >= last:
        raise ScheduleError(f"end {end!r} is not after start {start!r}; change one of them")
    is_never = last is not None and last.year == MAXYEAR
    return first, None if is_never else last


def jitter_of(text: str) -> int:
    """Return the seconds of a jitter.

    Raises:
        ScheduleError: If it is not valid.
    """
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ScheduleError(f"jitter {text!r} {error}") from error
    if seconds < 1 or seconds != int(seconds):
        raise ScheduleError(f"jitter {text!r} must be at least 1s, in whole seconds")
    return int(seconds)


def _bound(name: str, text: str, read: Callable[[str], datetime | None]) -> datetime | None:
    try:
        found = read(text) if text else None
    except ValueError as error:
        raise ScheduleError(f"{name} {text!r} {error}") from error
    if text and found is None:
        raise ScheduleError(
            f"{name} {text!r} is not a date or a time; write it like 2026-01-05 or 2026-01-05T09:00"
        )
    return found


def _first_instant(wall: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    return ClockSchedule(OneWall(wall), zone, Dst.ONCE).first_instant(wall)


def _wanted(members: tuple[ClockSchedule | EverySchedule, ...]) -> int:
    """Return the minutes of a day that schedules may name, a bit for each."""
    wanted = 0
    for member in members:
        match member:
            case ClockSchedule(walls=CronWalls(fields)):
                wanted |= minutes_of(fields)
            case ClockSchedule(walls=OneWall(wall) | EveryDays(first=wall)):
                wanted |= 1 << (wall.hour * 60 + wall.minute)
            case _:
                wanted = ALL_MINUTES
    return wanted
