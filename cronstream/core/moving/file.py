"""An export as a file, and back: lines of JSON, which count only when all of them are there.

The last line has the number and the digest of those before it: a file that was cut off, or changed
by hand, is refused.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from cronstream.core.moving.export import Export, Kept, LogState
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.codec import build, to_json
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Discarded, Job
from cronstream.core.wire.times import format_time
from cronstream.core.wire.values import PLAIN
from cronstream.errors import HouseError, MessageError

#: Raised when a process that does not know of it would read a file wrongly.
FORMAT: Final = 1
_KIND: Final = "cronstream export"


def to_lines(export: Export) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end."""
    digest, count = sha256(), 0
    for item in _items(export):
        line = orjson.dumps(item) + b"\n"
        digest.update(line)
        count += 1
        yield line
    yield orjson.dumps({"end": count, "sha256": digest.hexdigest()}) + b"\n"


def _items(export: Export) -> Iterator[dict[str, Any]]:
    yield {
        _KIND: FORMAT,
        "level": LEVEL,
        "id": export.id,
        "installation": export.installation,
        "version": export.version,
        "at": format_time(export.at),
    }
    for cursor in export.cursors:
        yield {"cursor": cursor.to_row()}
    for kept in export.definitions:
        yield {"job": to_json(kept.job), "revision": kept.revision, "taken": kept.taken}
    for log in export.logs:
        yield {"log": asdict(log)}
    for discarded in export.discarded:
        yield {"discarded": to_json(discarded)}


def from_lines(name: str, raw: bytes) -> Export:
    """Return the export in a file.

    Args:
        name: The file's, for sentences.
        raw: All that is in it.

    Raises:
        HouseError: If it is no such file, or not all of one, or from a version that is not known.
    """
    first, *lines = raw.splitlines(keepends=True) or [b""]
    head = _parse(first)
    if _KIND not in head:
        raise HouseError(f"{name} is not an export of cronstream")
    if head[_KIND] != FORMAT or head.get("level", 0) > LEVEL:
        raise HouseError(
            f"{name} was written by cronstream {head.get('version')}, whose exports this version "
            "cannot read: upgrade it"
        )
    if not lines or not _is_whole(_parse(lines[-1]), [first, *lines[:-1]]):
        raise HouseError(
            f"{name} is not whole: it was cut off or changed; export once more, or copy it again"
        )
    try:
        return _read(head, [orjson.loads(line) for line in lines[:-1]])
    except (KeyError, TypeError, ValueError, MessageError) as error:
        raise HouseError(f"{name} is damaged: {error!r}") from error


def _parse(line: bytes) -> dict[str, Any]:
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return item if isinstance(item, dict) else {}


def _is_whole(end: dict[str, Any], lines: list[bytes]) -> bool:
    digest = sha256(b"".join(lines)).hexdigest()
    return (end.get("end"), end.get("sha256")) == (len(lines), digest)


def _read(head: dict[str, Any], items: list[dict[str, Any]]) -> Export:
    return Export(
        id=head["id"],
        installation=head["installation"],
        version=head["version"],
        at=PLAIN[datetime](head["at"]),
        cursors=[Cursor.from_row(item["cursor"]) for item in items if "cursor" in item],
        definitions=[
            Kept(build(Job, item["job"]), item["revision"], item["taken"])
            for item in items
            if "job" in item
        ],
        logs=[
            LogState(**{**item["log"], "day": tuple(item["log"]["day"])})
            for item in items
            if "log" in item
        ],
        discarded=[build(Discarded, x["discarded"]) for x in items if "discarded" in x],
    )
