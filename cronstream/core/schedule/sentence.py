"""A schedule in words: when it is due, and what is left out, as one sentence.

It is made from what was compiled, rather than from what was written: what reads alike is due alike.
"""

import calendar
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, assert_never

from cronstream.core.schedule.clock import EPOCH, ClockSchedule, Dst, EverySchedule
from cronstream.core.schedule.days import DayOfMonth, DayOfWeek, Special, Weekdays
from cronstream.core.schedule.duration import parse_duration
from cronstream.core.schedule.exclusions import begin_of, parse_exclusion
from cronstream.core.schedule.expression import NEVER, compile_expression
from cronstream.core.schedule.fields import Fields
from cronstream.core.schedule.moments import parse_date
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import find_zone
from cronstream.core.schedule.walls import CronWalls, EveryDays, OneWall

_MONTHS: Final = tuple(calendar.month_name)[1:]
#: Monday first, as weeks are read; cron counts Sunday as 0.
_WEEK: Final = tuple(calendar.day_name)
_ORDINALS: Final = ("last", "first", "second", "third", "fourth", "fifth")
#: So many times of day are listed.
_MOST_TIMES: Final = 6
_SIXTY: Final = 60
_RUN: Final = 3
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_DST: Final = {
    Dst.ONCE: "what clocks skip is due right after, what they repeat once",
    Dst.SKIP: "what clocks skip is not due, what they repeat is once",
    Dst.TWICE: "what clocks skip is not due, what they repeat is twice",
}


def sentence(text: str, timezone: str) -> str:
    """Return when a schedule is due, in words, without a full stop.

    Raises:
        ScheduleError: If the schedule or the time zone is not valid.
    """
    if text.strip().lower() == NEVER:
        return "Never by itself: only after another job, or when somebody asks for it"
    rules, zone = Rules.parse(text), find_zone(timezone)
    members = [compile_expression(each, zone, rules.dst) for each in rules.expressions]
    by_clock = [_wall_words(one.walls) for one in members if isinstance(one, ClockSchedule)]
    real = [_every_words(one) for one in members if isinstance(one, EverySchedule)]
    if by_clock:
        by_clock[-1] += f", by the clock of {timezone}"
    bounds = _bound_words(rules)
    if bounds and not by_clock:
        bounds.append(f"these by the clock of {timezone}")
    ways = [_DST[rules.dst]] if rules.dst is not None and by_clock else []
    return "; ".join(["; and ".join([*by_clock, *real]), *bounds, *ways, *_jitter_words(rules)])


def _bound_words(rules: Rules) -> list[str]:
    words = []
    if rules.exclude:
        words.append(f"except {'; and '.join(map(_exclusion_words, rules.exclude))}")
    if rules.start:
        words.append(f"from {_moment_words(rules.start)} on")
    if rules.end:
        how = "until the end of" if parse_date(rules.end) else "before"
        words.append(f"{how} {_moment_words(rules.end)}")
    return words


def _jitter_words(rules: Rules) -> list[str]:
    if not rules.jitter:
        return []
    length = length_words(int(parse_duration(rules.jitter)))
    return [f"each moved by less than {length}, picked by the name {rules.job}"]


def length_words(seconds: int) -> str:
    """Return a length of time as ``1 hour 30 minutes``."""
    words, rest = [], seconds
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(words)


def _every_words(member: EverySchedule) -> str:
    length = length_words(member.seconds)
    length = length.removeprefix("1 ") if length.count(" ") == 1 else length
    since = "" if member.first == EPOCH else f", counted from {member.first:%Y-%m-%d %H:%M:%S} UTC"
    return f"every {length}{since}"


def _wall_words(walls: CronWalls | EveryDays | OneWall) -> str:
    match walls:
        case OneWall(wall):
            return f"once, on {wall:%Y-%m-%d} at {_time_words(wall)}"
        case EveryDays(first, days):
            every = "every day" if days == 1 else f"every {days} days"
            return f"{every} at {_time_words(first)}, counted from {first:%Y-%m-%d}"
        case _:
            return fields_words(walls.fields)


