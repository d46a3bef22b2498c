"""Reads JSON values, each checked: what does not fit raises TypeError or ValueError."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cronstream.core.limits import MAX_CHAIN
from cronstream.errors import MessageError

Reader: TypeAlias = Callable[[Any], Any]

#: Whole numbers beyond this are no offset, attempt or count that anybody made.
MAX_INT = 2**53


def older(read: Reader, since: dict[str, int], level: int) -> Reader:
    """Return a reader that knows none of the values that are above a level."""
    if all(first <= level for first in since.values()):
        return read

    def read_older(value: Any) -> Any:
        if isinstance(value, str) and since.get(value, 1) > level:
            raise ValueError(f"{short(value)} is not known at level {level}")
        return read(value)

    return read_older


def union_reader(readers: Iterable[Reader], args: tuple[Any, ...]) -> Reader:
    """Return what takes the first of some readers that does not refuse a value."""
    choices = tuple(readers)
    read = choices[0] if len(choices) == 1 else _first_of(choices)
    if type(None) not in args:
        return read
    return lambda value: None if value is None else read(value)


def _first_of(choices: tuple[Reader, ...]) -> Reader:
    def read(value: Any) -> Any:
        for choice in choices[:-1]:
            try:
                return choice(value)
            except (TypeError, ValueError):
                continue
        return choices[-1](value)

    return read


def check_chain(item: dict[str, Any]) -> None:
    """See that no longer chain follows a run, or a job, than any crontab asks for.

    Raises:
        MessageError: If one does: it would be read by a call within a call, and so on.
    """
    level = [item] if "then" in item else []
    for _ in range(MAX_CHAIN + 1):
        following = [
            one for item in level if isinstance(list_ := item.get("then"), list) for one in list_
        ]
        found = [one for one in following if isinstance(one, dict)]
        level = [inner for one in found for inner in one.values() if isinstance(inner, dict)]
        if not level:
            return
    raise MessageError(
        f"more than {MAX_CHAIN} runs follow each other, which no crontab can ask for"
    )


def list_reader(read_item: Reader) -> Reader:
    """Return what reads a list of values."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError(f"{short(value)} is not a list")
        return [read_item(item) for item in value]

    return read


def read_text_map(value: Any) -> dict[str, str]:
    """Read variables of an environment by name."""
    if not isinstance(value, dict):
        raise TypeError(f"{short(value)} is not an object")
    for key, text in value.items():
        _read_text(text)
        if not key or "=" in key or "\0" in key:
            raise ValueError(f"{short(key)} is not a name for a variable")
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{short(value)} is not text")
    if "\0" in value:
        raise ValueError("there is a NUL in it")
    return value


def _read_int(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{short(value)} is not a whole number")
    if not -MAX_INT <= value <= MAX_INT:
        raise ValueError(f"{value} is out of range")
    return value


def _read_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{short(value)} is not a number")
    number = float(value)
    if not 0 <= number <= MAX_INT:
        raise ValueError(f"{value} is out of range")
    return number


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{short(value)} is neither true nor false")
    return value


def _read_time(value: Any) -> datetime:
    if not isinstance(value, str):
        raise TypeError(f"{short(value)} is not a time")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return moment.astimezone(UTC)


#: What reads a value of a plain type.
PLAIN: dict[Any, Reader] = {
    str: _read_text,
    int: _read_int,
    float: _read_float,
    bool: _read_bool,
    datetime: _read_time,
}


def short(value: Any) -> str:
    """Return a value as a sentence may show it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
