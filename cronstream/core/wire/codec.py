"""Messages to bytes and back, with every value checked.

The form is JSON: an object for one record, a list for several entries that go to one partition
in one message. ``__faust.ns`` names the kind, as Faust's own JSON does, and a field that has its
default is left out. ``v`` is the level of a record, left out for 1, and a record is read as its
level has it (`cronstream.core.wire.levels`): fields that it does not know have no effect, and are
kept and passed on; unknown kinds are refused, and the reader puts them aside.
"""

import types
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from cronstream.core.wire.entries import ENTRIES, Entry
from cronstream.core.wire.levels import FIELDS, KINDS, LEVEL, VALUES, needed_level
from cronstream.core.wire.messages import Message
from cronstream.core.wire.record import Record
from cronstream.core.wire.times import format_time
from cronstream.core.wire.values import (
    PLAIN,
    Reader,
    check_chain,
    list_reader,
    older,
    read_text_map,
    short,
    union_reader,
)
from cronstream.errors import MessageError

RecordT = TypeVar("RecordT", bound=Record)


def encode(message: Message) -> bytes:
    """Return one record as the bytes of a message."""
    return orjson.dumps(to_json(message))


def encode_entries(entries: Sequence[Entry]) -> bytes:
    """Return several entries as the bytes of one message; one alone has the plain form."""
    return orjson.dumps([to_json(e) for e in entries] if len(entries) > 1 else to_json(entries[0]))


def decode(raw: bytes | None, kind: type[RecordT]) -> RecordT:
    """Return the record in a message that holds exactly one of `kind`.

    Raises:
        MessageError: If it is anything else; the sentence says what.
    """
    return cast("RecordT", from_json(_parse(raw), {kind.__name__: kind}))


def decode_entries(raw: bytes | None, known: int = LEVEL) -> tuple[list[Entry], list[str]]:
    """Return the entries in a message of a log, and why others in it were refused.

    One bad entry among good ones costs only itself. Nothing is raised: what cannot be parsed
    at all is one refusal.

    Args:
        raw: The message.
        known: The highest level that this process knows.
    """
    try:
        parsed = _parse(raw)
    except MessageError as error:
        return [], [str(error)]
    if isinstance(parsed, list) and not parsed:
        return [], ["an empty list of entries"]
    entries: list[Entry] = []
    refused: list[str] = []
    for item in parsed if isinstance(parsed, list) else [parsed]:
        try:
            entries.append(from_json(item, _entry_kinds(), known))
        except MessageError as error:
            refused.append(str(error))
    return entries, refused


def to_json(record: Any) -> dict[str, Any]:
    """Return a record as JSON values, without the fields that have their defaults."""
    kind = type(record)
    out: dict[str, Any] = {"__faust": {"ns": f"cronstream.{kind.__name__}"}}
    out.update(_plain_fields(record))
    return out


def _plain_fields(record: Any) -> dict[str, Any]:
    level = needed_level(record)
    out: dict[str, Any] = {"v": level} if level > 1 else {}
    kind: Any = type(record)
    given = vars(record)
    for name, default, required in _given_fields(kind, tuple(given)):
        value = given[name]
        if required or (value is not default and value != default):
            out[name] = value if type(value) in _AS_IT_IS else _plain(value)
    if "unknown" in given:
        out.update(given["unknown"])
    return out


@lru_cache(maxsize=4096)
def _given_fields(kind: type[Record], names: tuple[str, ...]) -> tuple[tuple[str, Any, bool], ...]:
    """Return name, default and whether it is required, of those fields of a kind, in its order."""
    return tuple((f[0], f[2], f[3]) for f in _fields(kind, LEVEL) if f[0] in names)


