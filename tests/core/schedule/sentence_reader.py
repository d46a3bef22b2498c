"""Reads the sentence of a schedule, and says when something is due: by its words alone.

It knows nothing of how schedules are written, and shares no code with what makes the sentence.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_WEEK = list(calendar.day_name)
_YEAR = list(calendar.month_name)[1:]
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_UNITS = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_EPOCH = datetime.fromisoformat("1970-01-01")


_ONCE = "what clocks skip is due right after, what they repeat once"
_SKIP = "what clocks skip is not due, what they repeat is once"
_TWICE = "what clocks skip is not due, what they repeat is twice"
_SECOND = timedelta(seconds=1)


def is_due(sentence: str, moment: datetime) -> bool | None:
    """Return whether a sentence says that something is due at a moment (aware, UTC).

    Where it is moved from then, that is due then all the same. None where clocks skip or repeat
    a time, and the sentence does not say what that means.
    """
    text = re.sub(r"; (?=and )", " ++ ", sentence.replace(" in steps of ", "/"))
    what, *rules = (part for part in text.split("; ") if not part.startswith("each moved"))
    found = re.search(r"by the clock of ([^ ;]+)", text)
    shown = _Shown.at(moment, found[1] if found else "UTC")
    rules = [rule for rule in rules if not rule.startswith("these by the clock of ")]
    ways = [rule for rule in rules if rule in (_ONCE, _SKIP, _TWICE)]
    bounds = [rule for rule in rules if rule not in ways]
    by_clock, clock, real = what.rpartition(", by the clock of ")
    real = real.partition(" ++ and ")[2] if clock else real
    said = [_clock_is_due(words, shown, ways) for words in by_clock.split(" ++ and ") if words]
    said += [_is_due_for_real(words, moment) for words in real.split(" ++ and ") if words]
    if not any(one is not False for one in said):
        return False
    if not all(_holds(rule, shown.wall) for rule in bounds):
        return False
    if shown.skipped and any(not _holds(rule, wall) for rule in bounds for wall in shown.skipped):
        return None  # Whether it is moved out of what is excluded, nobody says.
    return True if any(said) else None


def jitter_of(sentence: str) -> timedelta:
    """Return by less than how long each due time is moved; nothing if none is."""
    found = re.search(r"; each moved by less than (.+), picked by the name \S+$", sentence)
    return _length(found[1]) if found else timedelta()


@dataclass(frozen=True)
class _Shown:
    """What clocks show at a moment, whether for the second time, and what they just skipped."""

    wall: datetime
    is_second: bool
    skipped: list[datetime]

    @classmethod
    def at(cls, moment: datetime, zone: str) -> "_Shown":
        local = moment.astimezone(ZoneInfo(zone))
        wall = local.replace(tzinfo=None, fold=0)
        before = (moment - _SECOND).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        skipped = []
        while (before := before + _SECOND) < wall:
            if not before.second % 10:
                skipped.append(before)
        return cls(wall, local.fold == 1, skipped)


def _clock_is_due(words: str, shown: _Shown, ways: list[str]) -> bool | None:
    is_due = _wall_is_due(words, shown.wall)
    if shown.is_second and is_due:
        return _TWICE in ways if ways else None
    if not is_due and any(_wall_is_due(words, wall) for wall in shown.skipped):
        return _ONCE in ways if ways else None
    return is_due


def _holds(rule: str, wall: datetime) -> bool:
    if match := re.fullmatch(r"from (.+) on", rule):
        return wall >= _moment(match[1])
    if match := re.fullmatch(r"until the end of (.+)", rule):
        return wall < _moment(match[1]) + timedelta(days=1)
    if match := re.fullmatch(r"before (.+)", rule):
        return wall < _moment(match[1])
    assert rule.startswith("except "), f"nobody knows what {rule!r} means"
    parts = rule.removeprefix("except ").split(" ++ and ")
    return not any(_is_excluded(part, wall) for part in parts)


def _is_excluded(words: str, wall: datetime) -> bool:
    if match := re.fullmatch(r"on (\d{4}-\d\d-\d\d)", words):
        return wall.date() == date.fromisoformat(match[1])
    if match := re.fullmatch(r"from (.+?) to (the end of )?(\d{4}.*)", words):
        end = _moment(match[3]) + timedelta(days=1 if match[2] else 0)
        return _moment(match[1]) <= wall < end
    return _fields_are_due(words, wall.replace(second=0))


def _wall_is_due(words: str, wall: datetime) -> bool:
    if match := re.fullmatch(r"once, on (\S+) at (\S+)", words):
        return wall == _moment(f"{match[1]} {match[2]}")
    if match := re.fullmatch(r"every (?:(\d+) )?days? at (\S+), counted from (\S+)", words):
        first = _moment(f"{match[3]} {match[2]}")
        days = timedelta(days=int(match[1] or 1))
        return wall >= first and not (wall - first) % days
    return _fields_are_due(words, wall)


def _is_due_for_real(words: str, moment: datetime) -> bool:
    match = re.fullmatch(r"every (.+?)(?:, counted from (.+) UTC)?", words)
    assert match, f"nobody knows what {words!r} means"
    first = _moment(match[2]) if match[2] else _EPOCH
    passed = moment.replace(tzinfo=None) - first
    return passed >= timedelta() and not passed % _length(match[1])


def _length(words: str) -> timedelta:
    """Return how long ``1 hour 30 minutes`` is, or ``hour``."""
    assert re.fullmatch(r"((\d+ )?(day|hour|minute|second)s?( |$))+", words), words
    found = re.findall(r"(\d+ )?(day|hour|minute|second)s?", words)
    return timedelta(seconds=sum(int(number or 1) * _UNITS[unit] for number, unit in found))


def _fields_are_due(words: str, wall: datetime) -> bool:
    in_ = re.search(r", in ([A-Z].*)$", words)
    if in_:
        if wall.month - 1 not in numbers(in_[1], _YEAR):
            return False
        words = words[: in_.start()]
    clause, _, days = words.partition(", on ")
    return (not days or _day_is_due(days, wall.date())) and _time_is_due(clause, wall)


def _time_is_due(clause: str, wall: datetime) -> bool:
    clause = clause.removesuffix(" every day")
    if ":" in clause:
        listed = re.split(r", | and ", clause.removeprefix("at "))
        clocks = [[*map(int, each.split(":")), 0][:3] for each in listed]
        return [wall.hour, wall.minute, wall.second] in clocks
    parts = clause.removeprefix("at ").split(" of ")
    said = {"second": {0}, "minute": set(range(60)), "hour": set(range(24))}
    units = [next(unit for unit in said if unit in part) for part in parts]
    # A minute of a day, or a second of an hour, is another one than whoever says so means.
    assert "-".join(units) in "second-minute-hour", f"nobody knows what {clause!r} means"
    for part, unit in zip(parts, units, strict=True):
        said[unit] = _of_unit(part, unit, 24 if unit == "hour" else 60)
    return (
        wall.second in said["second"]
        and wall.minute in said["minute"]
        and wall.hour in said["hour"]
    )


def _of_unit(part: str, unit: str, size: int) -> set[int]:
    if match := re.fullmatch(rf"every (\d+) {unit}s", part):
        return set(range(0, size, int(match[1])))
    if part == f"every {unit}":
        return set(range(size))
    match = re.fullmatch(rf"{unit}s? (.+)", part)
    assert match, part
    return numbers(match[1], list(map(str, range(size))))


def _day_is_due(words: str, day: date) -> bool:
    if words.endswith(" besides"):
        by_month, _, by_week = words.removesuffix(" besides").partition(", and on ")
        return _one_day_is_due(by_month, day) or _one_day_is_due(by_week, day)
    by_week, _, by_month = words.partition(", if that is ")
    return _one_day_is_due(by_week, day) and (not by_month or _one_day_is_due(by_month, day))


def _one_day_is_due(words: str, day: date) -> bool:
    """Return whether a list of days, such as ``the last Friday of the month``, has a day."""
    specials = re.findall(
        r"(?:the \w+ \w+day|the last day|the last weekday|(?:the weekday nearest "
        r"to )(?:day \d+|\d+ days? before the last)|\d+ days? before the last)"
        r" of the month",
        words,
    )
    rest = words
    for special in specials:
        if _is_special(special.removesuffix(" of the month"), day):
            return True
        rest = rest.replace(special, "@")
    if "Monday to Friday of each week" in rest:
        if day.weekday() < 5:
            return True
        rest = rest.replace("Monday to Friday of each week", "@")
    rest = re.sub(r"(?:, | and )?@", "", rest).removeprefix(", ").removeprefix(" and ")
    if match := re.fullmatch(r"days? (.+) of the month", rest):
        return day.day in numbers(match[1], list(map(str, range(32))))
    return bool(rest) and day.weekday() in numbers(rest, _WEEK)


def _is_special(words: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if words.startswith("the weekday nearest to ") or words == "the last weekday":
        what = words.removeprefix("the weekday nearest to ")
        wanted = last if words == "the last weekday" else _day_named(what, last)
        return wanted is not None and day.day == _nearest(day.year, day.month, wanted, last)
    match = re.fullmatch(r"the (\w+) (\w+day)", words)
    if match and match[2] in _WEEK:
        if day.weekday() != _WEEK.index(match[2]):
            return False
        if match[1] == "last":
            return day.day + 7 > last
        return (day.day - 1) // 7 == _ORDINALS.index(match[1])
    return day.day == (last if words == "the last day" else _day_named(words, last))


def _day_named(words: str, last: int) -> int | None:
    if match := re.fullmatch(r"day (\d+)", words):
        return int(match[1]) if int(match[1]) <= last else None
    match = re.fullmatch(r"(\d+) days? before the last", words)
    assert match, words
    return last - int(match[1]) if int(match[1]) < last else None


def _nearest(year: int, month: int, wanted: int, last: int) -> int:
    days = [day for day in range(1, last + 1) if date(year, month, day).weekday() < 5]
    return min(days, key=lambda day: (abs(day - wanted), day))


def numbers(words: str, names: list[str]) -> set[int]:
    """Return the places of names that words like ``1, 3 to 5 and 9`` name."""
    found: set[int] = set()
    for term in re.split(r", | and ", words):
        first, _, last = term.partition(" to ")
        last, _, step = last.partition("/")
        begin, end = names.index(first), names.index(last or first)
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _moment(words: str) -> datetime:
    return datetime.fromisoformat(words)
