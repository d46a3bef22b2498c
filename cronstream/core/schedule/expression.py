"""One expression to when it is due: five or six fields, a nickname, ``@every``, ``@at``.

``@every`` counts seconds from the Unix epoch, and knows no zones; ``from`` a time it counts from
there, and days and weeks by the clock of the zone.
"""

import re
import zoneinfo
from collections.abc import Callable
from datetime import datetime
from typing import Final

from cronstream.core.schedule.clock import EPOCH, ClockSchedule, Dst, EverySchedule
from cronstream.core.schedule.duration import parse_duration
from cronstream.core.schedule.fields import parse_fields
from cronstream.core.schedule.moments import parse_date, parse_time_of_day, parse_wall
from cronstream.core.schedule.walls import CronWalls, EveryDays, OneWall
from cronstream.errors import ScheduleError

_FROM: Final = re.compile(r"\bfrom\b", re.IGNORECASE)
#: Lengths that are days of the calendar, rather than so many seconds.
_CALENDAR_DAYS: Final = re.compile(r"(\d+w)?(\d+d)?", re.ASCII)
_DAY_S: Final = 86_400
_UTC: Final = zoneinfo.ZoneInfo("UTC")


#: Of a job that is due only after another, or when somebody asks for it.
NEVER: Final = "@never"
#: When such a job was due, as far as anybody asks.
_LONG_PAST: Final = datetime(1970, 1, 2)  # noqa: DTZ001 - what a clock shows, of any zone


def compile_expression(
    text: str, zone: zoneinfo.ZoneInfo, dst: Dst | None = None
) -> ClockSchedule | EverySchedule:
    """Return the schedule that one expression means in a zone.

    Args:
        text: The expression, without blanks around it.
        zone: By whose clocks it is due.
        dst: What becomes of times that clocks skip or repeat; None for what is usual for it.

    Raises:
        ScheduleError: If it is not valid.
    """
    name = text.lower()
    if name == NEVER:
        return ClockSchedule(OneWall(_LONG_PAST), zone, dst or Dst.ONCE)
    if name.startswith("@every"):
        return _every(text[len("@every") :], zone, dst or Dst.ONCE)
    if name.split()[:1] == ["@at"]:
        return ClockSchedule(OneWall(_at(text[len("@at") :].strip())), zone, dst or Dst.ONCE)
    fields = parse_fields(text)
    usual = Dst.TWICE if fields.wild else Dst.ONCE
    return ClockSchedule(CronWalls(fields), zone, dst or usual)


def _every(text: str, zone: zoneinfo.ZoneInfo, dst: Dst) -> ClockSchedule | EverySchedule:
    length, *first = (part.strip() for part in _FROM.split(text, maxsplit=1))
    seconds = _every_seconds(length)
    if not first:
        return EverySchedule(seconds)
    wall = _first_wall(*first)
    if _CALENDAR_DAYS.fullmatch(length):
        return ClockSchedule(EveryDays(wall, seconds // _DAY_S), zone, dst)
    # A phase without a date is in UTC: what zones were like in 1970 would only surprise.
    begun = ClockSchedule(OneWall(wall), _UTC if wall.date() == EPOCH.date() else zone, dst)
    return EverySchedule(seconds, begun.first_instant(wall))


def _first_wall(text: str) -> datetime:
    wall = _moment(f"from {text!r}", text, parse_time_of_day, parse_wall, parse_date)
    if wall is None:
        raise ScheduleError(
            f"from {text!r} is not a time; write it like 00:15, or 2026-01-05T09:00"
        )
    return wall


def _at(text: str) -> datetime:
    wall = _moment(f"@at {text!r}", text, parse_wall)
    if wall is None:
        raise ScheduleError(
            f"@at {text!r} is not a time; write it like @at 2026-12-24T18:00, "
            "in the job's time zone"
        )
    return wall


def _moment(what: str, text: str, *readers: Callable[[str], datetime | None]) -> datetime | None:
    try:
        return next((found for read in readers if (found := read(text)) is not None), None)
    except ValueError as error:
        raise ScheduleError(f"{what} {error}") from error


def _every_seconds(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ScheduleError(f"@every {text!r} {error}") from error
    if seconds < 1 or seconds != int(seconds):
        raise ScheduleError(f"@every {text!r} must be at least 1s, in whole seconds")
    return int(seconds)
