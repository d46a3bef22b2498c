"""Calendar events of systemd (systemd.time(7)) to schedules: ``Mon..Fri *-*-* 08..17:00/15``.

systemd wants all of weekday, date and time to fit; in a crontab either of two days is enough. So
where both days are restricted, whole weeks become ``mon#1``, and else the other weekdays are
excluded.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cronstream.importers.found import Lost, zone_problem

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORTHANDS: Final = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
    "anually": "*-01-01 00:00:00",  # codespell:ignore anually - so spelled too
    "quarterly": "*-01,04,07,10-01 00:00:00",
    **dict.fromkeys(
        ("semiannually", "semi-annually", "biannually", "bi-annually"), "*-01,07-01 00:00:00"
    ),
}
_VALUE: Final = re.compile(r"(\*|\d+)(?:\.\.(\d+))?(?:/(\d+))?", re.ASCII)
#: The days of a month by weeks: the first Monday is the one from the 1st to the 7th.
_WEEKS: Final = tuple(frozenset(range(n, min(n + 7, 32))) for n in (1, 8, 15, 22, 29))
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_LAST_MOMENT: Final = int(datetime(_LAST_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Calendar:
    """When an event is due.

    Attributes:
        schedule: In our words.
        exclude: What of it is not, or empty.
        start: The first day; empty for no bound.
        end: The last day; empty for no bound.
        zone: Whose clock; None for the machine's.
    """

    schedule: str
    exclude: str = ""
    start: str = ""
    end: str = ""
    zone: str | None = None


def parse_calendar(text: str) -> Calendar:
    """Return what an ``OnCalendar=`` says.

    Raises:
        Lost: If that is no calendar event, or one that no schedule of ours says.
    """
    words, zone = _without_zone(text.split())
    if len(words) == 1 and words[0].startswith("@"):
        words, zone = _moment(words[0]), "UTC"
    if len(words) == 1 and words[0].lower() in _SHORTHANDS:
        words = _SHORTHANDS[words[0].lower()].split()
    weekdays = _weekdays(words.pop(0)) if words and words[0][:1].isalpha() else frozenset(range(7))
    date, time = "*-*-*", "00:00:00"
    if words and ":" not in words[0]:
        date = words.pop(0)
    if words and ":" in words[0]:
        time = words.pop(0)
    if words:
        raise Lost(f"OnCalendar={text} is not understood")
    clock = _clock(time)
    year, month, day = _date(date)
    start, end = _years(year)
    months = _render(_numbers(month, 1, 12), 1, 12)
    days, week, exclude = _days(day, weekdays)
    schedule = " ".join([*clock, days, months, week])
    return Calendar(schedule.removeprefix("0 "), exclude, start, end, zone)


def _without_zone(words: list[str]) -> tuple[list[str], str | None]:
    if len(words) > 1 or (words and "/" in words[0] and words[0][0].isalpha()):
        last = words[-1]
        zone = "UTC" if last.upper() == "UTC" else last
        problem = zone_problem(zone)
        if problem is None:
            return words[:-1], zone
        if last[0].isalpha() and last.lower()[:3] not in _DAYS:  # Nothing else has letters there.
            raise Lost(problem)
    return words, None


def _moment(text: str) -> list[str]:
    """Return date and time of ``@`` and seconds since 1970."""
    seconds = text.removeprefix("@")
    if not (seconds.isascii() and seconds.isdecimal()) or int(seconds) > _LAST_MOMENT:
        raise Lost(f"{text!r} is no time that systemd knows")
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return [f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"]


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.strip(",").split(","):
        first, _, last = part.replace("-", "..").partition("..")
        begin, end = _weekday(first), _weekday(last or first)
        if begin > end:
            raise Lost(f"{part!r} runs backwards; weeks begin on Monday")
        found.update((day + 1) % 7 for day in range(begin, end + 1))
    return frozenset(found)


def _weekday(text: str) -> int:
    """Return a day of the week, 0 for Monday."""
    name = text.lower()[:3]
    if name not in _DAYS:
        raise Lost(f"{text!r} is no day of the week")
    return (_DAYS.index(name) - 1) % 7


def _clock(text: str) -> list[str]:
    """Return second, minute and hour."""
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise Lost(f"{text!r} is no time of day")
    hour, minute, second = [*parts, "00"][:3]
    whole = re.sub(r"\.0+\b", "", second)
    if "." in whole.replace("..", ""):
        raise Lost(f"{text!r} has parts of a second; schedules go by whole ones")
    return [
        _render(_numbers(whole, 0, 59), 0, 59),
        _render(_numbers(minute, 0, 59), 0, 59),
        _render(_numbers(hour, 0, 23), 0, 23),
    ]


def _date(text: str) -> tuple[str, str, str]:
    """Return year, month and day, the last with ``~`` before it if it counts from the end."""
    head, tilde, last = text.partition("~")
    parts = [*head.split("-"), f"~{last}"] if tilde else head.split("-")
    if len(parts) not in (2, 3) or not all(parts):
        raise Lost(f"{text!r} is no date")
    year, month, day = ["*", *parts][-3:]
    return year, month, day


def _years(text: str) -> tuple[str, str]:
    if text == "*":
        return "", ""
    # Of two digits, 69 is 2069, and 70 is 1970 (`fix_year` in systemd's calendarspec.c).
    text = re.sub(r"(?<![\d/])\d{1,2}(?!\d)", lambda year: str(_full_year(int(year[0]))), text)
    years = _numbers(text, _FIRST_YEAR, _LAST_YEAR)
    if max(years) - min(years) + 1 != len(years):
        raise Lost(f"year {text!r} is not one range; write a job for each")
    return f"{min(years)}-01-01", f"{max(years)}-12-31"


def _full_year(year: int) -> int:
    return year + (2000 if year < 70 else 1900)


def _numbers(text: str, low: int, high: int) -> frozenset[int]:
    """Return what a part of a date or a time stands for."""
    found: set[int] = set()
    for term in text.split(","):
        match = _VALUE.fullmatch(term)
        if match is None:
            raise Lost(f"{term!r} is not understood")
        begin = low if match[1] == "*" else int(match[1])
        is_open = match[1] == "*" or match[3] is not None
        end = int(match[2]) if match[2] else high if is_open else begin
        step = int(match[3] or 1)
        if not low <= begin <= end <= high or not step:
            raise Lost(f"{term!r} is out of range")
        found.update(range(begin, end + 1, step))
    return frozenset(found)


def _render(numbers: frozenset[int], low: int, high: int) -> str:
    """Return numbers as a field has them: a star, a step of it, or a list of ranges."""
    listed = sorted(numbers)
    if len(listed) == high - low + 1:
        return "*"
    step = listed[1] - listed[0] if len(listed) > 2 else 0
    if step > 1 and listed == list(range(low, high + 1, step)):
        return f"*/{step}"
    runs: list[list[int]] = []
    for number in listed:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        short = [str(number) for number in run]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else short
    return ",".join(parts)


def _days(day: str, weekdays: frozenset[int]) -> tuple[str, str, str]:
    """Return day of month, day of week, and what to exclude."""
    week = ",".join(_DAYS[number] for number in sorted(weekdays))
    is_any_weekday = len(weekdays) == len(_DAYS)
    if day.startswith("~"):
        return _from_the_end(day.removeprefix("~"), weekdays)
    days = _numbers(day, 1, 31)
    if is_any_weekday:
        return _render(days, 1, 31), "*", ""
    if len(days) == 31:
        return "*", _render_week(weekdays), ""
    weeks = [number for number, of_it in enumerate(_WEEKS, start=1) if of_it <= days]
    if days == frozenset().union(*(_WEEKS[number - 1] for number in weeks)):
        nth = [f"{name}#{number}" for number in weeks for name in week.split(",")]
        return "*", ",".join(nth), ""
    others = frozenset(range(7)) - weekdays
    return _render(days, 1, 31), "*", f"* * * * {_render_week(others)}"


def _render_week(weekdays: frozenset[int]) -> str:
    listed = sorted(weekdays, key=lambda day: (day - 1) % 7)
    places = [(day - 1) % 7 for day in listed]
    if len(listed) > 2 and places == list(range(places[0], places[0] + len(places))):
        return f"{_DAYS[listed[0]]}-{_DAYS[listed[-1]]}"
    return ",".join(_DAYS[day] for day in listed)


def _from_the_end(text: str, weekdays: frozenset[int]) -> tuple[str, str, str]:
    if len(weekdays) < len(_DAYS):
        if re.fullmatch(r"0?7/0*1", text):  # Of the last seven days each is there once.
            return "*", ",".join(f"{_DAYS[day]}L" for day in sorted(weekdays)), ""
        raise Lost(f"~{text} with a day of the week is only known as ~07/1")
    days = []
    for term in text.split(","):
        if not term.isdecimal() or not 1 <= int(term) <= 31:
            raise Lost(f"~{term} is not understood; count days one by one: ~01, ~02")
        days.append("L" if int(term) == 1 else f"L-{int(term) - 1}")
    return ",".join(days), "*", ""
