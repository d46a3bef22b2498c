"""What is kept of a command's output: its beginning and its end, in bounded memory."""

from dataclasses import dataclass

#: The most bytes of one character in UTF-8 (RFC 3629).
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: ``omitted`` bytes stood between ``head`` and ``tail``."""

    head: str
    tail: str
    omitted: int


class Output:
    """The first and the last ``limit`` bytes of a stream, whatever its length."""

    __slots__ = ("_head", "_limit", "_tail", "_total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""
        self._tail = b""
        self._total = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._total += len(data)
        room = self._limit - len(self._head)
        if room:
            self._head += data[:room]
            data = data[room:]
        if data and self._limit:
            self._tail = (self._tail + data)[-self._limit :]

    def kept(self) -> Kept:
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
        omitted = self._total - len(whole) - len(tail)
        return Kept(whole.decode(errors="replace"), tail.decode(errors="replace"), omitted)


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
