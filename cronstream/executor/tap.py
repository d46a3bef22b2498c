"""What a command writes while somebody looks: all of it, up to so much in a second."""

import codecs
from typing import Final

from cronstream import clock

#: What a command may write in a second so that all of it is handed on.
MOST_PER_S: Final = 1 << 18


class Tap:
    """What one command has written and nobody was handed yet.

    Attributes:
        until: Until when somebody looks (monotonic seconds).
    """

    def __init__(self, until: float) -> None:
        self.until = until
        self._pending = bytearray()
        self._left_out, self._second, self._room = 0, -1, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Take what was written, as far as there is room for it in this second."""
        second = int(clock.monotonic())
        if second != self._second:
            self._second, self._room = second, MOST_PER_S
        # Behind what was left out nothing is added, until that is said.
        room = 0 if self._left_out else min(self._room, MOST_PER_S - len(self._pending))
        self._pending += data[:room]
        self._room -= min(room, len(data))
        self._left_out += max(len(data) - room, 0)

    def emptied(self, *, is_last: bool = False) -> tuple[str, int]:
        """Return what has come since, as text, and how many bytes behind it were left out."""
        if not (self._pending or self._left_out or is_last):
            return "", 0
        text = self._decoder.decode(bytes(self._pending), final=is_last or bool(self._left_out))
        left_out, self._left_out = self._left_out, 0
        self._pending.clear()
        return text, left_out
