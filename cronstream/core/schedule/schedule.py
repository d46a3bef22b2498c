"""When a job is due: cron expressions in time zones, and ``@every``.

Times go in and come out as aware UTC. Where clocks change, Debian's cron(8) is followed. A
schedule at fixed times (no star in second, minute or hour) that falls into the skipped hour is
due once, at the first moment after it; in the repeated hour it is due the first time only. A
schedule with a star there follows real time: it skips what the clocks skip, and is due in both
of the repeated hours. ``@every`` counts from the Unix epoch and knows no zones.
"""

import difflib
import zoneinfo
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TypeAlias, cast

from cronstream.core.schedule.duration import parse_duration
from cronstream.core.schedule.fields import Fields, parse_fields
from cronstream.errors import ScheduleError, ZoneError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
#: The search for a time that clocks do not skip gives up after this many years. The longest wait
#: is for a Sunday that is February 29th across a century without a leap day: 40 years.
_HORIZON_YEARS = 50
#: Where a schedule is tried once, so that one that can never be due is refused.
_TRIAL = datetime(2024, 1, 1, tzinfo=UTC)


class _Times(ABC):
    """What all schedules have in common."""

    __slots__ = ()

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment`, or None if there is none.

        Args:
            moment: Aware, UTC; a fraction of a second is fine.

        Returns:
            Aware, UTC, whole seconds. None only when there is none within 50 years, or ever.
        """

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Give each due time with ``after < due <= until``, in order (aware, UTC)."""
        due = self.next_after(after)
        while due is not None and due <= until:
            yield due
            due = self.next_after(due)


@dataclass(frozen=True, slots=True)
class EverySchedule(_Times):
    """Due each time that many whole seconds have passed since the Unix epoch."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        passed = (moment - _EPOCH) // _SECOND
        try:
            return _EPOCH + timedelta(seconds=(passed // self.seconds + 1) * self.seconds)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class CronSchedule(_Times):
    """Due when the clocks of a zone show what a cron expression says."""

    fields: Fields
    zone: zoneinfo.ZoneInfo

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        try:
            local = moment.astimezone(self.zone)
            return self._real(moment, local) if self.fields.wild else self._fixed(moment, local)
        except OverflowError:
            return None  # The end of the calendar, 9999.

    def _fixed(self, moment: datetime, local: datetime) -> datetime | None:
        """Search by the clock on the wall: each time that it names is due exactly once."""
        wall = self._wall_after(local.replace(tzinfo=None, fold=0))
        while wall is not None:
            due = self._first_instant(wall)
            if due > moment:
                return due
            wall = self._wall_after(wall)
        return None

    def _real(self, moment: datetime, local: datetime) -> datetime | None:
        """Search in real time: whenever the clock on the wall shows a time that is named."""
        start = local.replace(tzinfo=None, fold=0)
        wall = self._wall_after(start)
        before, after = self._offsets(start)
        if before > after and not local.fold:
            # The first pass through a repeated hour: the second is to come.
            turn = self._turn(moment.replace(microsecond=0), moment + (before - after))
            if wall is None or self._first_instant(wall) >= turn:
                wall = self._wall_after(_wall_of(turn, self.zone) - _SECOND)
            else:
                return self._first_instant(wall)
        while wall is not None and wall.year <= start.year + _HORIZON_YEARS:
            before, after = self._offsets(wall)
            if before >= after:
                first, second = _instant(wall, before), _instant(wall, after)
                return first if first > moment else second
            turn = self._turn(_instant(wall, after), _instant(wall, before))
            wall = self._wall_after(_wall_of(turn, self.zone) - _SECOND)
        return None

    def _first_instant(self, wall: datetime) -> datetime:
        """Return when the clock first shows `wall`, or jumps over it (aware, UTC)."""
        before, after = self._offsets(wall)
        if before >= after:
            return _instant(wall, before)
        return self._turn(_instant(wall, after), _instant(wall, before))

    def _offsets(self, wall: datetime) -> tuple[timedelta, timedelta]:
        """Return the zone's offsets for a time on the wall, as PEP 495 has them.

        They differ only where clocks change: the first is larger where they are set back and
        `wall` comes twice, and smaller where they are set forward and it does not come at all.
        """
        # A ZoneInfo always has an offset.
        before = cast("timedelta", self.zone.utcoffset(wall.replace(fold=0)))
        after = cast("timedelta", self.zone.utcoffset(wall.replace(fold=1)))
        return before, after

    def _turn(self, low: datetime, high: datetime) -> datetime:
        """Return the first moment after clocks change, somewhere in ``low < turn <= high``."""
        offset = low.astimezone(self.zone).utcoffset()
        seconds = bisect_left(
            range(int((high - low) // _SECOND) + 1),
            True,
            key=lambda s: (low + timedelta(seconds=s)).astimezone(self.zone).utcoffset() != offset,
        )
        return low + timedelta(seconds=seconds)

    def _wall_after(self, wall: datetime) -> datetime | None:
        """Return the first time on the wall after `wall` that the fields name (both naive)."""
        time = self._time_after(wall.hour, wall.minute, wall.second)
        day = self._day_from(wall.year, wall.month, wall.day if time else wall.day + 1)
        if day is None:
            return None
        if time is None or day != (wall.year, wall.month, wall.day):
            time = (self.fields.hours[0], self.fields.minutes[0], self.fields.seconds[0])
        return wall.replace(*day, *time, microsecond=0, fold=0)

    def _time_after(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """Return the first time of day after the given one, or None if the day has no more."""
        hours, minutes, seconds = self.fields.hours, self.fields.minutes, self.fields.seconds
        at = bisect_left(hours, hour)
        if at < len(hours) and hours[at] == hour:
            m = bisect_left(minutes, minute)
            if m < len(minutes) and minutes[m] == minute:
                s = bisect_right(seconds, second)
                if s < len(seconds):
                    return hour, minute, seconds[s]
                m += 1
            if m < len(minutes):
                return hour, minutes[m], seconds[0]
            at += 1
        return (hours[at], minutes[0], seconds[0]) if at < len(hours) else None

    def _day_from(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        """Return the first due day that is not before the given one."""
        months, days = self.fields.months, self.fields.days
        at = bisect_left(months, month)
        if at < len(months) and months[at] == month:
            of_month = days.of(year, month)
            found = bisect_left(of_month, day)
            if found < len(of_month):
                return year, month, of_month[found]
            at += 1
        while True:
            if at == len(months):
                year, at = year + 1, 0
            if year > 9998:
                return None
            of_month = days.of(year, months[at])
            if of_month:
                return year, months[at], of_month[0]
            at += 1


Schedule: TypeAlias = CronSchedule | EverySchedule


@lru_cache(maxsize=2**18)
def compile_schedule(expression: str, timezone: str) -> Schedule:
    """Return the schedule that an expression means in a zone.

    Raises:
        ScheduleError: If either is not valid, or the schedule can never be due.
    """
    zone = find_zone(timezone)
    text = expression.strip()
    if text.lower().startswith("@every"):
        return EverySchedule(_every_seconds(text[len("@every") :].strip()))
    schedule = CronSchedule(parse_fields(text), zone)
    if schedule.next_after(_TRIAL) is None:
        raise ScheduleError(
            f"can never be due: the clocks of {timezone} always skip it; choose another time"
        )
    return schedule


@cache
def find_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by its IANA name, spelled exactly so, as it must be on every machine.

    Raises:
        ZoneError: If there is none; the sentence says the nearest name.
    """
    if name in zoneinfo.available_timezones():
        return zoneinfo.ZoneInfo(name)
    by_lower = {known.lower(): known for known in zoneinfo.available_timezones()}
    near = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1)
    remedy = f"did you mean {by_lower[near[0]]!r}?" if near else "write one like 'Europe/Berlin'"
    raise ZoneError(f"time zone {name!r} is not known; {remedy}")


def _every_seconds(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ScheduleError(f"@every {text!r} {error}") from error
    if seconds < 1 or seconds != int(seconds):
        raise ScheduleError(f"@every {text!r} must be at least 1s, in whole seconds")
    return int(seconds)


def _wall_of(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC, fold=0)
