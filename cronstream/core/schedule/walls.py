"""What the clock on a wall shows when a schedule is due: times without any zone, in order.

What zones make of them is decided in `cronstream.core.schedule.schedule`.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronstream.core.schedule.fields import Fields

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CronWalls:
    """The times that a cron expression names."""

    fields: Fields

    def after(self, wall: datetime) -> datetime | None:
        """Return the first of them strictly after `wall`, or None (all naive)."""
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


@dataclass(frozen=True, slots=True)
class EveryDays:
    """One time of day, each time that so many days of the calendar have passed."""

    first: datetime
    days: int

    def after(self, wall: datetime) -> datetime | None:
        """Return the first of them strictly after `wall`, or None (all naive)."""
        passed = (wall - self.first) // _DAY if wall >= self.first else -self.days
        return self.first + (passed // self.days + 1) * self.days * _DAY


@dataclass(frozen=True, slots=True)
class OneWall:
    """A single time."""

    wall: datetime

    def after(self, wall: datetime) -> datetime | None:
        """Return the time if it is strictly after `wall`, or None (all naive)."""
        return self.wall if self.wall > wall else None
