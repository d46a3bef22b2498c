"""Where all parts' lines are written: whole, in order, and without holding up the parts."""

import queue
import threading
from collections.abc import Callable
from typing import TextIO

from cronstream import clock
from cronstream.core.wire.times import format_time
from cronstream.supervisor.lines import labelled

_LINES = 10_000
_CLOSE_WITHIN_S = 2.0


def stamped(text: str) -> str:
    """Return a line of our own as the parts' are: behind the date and the time."""
    return f"{format_time(clock.now().replace(microsecond=0))} {text}"


class Screen:
    """Writes lines by a thread of its own.

    A terminal that is held (Ctrl-S) or a reader that is slow must not keep the supervisor from
    reading what its parts say, or they would wait in a write and run no job. So lines wait in a
    queue, and those that do not fit in it are counted and left out.
    """

    def __init__(self, stream: TextIO, *, is_coloured: bool, on_closed: Callable[[], None]) -> None:
        self._stream = stream
        self._is_coloured = is_coloured
        self._on_closed = on_closed
        self._lines: queue.Queue[str | None] = queue.Queue(_LINES)
        self._left_out = 0
        self._numbers: dict[str, int] = {}
        self._thread = threading.Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    def say(self, label: str, text: str) -> None:
        """Have a line of the part `label` written, soon; never waits."""
        if self._left_out and not self._lines.full():
            note = f"({self._left_out} lines were left out: they came faster than they were read)"
            self._left_out = 0
            self._put("cronstream", note)
        self._put(label, text)

    def close(self) -> None:
        """Write what waits, for at most 2 s; then give up on a terminal that is held."""
        try:
            self._lines.put(None, timeout=_CLOSE_WITHIN_S)
        except queue.Full:
            return
        self._thread.join(_CLOSE_WITHIN_S)

    def _put(self, label: str, text: str) -> None:
        number = self._numbers.setdefault(label, len(self._numbers)) if self._is_coloured else None
        try:
            self._lines.put_nowait(labelled(label, text, number))
        except queue.Full:
            self._left_out += 1

    def _write(self) -> None:
        is_open = True
        while (line := self._lines.get()) is not None:
            if not is_open:
                continue
            try:
                self._stream.write(f"{line}\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads any more (``cronstream up | head``), as if it had been asked to stop.
                is_open = False
                self._on_closed()
