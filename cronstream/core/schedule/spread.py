"""``H`` to a number that a job's name picks, so that jobs do not all begin at once.

What ``H`` becomes is for ever the same for a name, on every machine, and independent from field to
field. It is written out before a job is published, so only who reads the crontab knows of it; ``?``
becomes the star that it means likewise.
"""

import hashlib
import itertools
import re
from typing import Final

from cronstream.errors import ScheduleError

#: What each field is spread over. A day of the month that not every month has is none of them.
_RANGES: Final = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 28),
    ("month", 1, 12),
    ("day of week", 0, 6),
)
_SPREAD = re.compile(r"h(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,2}))?", re.ASCII | re.IGNORECASE)
#: Whether there is anything to write out at all.
_HINT = re.compile(r"(?<![a-z])h(?![a-z])|\?", re.IGNORECASE)
_DAYS: Final = (3, 5)


def spread(expression: str, job: str) -> str:
    """Return a cron expression with a number for each ``H``, and a star for ``?``.

    Args:
        expression: What else it says is not looked at.
        job: The name that picks the numbers.

    Raises:
        ScheduleError: If an ``H`` has a range or a step that its field does not have.
    """
    texts = expression.split()
    if len(texts) not in (5, 6) or expression.startswith("@") or not _HINT.search(expression):
        return expression
    first = 6 - len(texts)
    return " ".join(_written_out(first + n, text, job) for n, text in enumerate(texts))


def _written_out(place: int, text: str, job: str) -> str:
    if text == "?" and place in _DAYS:
        return "*"
    return ",".join(_number(place, term, job) for term in text.split(","))


def _number(place: int, term: str, job: str) -> str:
    match = _SPREAD.fullmatch(term)
    if match is None:
        return term
    title, low, high = _RANGES[place]
    if match[1] is not None:
        low, high = _bounds(title, term, int(match[1]), int(match[2]))
    chosen = _hash(title, job)
    if match[3] is None:
        return str(low + chosen % (high - low + 1))
    step = int(match[3])
    if not 1 <= step <= high - low + 1:
        raise ScheduleError(
            f"{title} {term!r} has a step of {step}; here steps go from 1 to {high - low + 1}"
        )
    return f"{low + chosen % step}-{high}/{step}"


def _bounds(title: str, term: str, low: int, high: int) -> tuple[int, int]:
    _, least, most = next(each for each in _RANGES if each[0] == title)
    most = 31 if title == "day of month" else most
    if high < low:
        raise ScheduleError(f"{title} {term!r} runs backwards; write the smaller number first")
    if not least <= low <= high <= most:
        raise ScheduleError(f"{title} {term!r} is out of range; it goes from {least} to {most}")
    return low, high


def _hash(title: str, job: str) -> int:
    """Return a number for a field of a job: it must never be another one."""
    return int.from_bytes(hashlib.sha256(f"{title}\0{job}".encode()).digest()[:8], "big")


# -- what could be spread --------------------------------------------------------------------------

_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@every 1h": "0 * * * *",
    "@every 1d": "0 0 * * *",
}
_EVERY = re.compile(r"@every (\d{1,2})m", re.ASCII | re.IGNORECASE)
_STEP = re.compile(r"\*/(\d{1,2})", re.ASCII)


def spread_instead(expression: str, job: str) -> str:
    """Return how a schedule could be written so that its job is spread: as often, at its own time.

    A fixed minute becomes ``H``, a step of minutes ``H/15``; where neither is there, and where the
    minute is spread already, the second is. What knows no fields stays as it is.

    Args:
        expression: Written out: without any ``H``.
        job: Its name.
    """
    every = _EVERY.fullmatch(expression)
    text = f"*/{every[1]} * * * *" if every else _NICKNAMES.get(expression.lower(), expression)
    fields = text.split()
    if text.startswith("@") or len(fields) not in (5, 6):
        return expression
    minute, rest = len(fields) - 5, fields[-4:]
    instead = _spread_minute(fields[minute])
    if minute and not fields[0].isdecimal():
        return expression
    if instead is None:
        return expression if every else " ".join(["H", *fields[minute:]])
    in_minutes = " ".join([instead, *rest])
    if not minute and spread(in_minutes, job) != text:
        return in_minutes
    return f"H {in_minutes}"


def _spread_minute(text: str) -> str | None:
    if text.isdecimal():
        return "H"
    step = _STEP.fullmatch(text)
    minutes = [int(word) for word in text.split(",") if word.isdecimal()]
    if step is None and len(minutes) == text.count(",") + 1:
        apart = {after - before for before, after in itertools.pairwise(minutes)}
        every = apart.pop() if len(apart) == 1 else 0
        return f"H/{every}" if every * len(minutes) == 60 else None
    return f"H/{step[1]}" if step and int(step[1]) and 60 % int(step[1]) == 0 else None
