"""What is kept of a command's output: its beginning and its end, in bounded memory.

Both fit in a message, whatever the bytes are: text takes little more room there than here, but a
byte that is no text takes three, or six, and of such output less is kept.
"""

from dataclasses import dataclass

from cronstream.core.wire.sizes import MAX_OUTPUT_BYTES, json_bytes
from cronstream.executor.masking import Masker
from cronstream.executor.tap import Tap

#: The most bytes of one character in UTF-8 (RFC 3629).
_LONGEST = 4
#: The most that one byte takes in a message: a control character is written as \u0001.
_MOST_IN_JSON = 6


@dataclass(frozen=True, slots=True)
class Keeping:
    """What becomes of what commands write.

    Attributes:
        output_bytes: Bytes kept of the beginning of each output, and as many of its end.
        shows_all: Whether all of it is handed on as it comes.
    """

    output_bytes: int
    shows_all: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: ``omitted`` bytes stood between ``head`` and ``tail``."""

    head: str
    tail: str
    omitted: int


class Output:
    """The first and the last ``limit`` bytes of a stream, whatever its length.

    What is to be masked is masked before anything is cut, so no part of it is left at an edge.

    Attributes:
        tap: Is fed what comes, without secrets, while somebody looks.
    """

    __slots__ = ("_head", "_limit", "_masker", "_tail", "_total", "tap")

    def __init__(self, limit: int, masker: Masker | None = None) -> None:
        self._limit, self._masker = limit, masker
        self._head = b""
        self._tail = b""
        self._total = 0
        self.tap: Tap | None = None

    def feed(self, data: bytes) -> None:
        """Keep what belongs to it of the next bytes of the stream, without secrets."""
        self._keep(data if self._masker is None else self._masker.feed(data))

    def _keep(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.feed(data)
        self._total += len(data)
        room = self._limit - len(self._head)
        if room:
            self._head += data[:room]
            data = data[room:]
        if data and self._limit:
            self._tail = (self._tail + data)[-self._limit :]

    def kept(self) -> Kept:
        """Return what is kept once no more comes: see `so_far`."""
        if self._masker is not None:
            self._keep(self._masker.finish())
        return self.so_far()

    def so_far(self) -> Kept:
        """Return what is kept so far as text; no character is cut in two.

        Bytes that are no UTF-8 become U+FFFD. A character that lies across the end of the head
        goes to the tail if nothing is omitted, else it counts as omitted.
        """
        whole = _without_cut_end(self._head) if self._total > len(self._head) else self._head
        cut_off = self._head[len(whole) :]
        if self._total == len(self._head) + len(self._tail):
            tail = cut_off + self._tail
        else:
            tail = _without_cut_beginning(self._tail)
        head, tail = _head_that_fits(whole), _tail_that_fits(tail)
        omitted = self._total - len(head) - len(tail)
        return Kept(_text(head), _text(tail), omitted)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _head_that_fits(data: bytes) -> bytes:
    while (room := _room(data)) < len(data):
        data = _without_cut_end(data[:room])
    return data


def _tail_that_fits(data: bytes) -> bytes:
    while (room := _room(data)) < len(data):
        data = _without_cut_beginning(data[len(data) - room :])
    return data


def _room(data: bytes) -> int:
    """Return how many bytes fit if all are like the average of these: fewer until all do."""
    if len(data) <= MAX_OUTPUT_BYTES // _MOST_IN_JSON:
        return len(data)
    size = json_bytes(_text(data))
    return len(data) if size <= MAX_OUTPUT_BYTES else len(data) * MAX_OUTPUT_BYTES // size


def _without_cut_end(data: bytes) -> bytes:
    """Return ``data`` without the bytes of a character that would go on after it."""
    for back in range(1, min(_LONGEST, len(data) + 1)):
        byte = data[-back]
        if not _continues(byte):
            return data[:-back] if _length(byte) > back else data
    return data


def _without_cut_beginning(data: bytes) -> bytes:
    """Return ``data`` without the last bytes of a character that began before it."""
    start = 0
    while start < min(_LONGEST - 1, len(data)) and _continues(data[start]):
        start += 1
    return data[start:]


def _continues(byte: int) -> bool:
    return byte & 0xC0 == 0x80


def _length(first: int) -> int:
    """Return how many bytes the character has that begins with ``first``."""
    return 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
