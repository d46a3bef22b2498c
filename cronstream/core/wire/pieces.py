"""Rows of tables as messages, and back: a large row goes in pieces, which fit any broker.

A partition of a changelog has one row, of which only the last counts. A small one is a message, as
it always was. A large one is compressed and cut; its pieces have keys of their own, in one of two
sets, which take turns: compaction keeps the last message of each key, so the row before stays
until there is a newer one that is whole. It is whole if all its pieces are there, by their number
and their digest; what a writer that died or was late has left of others is passed over.

A piece is JSON, so whoever knows of none takes it for the row of another key.

The text of a row is JSON: one value, or, of one that goes in pieces, perhaps several, one on each
line, so that it can be made and read a bit at a time.
"""

import base64
import contextlib
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson

#: A row that is no larger than this is a message of its own.
WHOLE_BYTES: Final = 64 * 1024
#: So much of a compressed row goes in a piece: a third more as text, and the message is still
#: below 900,000 bytes.
PIECE_BYTES: Final = 660_000
#: The pieces of one row have keys of one of these sets.
SETS: Final = 2
#: A row is at most so many times as large as compressed: the most alike runs take a fiftieth.
MOST_TIMES: Final = 250
_LEVEL = 1  # Of compression: three times as fast as the usual one, for a tenth more bytes.


def cut(key: bytes, row: bytes, turn: int) -> dict[bytes, bytes]:
    """Return the messages that a row goes in, by their keys.

    Args:
        key: The row's own, as JSON.
        row: Its text.
        turn: Which set of keys is its pieces'.
    """
    if len(row) <= WHOLE_BYTES:
        return {key: row}
    packed = zlib.compress(row, _LEVEL)
    digest = sha256(packed).hexdigest()
    parts = [packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES)]
    return {
        orjson.dumps(f"{orjson.loads(key)}/{turn % SETS}/{number}"): orjson.dumps(
            {
                "piece": number,
                "of": len(parts),
                "set": turn % SETS,
                "digest": digest,
                "part": base64.b64encode(part).decode(),
            }
        )
        for number, part in enumerate(parts)
    }


@dataclass(frozen=True, slots=True)
class LastRow:
    """The last whole row of a partition.

    Attributes:
        text: As JSON, compressed if it came in pieces; None if the last message says that there is
            none.
        turn: The set that its pieces are in; None if it is a message of its own.
    """

    text: bytes | None
    turn: int | None = None

    def lines(self) -> list[bytes]:
        """Return the JSON values that the row consists of.

        Of a large one that takes a while, for most of which Python's lock is free. What is damaged,
        or would fill the memory, comes as it is, and is no JSON.
        """
        text = self.text or b""
        if self.turn is not None:
            unpacking = zlib.decompressobj()
            with contextlib.suppress(zlib.error):
                unpacked = unpacking.decompress(text, MOST_TIMES * len(text))
                text = unpacked if unpacking.eof else text
        return text.split(b"\n")


@dataclass(slots=True)
class _Pieces:
    of: int
    turn: int
    last_offset: int = -1
    parts: dict[int, str] = field(default_factory=dict)


class RowSearch:
    """Looks for the last whole row among messages of a partition, which may come in any order."""

    def __init__(self) -> None:
        #: The last whole row of all that were taken; None if there is none yet.
        self.found: LastRow | None = None
        self._found_at = -1
        self._pieces: dict[str, _Pieces] = {}

    def fold(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take a message; one that is no row, nor a piece of one, is passed over."""
        if value is None:
            if b"/" not in (key or b""):
                self._note(offset, LastRow(None))
            return
        try:
            row = orjson.loads(value)
            if "piece" in row:
                self._add_piece(offset, row)
            elif isinstance(row, dict):
                self._note(offset, LastRow(value))
        except (KeyError, OverflowError, TypeError, ValueError):
            return

    def _note(self, offset: int, row: LastRow) -> None:
        if offset > self._found_at:
            self._found_at, self.found = offset, row

    def _add_piece(self, offset: int, piece: dict[str, Any]) -> None:
        digest = piece["digest"]
        pieces = self._pieces.setdefault(digest, _Pieces(int(piece["of"]), int(piece["set"])))
        pieces.parts[int(piece["piece"])] = piece["part"]
        pieces.last_offset = max(pieces.last_offset, offset)
        if len(pieces.parts) == pieces.of:
            del self._pieces[digest]
            packed = b"".join(base64.b64decode(pieces.parts[n]) for n in range(pieces.of))
            if sha256(packed).hexdigest() == digest:
                self._note(pieces.last_offset, LastRow(packed, pieces.turn))
