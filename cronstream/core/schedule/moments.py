"""Times and dates as people write them in the crontab: what a clock shows, without a zone."""

import re
from datetime import datetime
from typing import Final

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"\d\d:\d\d(?::\d\d)?", re.ASCII)
#: Where times of day without a date are counted from.
_FIRST_DAY: Final = "1970-01-01"


def parse_wall(text: str) -> datetime | None:
    """Return the time that a text is, as naive; None if it is no time.

    Raises:
        ValueError: If no calendar or clock has such a time; the sentence goes behind the text.
    """
    return _read(text) if _TIME.fullmatch(text) else None


def parse_date(text: str) -> datetime | None:
    """Return the beginning of the day that a text is, as naive; None if it is no date.

    Raises:
        ValueError: If no calendar has such a day; the sentence goes behind the text.
    """
    return _read(text) if _DATE.fullmatch(text) else None


def parse_time_of_day(text: str) -> datetime | None:
    """Return when the first day of 1970 had a time of day, as naive; None if it is none.

    Raises:
        ValueError: If no clock has such a time; the sentence goes behind the text.
    """
    return _read(f"{_FIRST_DAY}T{text}") if _TIME_OF_DAY.fullmatch(text) else None


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"does not exist: {error}") from error
