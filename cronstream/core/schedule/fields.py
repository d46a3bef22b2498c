"""Cron expressions to sets of numbers: the language that a crontab of version 1 may use.

croniter parses what a field says, once it has the shape that we allow: croniter itself takes
more (ranges that wrap around), and reads ``L`` and ``#`` otherwise than Quartz; those are ours
(`cronstream.core.schedule.days`). Names, ranges and steps are left to it, but for what it reads
otherwise than cron(8), which a test lists: a range from a number to itself is every value to it,
and a step from a day of the week on ends before Sunday as 7. What it gives is a set of numbers;
`cronstream.core.schedule.walls` searches in them.
"""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

from croniter import croniter

from cronstream.core.schedule.days import Days, Special, special_of_month, special_of_week
from cronstream.errors import ScheduleError

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_TERM = re.compile(
    r"(?:\*|(?P<first>\d{1,4}|[a-z]{3})(?:-(?P<last>\d{1,4}|[a-z]{3}))?)(?:/(?P<step>\d{1,4}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the six fields of an expression.

    Attributes:
        place: Its index in croniter's order, which has seconds last.
        names: What may stand for numbers; the first name stands for `low`.
    """

    title: str
    place: int
    low: int
    high: int
    names: tuple[str, ...] = ()


_SECOND = _Field("second", 5, 0, 59)
_MINUTE = _Field("minute", 0, 0, 59)
_HOUR = _Field("hour", 1, 0, 23)
_DOM = _Field("day of month", 2, 1, 31)
_MONTH = _Field("month", 3, 1, 12, tuple(_MONTHS))
_DOW = _Field("day of week", 4, 0, 7, tuple(_DAYS))
_FIELDS = (_SECOND, _MINUTE, _HOUR, _DOM, _MONTH, _DOW)


@dataclass(frozen=True, slots=True)
class Fields:
    """A cron expression as ordered numbers.

    Attributes:
        wild: Whether second, minute or hour begins with a star: such a schedule follows real
            time when clocks change, and one at fixed times does not (Debian's cron(8)).
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: Days
    wild: bool


def parse_fields(expression: str) -> Fields:
    """Return what an expression of 5 fields, or 6 with seconds first, or a nickname says.

    Raises:
        ScheduleError: If it is not valid, or no calendar has such a day.
    """
    texts = _texts(expression)
    second, minute, hour, month = (_numbers(index, texts[index]) for index in (0, 1, 2, 4))
    dom, specials_of_month = _days_of(_DOM, texts[3])
    dow, specials_of_week = _days_of(_DOW, texts[5])
    either = not texts[3].startswith("*") and not texts[5].startswith("*")
    days = _days(dom, dow, either, specials_of_month, specials_of_week)
    months = _possible(month, days)
    if not months:
        raise ScheduleError(
            "can never be due: no month has such a day; change the day of month or the month"
        )
    wild = any(text.startswith("*") for text in texts[:3])
    return Fields(second, minute, hour, months, days, wild)


def _texts(expression: str) -> list[str]:
    """Return the six fields of an expression, in lower case, the second first."""
    nickname = expression.lower()
    if nickname.startswith("@") and nickname not in NICKNAMES:
        near = difflib.get_close_matches(nickname.split()[0], [*NICKNAMES, "@every", "@at"], n=1)
        others = f"there are {', '.join(NICKNAMES)}, @every 10m, @at 2026-12-24T18:00"
        hint = f"did you mean '{near[0]}'?" if near else others
        raise ScheduleError(f"is not a known nickname; {hint}")
    texts = NICKNAMES.get(nickname, expression).lower().split()
    if len(texts) not in (5, 6):
        raise ScheduleError(
            f"has {len(texts)} {'field' if len(texts) == 1 else 'fields'}; write 5 (minute, hour, "
            "day of month, month, day of week), or 6 with seconds first, "
            f"or one of {', '.join(NICKNAMES)}, @every 10m"
        )
    texts = texts if len(texts) == 6 else ["0", *texts]
    for place in (3, 5):
        texts[place] = "*" if texts[place] == "?" else texts[place]
    return texts


@lru_cache(maxsize=4096)
def _possible(months: tuple[int, ...], days: Days) -> tuple[int, ...]:
    return tuple(month for month in months if days.can_be_in(month))


@lru_cache(maxsize=4096)
def _days(
    dom: tuple[int, ...],
    dow: tuple[int, ...],
    either: bool,
    specials_of_month: tuple[Special, ...],
    specials_of_week: tuple[Special, ...],
) -> Days:
    return Days(frozenset(dom), frozenset(dow), either, specials_of_month, specials_of_week)


@lru_cache(maxsize=4096)
def _days_of(part: _Field, text: str) -> tuple[tuple[int, ...], tuple[Special, ...]]:
    """Return the numbers that a field of days stands for, and what each month has elsewhere."""
    plain, specials = [], []
    for term in text.split(","):
        special = special_of_month(term) if part is _DOM else special_of_week(term, part.names)
        if special is None:
            plain.append(term)
        else:
            specials.append(special)
    numbers = _numbers(_FIELDS.index(part), ",".join(plain)) if plain else ()
    return numbers, tuple(specials)


@lru_cache(maxsize=4096)
def _numbers(index: int, text: str) -> tuple[int, ...]:
    """Return the numbers that one field stands for, in order."""
    part = _FIELDS[index]
    plain = ",".join(_readable(part, term) for term in text.split(","))
    # croniter takes 7 for Sunday only where there are no seconds.
    fields = ["*"] * (6 if part is _SECOND else 5)
    fields[part.place] = plain
    try:
        parsed = croniter.expand(" ".join(fields))[0][part.place]
    except ValueError as error:
        raise ScheduleError(f"{part.title} {text!r} is not valid: {error}") from error
    if "*" in parsed:  # Also within a list, which has every value then.
        return tuple(range(part.low, part.high if part is _DOW else part.high + 1))
    return tuple(sorted({int(number) for number in parsed}))


def _readable(part: _Field, term: str) -> str:
    """Return one term of a list as it is, or in a form that croniter reads as cron(8) does.

    Raises:
        ScheduleError: If it has another shape, or a number out of range.
    """
    match = _TERM.fullmatch(term)
    if match is None:
        raise ScheduleError(f"{part.title} {term!r} {_not_understood(part, term)}")
    step = match["step"]
    if step is not None and not 1 <= int(step) <= part.high:
        raise ScheduleError(
            f"{part.title} {term!r} has a step of {step}; steps go from 1 to {part.high}"
        )
    if match["first"] is None:
        return term
    first = _number(part, match["first"])
    last = part.high if step else first
    if match["last"] is not None:
        last = _number(part, match["last"])
    if part is _DOW and last == 0 < first:
        last = 7
    if first > last:
        raise ScheduleError(
            f"{part.title} {term!r} runs backwards; write it as two, "
            f"{match['first']}-{part.high},{part.low}-{match['last']}"
        )
    if first == last:
        return str(first)
    is_open = match["last"] is None and step is not None
    return f"{first}-{last}/{step}" if is_open and part is _DOW else term


def _not_understood(part: _Field, term: str) -> str:
    if _SPREAD.fullmatch(term):
        return "is spread by the name of a job, and here is none; name the job"
    if _H.match(term):
        return "is not understood; 'H' stands alone, or as H(0-29), H/15 or H(0-29)/10"
    if part is _DOM:
        more = ", L, L-3, 15W or LW"
    elif part is _DOW:
        more = ", fri#2 or 5L"
    else:
        more = ""
    return (
        f"is not understood; write a number, a name, a range like 1-5, a step like */10{more}, "
        "or a list of them"
    )


#: As `spread` takes it where it knows the job.
_SPREAD = re.compile(r"h(?:\(\d{1,2}-\d{1,2}\))?(?:/\d{1,2})?", re.ASCII)
_H = re.compile(r"h(?![a-z])")


def _number(part: _Field, word: str) -> int:
    """Return the number that a name or digits stand for.

    Raises:
        ScheduleError: If the field has no such value.
    """
    if word.isdecimal():
        if part.low <= int(word) <= part.high:
            return int(word)
        raise ScheduleError(
            f"{part.title} {word!r} is out of range; it goes from {part.low} to {part.high}"
        )
    if word in part.names:
        return part.names.index(word) + part.low
    known = f"; it has {', '.join(part.names)}" if part.names else "; write a number"
    raise ScheduleError(f"{part.title} {word!r} is not known{known}")