def _time_words(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"


def fields_words(fields: Fields) -> str:
    """Return when fields are due: at what times, on what days, in what months."""
    words = [_times(fields)]
    days = _days(fields)
    if days:
        words.append(f"on {days}")
    elif words[0].startswith("at ") and ":" in words[0]:
        words[0] += " every day"
    if len(fields.months) < len(_MONTHS):
        words.append(f"in {_listed(_runs([month - 1 for month in fields.months], _MONTHS))}")
    return ", ".join(words)


def _times(fields: Fields) -> str:
    seconds, minutes, hours = fields.seconds, fields.minutes, fields.hours
    if len(seconds) * len(minutes) * len(hours) <= _MOST_TIMES:
        times = [
            f"{hour:02}:{minute:02}" + (f":{second:02}" if seconds != (0,) else "")
            for hour in hours
            for minute in minutes
            for second in seconds
        ]
        return f"at {_listed(times)}"
    parts = [] if seconds == (0,) else [_steps(seconds, "second")]
    is_any_minute = len(minutes) == _SIXTY and len(hours) == 24
    if not (parts and is_any_minute):
        parts.append(_steps(minutes, "minute"))
    whole = parts[-1].startswith("every")
    if len(hours) < 24:
        parts.append(f"hour{'s' if len(hours) > 1 else ''} {_ranges(hours)}")
    elif not whole:
        parts.append("every minute" if is_any_minute else "every hour")
    words = " of ".join(parts)
    return words if words.startswith("every") else f"at {words}"


def _steps(numbers: Sequence[int], unit: str) -> str:
    """Return which seconds or minutes are meant."""
    count = len(numbers)
    if count == _SIXTY:
        return f"every {unit}"
    step = _SIXTY // count
    if count > 1 and tuple(numbers) == tuple(range(0, _SIXTY, step)):
        return f"every {step} {unit}s"
    return f"{unit}{'s' if count > 1 else ''} {_ranges(numbers)}"


def _days(fields: Fields) -> str:
    days = fields.days
    by_month = [_special_words(special) for special in days.specials_of_month]
    by_week = [_special_words(special) for special in days.specials_of_week]
    any_day = len(days.of_month) == 31
    any_weekday = len(days.of_week) == len(_WEEK)
    if days.of_month and not any_day:
        many = "s" if len(days.of_month) > 1 else ""
        by_month.insert(0, f"day{many} {_ranges(sorted(days.of_month))} of the month")
    if days.of_week and not any_weekday:
        by_week.insert(0, _weekday_words(days.of_week))
    if any_day or any_weekday:
        # A day that any other would do for besides says nothing, where both have to hold.
        by_month = [] if any_day else by_month
        by_week = [] if any_weekday else by_week
        if days.either:
            return ""
    if by_month and by_week:
        if days.either:
            return f"{_listed(by_month)}, and on {_listed(by_week)} besides"
        return f"{_listed(by_week)}, if that is {_listed(by_month)}"
    return _listed(by_month or by_week)


def _weekday_words(of_week: Iterable[int]) -> str:
    places = sorted((day - 1) % len(_WEEK) for day in of_week)
    return _listed(_runs(places, [_WEEK[place] for place in range(len(_WEEK))]))


def _special_words(special: Special) -> str:
    match special:
        case Weekdays():
            return "Monday to Friday of each week"
        case DayOfWeek(weekday, number):
            return f"the {_ORDINALS[number]} {_WEEK[(weekday - 1) % len(_WEEK)]} of the month"
        case DayOfMonth(0, is_nearest):
            return f"the last {'weekday' if is_nearest else 'day'} of the month"
        case DayOfMonth(day, is_nearest):
            before = f"{-day} day{'s' if day < -1 else ''} before the last of the month"
            which = f"day {day} of the month" if day > 0 else before
            return f"the weekday nearest to {which}" if is_nearest else which
        case _ as never:
            assert_never(never)


def _exclusion_words(text: str) -> str:
    span = parse_exclusion(text)
    if isinstance(span, Fields):
        return fields_words(span)
    first, dots, last = (part.strip() for part in text.partition(".."))
    if not dots:
        return f"on {first}"
    until = "to the end of" if parse_date(last) else "to"
    return f"from {_moment_words(first)} {until} {_moment_words(last)}"


def _moment_words(text: str) -> str:
    moment = begin_of(text)
    return (
        text if moment is None or parse_date(text) else f"{moment:%Y-%m-%d} {_time_words(moment)}"
    )


def _ranges(numbers: Sequence[int]) -> str:
    step = numbers[1] - numbers[0] if len(numbers) > _RUN else 1
    if step > 1 and tuple(numbers) == tuple(range(numbers[0], numbers[-1] + 1, step)):
        return f"{numbers[0]} to {numbers[-1]} in steps of {step}"
    return _listed(_runs(numbers, list(map(str, range(max(numbers) + 1)))))


def _runs(places: Sequence[int], names: Sequence[str]) -> list[str]:
    """Return the names at places in order, three or more beside each other as a range."""
    found: list[str] = []
    at = 0
    while at < len(places):
        end = at
        while end + 1 < len(places) and places[end + 1] == places[end] + 1:
            end += 1
        if end - at + 1 >= _RUN:
            found.append(f"{names[places[at]]} to {names[places[end]]}")
            at = end + 1
        else:
            found.append(names[places[at]])
            at += 1
    return found


def _listed(words: Sequence[str]) -> str:
    """Return words as ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
