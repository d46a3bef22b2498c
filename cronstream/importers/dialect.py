"""Cron expressions as other programs read them, in the words of ours.

What differs between them is small, and easily overlooked: what a step beyond the end means, which
fields count as restricted when both days are given, where seconds and years stand. The sources are
cron(5) of Debian and of cronie, github.com/robfig/cron (`parser.go`; Kubernetes and Ofelia), and
supercronic's cronexpr (`cronexpr_parse.go`).
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from cronstream.core.schedule.duration import format_duration
from cronstream.core.schedule.fields import NICKNAMES
from cronstream.importers.found import Lost, schedule_problem


class Dialect(Enum):
    """Whose expressions they are."""

    #: cron(8) of Debian, cronie, the BSDs and BusyBox.
    CRON = "cron"
    #: Kubernetes and Ofelia: five fields, or six with the second first; Go's lengths of time.
    ROBFIG = "robfig"
    #: supercronic: a sixth field is the year, and with seven the first is the second.
    CRONEXPR = "cronexpr"


class Expression(NamedTuple):
    """An expression in our words.

    Attributes:
        text: The schedule.
        year: Only in this one, if it is not empty.
        remarks: What is not quite as it was.
    """

    text: str
    year: str = ""
    remarks: tuple[str, ...] = ()


#: Lowest and highest of second, minute, hour, day of month, month, day of week.
_BOUNDS: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_DOM, _DOW = 3, 5
_OTHER_NICKNAMES: Final = {"@every_minute": "* * * * *", "@every_second": "* * * * * *"}
_LONG_NAME: Final = re.compile(
    r"\b(sun|mon|tue|wed|thu|fri|sat)(?:s|nes|rs|ur)?day\b"
    r"|\b(jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)[a-z]+\b",
    re.IGNORECASE,
)
_STEPPED: Final = re.compile(r"(\*|\d+(?:-\d+)?)/(\d+)", re.ASCII)
_RANDOM: Final = re.compile(r"(\d*)~(\d*)(/\d+)?", re.ASCII)
_GO_LENGTH: Final = re.compile(r"(?:(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns))", re.ASCII)
_GO_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 0}
_ZONED: Final = re.compile(r"(?:CRON_TZ|TZ)=(\S*)\s+(.*)", re.DOTALL)


def split_zone(text: str) -> tuple[str | None, str]:
    """Return the zone that an expression begins with, and the rest.

    As in ``CRON_TZ=Asia/Tokyo 0 9 * * *``.
    """
    found = _ZONED.fullmatch(text.strip())
    return (found[1], found[2]) if found else (None, text.strip())


def translate(text: str, dialect: Dialect) -> Expression:
    """Return an expression in our words; whether it is a schedule is not checked.

    Raises:
        Lost: If it says something that no schedule of ours does.
    """
    if text.startswith("@"):
        return Expression(_nickname(text))
    fields = text.split()
    year = ""
    if dialect is Dialect.CRONEXPR and len(fields) in (6, 7):
        year = fields.pop()
    seconds = fields.pop(0) if len(fields) == 6 else None
    if len(fields) != 5:
        raise Lost(f"schedule {text!r} has {len(fields)} fields")
    remarks: list[str] = []
    whole = [seconds or "0", *(_LONG_NAME.sub(_short, field) for field in fields)]
    read = [_field(index, field, dialect, remarks.append) for index, field in enumerate(whole)]
    if dialect is not Dialect.CRON:
        _restrict(read, dialect)
    kept = read[1:] if read[0] == "0" else read
    return Expression(" ".join(kept), "" if year in ("*", "?") else year, tuple(remarks))


def _nickname(text: str) -> str:
    name = text.lower()
    if name == "@reboot":
        raise Lost(
            "@reboot is when a machine starts, which is no due time; have its service manager do it"
        )
    if not name.startswith("@every "):
        return _OTHER_NICKNAMES.get(name, name)
    length = name.removeprefix("@every ").strip()
    if not re.fullmatch(f"(?:{_GO_LENGTH.pattern})+", length):
        raise Lost(f"schedule {text!r} has no length of time")
    seconds = sum(float(count) * _GO_UNITS[unit] for count, unit in _GO_LENGTH.findall(length))
    # robfig: at least a second, and whole ones (`constantdelay.go`).
    return f"@every {format_duration(max(1, int(seconds)))}"


def _short(found: re.Match[str]) -> str:
    return str(found[1] or found[2]).lower()


def _field(index: int, text: str, dialect: Dialect, remark: Callable[[str], None]) -> str:
    terms = [_term(index, term, dialect, remark) for term in text.split(",")]
    # Every value, wherever in the list it stands; to cron(8) only a star in front is one.
    is_every = dialect is not Dialect.CRON and {"*", "?"} & set(terms)
    return "*" if is_every else ",".join(terms)


def _term(index: int, term: str, dialect: Dialect, remark: Callable[[str], None]) -> str:
    low, high = _BOUNDS[index]
    if dialect is Dialect.CRON and (found := _RANDOM.fullmatch(term)):
        spread = f"H({found[1] or low}-{found[2] or high}){found[3] or ''}"
        alone = " ".join(spread if place == index else "*" for place in range(len(_BOUNDS)))
        if (problem := schedule_problem(alone, "UTC")) is not None:
            raise Lost(problem.replace(repr(spread), repr(term)))
        remark(f"{term!r} was picked by chance at each start; {spread} is picked by the job's name")
        return spread
    found = _STEPPED.fullmatch(term)
    if found is None:
        return term
    base, step = found[1], int(found[2])
    if step > high:
        first = str(low) if base == "*" else base.partition("-")[0]
        remark(f"{term!r} steps beyond the end, so it is {first} alone")
        return first
    if dialect is Dialect.CRON and base.isdecimal():
        remark(f"{term!r} is read as {base}-{high}/{step}; some crons take it for {base} alone")
    return term


def _restrict(fields: list[str], dialect: Dialect) -> None:
    """Write steps of days so that they count as restricted, as these programs have it.

    To cron(8), and to us, a field that begins with a star restricts nothing: of two days both have
    to fit. To these only a star without a step does so; with one, either is enough.
    """
    if "*" in (fields[_DOM], fields[_DOW]):
        return
    least = 2 if dialect is Dialect.ROBFIG else 1
    for index in (_DOM, _DOW):
        low, high = _BOUNDS[index]
        terms = []
        for term in fields[index].split(","):
            found = _STEPPED.fullmatch(term)
            is_open = found is not None and found[1] == "*" and int(found[2]) >= least
            terms.append(f"{low}-{high}/{found[2]}" if found and is_open else term)
        fields[index] = ",".join(terms)


def nicknames() -> frozenset[str]:
    """Return what may stand in place of fields."""
    return frozenset({*NICKNAMES, *_OTHER_NICKNAMES, "@reboot"})
