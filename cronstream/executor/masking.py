"""Takes secrets out of a stream of bytes, wherever its chunks happen to end."""

from collections.abc import Iterable, Iterator
from typing import Final

MASK: Final = b"***"
#: Of a secret with several lines each that is as long as this is one too: programs print lines.
_LINE_BYTES: Final = 8
#: The beginning of a secret that ends a stream is masked if it is as long as this.
_BEGINNING_BYTES: Final = 4


class Masker:
    """Replaces each secret that a stream has in it, also one that comes in several chunks.

    Args:
        secrets: What is to be masked; an empty one is none.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted({part for secret in secrets for part in _parts(secret)})
        #: What may be the beginning of a secret, and how much of it has been masked already.
        self._rest, self._masked = b"", 0

    def feed(self, data: bytes) -> bytes:
        """Return what is certain of the stream once ``data`` has come."""
        data = self._rest + data
        end = self._beginning_in(data)
        shown, masked = self._mask(data, end)
        self._rest, self._masked = data[end:], max(masked - end, 0)
        return shown

    def finish(self) -> bytes:
        """Return what is left once the stream has ended."""
        rest, shown = self._rest, b""
        if len(rest) - self._masked >= _BEGINNING_BYTES:
            shown = MASK
        else:
            shown, _ = self._mask(rest, len(rest))
        self._rest, self._masked = b"", 0
        return shown

    def _beginning_in(self, data: bytes) -> int:
        """Return where in ``data`` a secret may begin that goes on after it."""
        return min((_beginning(secret, data) for secret in self._secrets), default=len(data))

    def _mask(self, data: bytes, end: int) -> tuple[bytes, int]:
        """Return what is shown of ``data`` before ``end``, and where the last mask ends."""
        shown, at = [], self._masked
        for start, stop in self._places(data):
            if start >= end and start >= at:
                break
            if start >= at:
                shown += [data[at:start], MASK]
            at = max(at, stop)
        shown.append(data[at:end])
        return b"".join(shown), at

    def _places(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets begin and end in ``data``, in order; they may overlap."""
        return sorted(place for secret in self._secrets for place in _finds(secret, data))


def _parts(secret: bytes) -> list[bytes]:
    lines = [line.strip() for line in secret.splitlines()]
    parts = [secret.strip(b"\r\n"), *(line for line in lines if len(line) >= _LINE_BYTES)]
    return [part for part in parts if part]


def _finds(secret: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = data.find(secret, at + 1)


def _beginning(secret: bytes, data: bytes) -> int:
    view = memoryview(data)
    at = data.find(secret[:1], max(len(data) - len(secret) + 1, 0))
    while at >= 0:
        if secret.startswith(view[at:]):
            return at
        at = data.find(secret[:1], at + 1)
    return len(data)