_AS_IT_IS = frozenset((str, int, float, bool))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, Record):
        return _plain_fields(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


#: Most of what is published together has the same few times.
_time_text = lru_cache(maxsize=256)(format_time)


def from_json(item: Any, kinds: dict[str, type[Record]], known: int = LEVEL) -> Any:
    """Return the record that `item` describes.

    Args:
        item: What was parsed.
        kinds: What may be here, by name.
        known: The highest level that this process knows.

    Raises:
        MessageError: If its kind is none of `kinds`, a field is missing, or a value is not
            of its type or range.
    """
    if not isinstance(item, dict):
        raise MessageError(f"{short(item)} where an object belongs")
    meta = item.get("__faust")
    name = meta.get("ns") if isinstance(meta, dict) else None
    if not isinstance(name, str):
        raise MessageError("no __faust.ns, so nobody can know what this message is")
    kind, level = kinds.get(name.removeprefix("cronstream.")), item.get("v", 1)
    if kind is None or (level == 1 and kind in KINDS):
        raise MessageError(f"kind {short(name)} does not belong here")
    return build(kind, item, known)


def build(kind: type[RecordT], item: dict[str, Any], known: int = LEVEL) -> RecordT:
    """Return a record of `kind` from the JSON object of its fields, each value checked.

    Raises:
        MessageError: If a field is missing, a value is not of its type or range, or its level is
            not known.
    """
    level = item.get("v", 1)
    if level != 1:
        _check_level(kind, level, known)
        check_chain(item)
    values: dict[str, Any] = {}
    for name, read in _told_fields(kind, level, item):
        if read is None:
            raise MessageError(f"{kind.__name__}.{name} is missing")
        try:
            values[name] = read(item[name])
        except (TypeError, ValueError, OverflowError) as error:
            raise MessageError(f"{kind.__name__}.{name}: {error}") from error
    told = len(values)
    record = kind.of(values)
    if level != 1:
        vars(record)["v"] = level
    if len(item) > told + ("__faust" in item):
        _keep_unknown(record, item, values)
    return record


_Told: TypeAlias = tuple[tuple[str, Reader | None], ...]
#: By kind, level, and the names in an item: most records of a kind say the same few of its fields.
_TOLD_FIELDS: dict[tuple[Any, ...], _Told] = {}
#: No more are remembered, and none with names that are no fields: those come from outside.
_MOST_TOLD = 4096


def _told_fields(kind: type[Record], level: int, item: dict[str, Any]) -> _Told:
    """Return name and reader of each field that an item has; no reader where it has to, and lacks.

    In the order of the kind.
    """
    key = (kind, level, *item)
    told = _TOLD_FIELDS.get(key)
    if told is None:
        told = tuple(
            (name, read if name in item else None)
            for name, read, _, required in _fields(kind, level)
            if name in item or required
        )
        names = {name for name, _ in told}
        if len(_TOLD_FIELDS) < _MOST_TOLD and item.keys() <= names | _OUTSIDE:
            _TOLD_FIELDS[key] = told
    return told


def _check_level(kind: type[Record], level: Any, known: int) -> None:
    if type(level) is not int or level < KINDS.get(kind, 1):
        raise MessageError(f"{kind.__name__} of level {short(level)}")
    if level > known:
        raise MessageError(f"{kind.__name__} of level {level}, which was not announced here")


def _keep_unknown(record: Any, item: dict[str, Any], values: dict[str, Any]) -> None:
    unknown = {key: item[key] for key in item.keys() - values.keys() - _OUTSIDE}
    if unknown:
        vars(record)["unknown"] = unknown


#: What stands beside the fields of a record.
_OUTSIDE = frozenset(("__faust", "v"))


def _parse(raw: bytes | None) -> Any:
    if raw is None:
        raise MessageError("a tombstone (a message without a value)")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {error}") from error


@cache
def _entry_kinds() -> dict[str, type[Record]]:
    return {kind.__name__: kind for kind in ENTRIES}


_Field: TypeAlias = tuple[str, Reader, Any, bool]
_FIELDS: dict[int, dict[type[Record], tuple[_Field, ...]]] = {}


def _fields(kind: type[Record], level: int) -> tuple[_Field, ...]:
    """Return name, reader, default and whether it is required, of each field of a kind."""
    of_level = _FIELDS.get(level)
    if of_level is None:
        of_level = _FIELDS[level] = {}
    if kind not in of_level:
        of_level[kind] = _compile_fields(kind, level)
    return of_level[kind]


def _compile_fields(kind: type[Record], level: int) -> tuple[_Field, ...]:
    hints = get_type_hints(kind)
    since, values = FIELDS.get(kind, {}), VALUES.get(kind, {})
    return tuple(
        (
            name,
            older(_reader(hints[name]), values.get(name, {}), level),
            kind.defaults.get(name),
            name not in kind.defaults,
        )
        for name in kind.fields
        if since.get(name, 1) <= level
    )


def _reader(hint: Any) -> Reader:
    """Return what reads a JSON value of a type hint; it raises TypeError or ValueError."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return union_reader([_reader(arg) for arg in args if arg is not type(None)], args)
    if origin is list:
        return list_reader(_reader(args[0]))
    if origin is dict:
        return read_text_map
    if issubclass(hint, Record):
        return _record_reader(hint)
    if issubclass(hint, StrEnum):
        choices: Reader = hint
        return choices
    return PLAIN[hint]


def _record_reader(kind: type[Record]) -> Reader:
    def read(value: Any) -> Record:
        if not isinstance(value, dict):
            raise TypeError(f"{short(value)} is not an object")
        return build(kind, value)

    return read
