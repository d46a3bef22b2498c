"""A thread that ends the process when its event loop no longer turns.

It has no say over its own time: it counts its own looks. So after SIGSTOP and SIGCONT, or after a
machine's sleep, it has missed one look and no more.
"""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable

from cronstream.core.health.too_long import Missed
from cronstream.logs import OWN_END, fields

logger = logging.getLogger(__name__)

#: EX_SOFTWARE of sysexits.h: what a process that its watchdog ended exits with.
STATUS = 70
_STEP_S = 1.0
#: How long the last line has to get out: whoever is stuck may hold the lock of the log.
_LAST_WORD_S = 2.0


class Watchdog:
    """Ends the process, with one line, if `feed` is not called for `limit_s`.

    The executor sees the end of its parent, and ends what runs itself.
    """

    def __init__(self, limit_s: float, leave: Callable[[int], object] = os._exit) -> None:
        self._limit_s, self._leave = limit_s, leave
        self._missed = Missed(round(limit_s / _STEP_S))
        self._turns = 0
        self._left: int | None = None
        self._watched = threading.get_ident()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to look, each second, from the thread that calls this on another."""
        self._watched = threading.get_ident()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more, unless the process is being ended."""
        if self._left is None:
            self._stopped.set()

    def feed(self) -> None:
        """Say that the loop has turned."""
        self._turns += 1

    def end_within(self, seconds: float) -> None:
        """End the process if it has not ended by itself by then."""
        self._left = round(seconds / _STEP_S)

    def look(self) -> bool:
        """Take one look; return whether the process is to end, and has been asked to."""
        if self._left is not None:
            self._left -= 1
            if self._left > 0:
                return False
            self._end("it could not stop in good order")
            return True
        if self._missed.is_stuck(self._turns):
            where = _innermost(self._watched)
            self._end(f"its event loop has been stuck for {self._limit_s:g} s (in {where})")
            return True
        return False

    def _run(self) -> None:
        while not self._stopped.wait(_STEP_S):
            if self.look():
                return

    def _end(self, reason: str) -> None:
        word = threading.Thread(target=_say, args=(reason,), daemon=True)
        word.start()
        word.join(_LAST_WORD_S)
        self._leave(STATUS)


def _say(reason: str) -> None:
    text = "%s; this process ends with status %d"
    logger.critical(text, reason, STATUS, extra=fields(OWN_END))
    for handler in logging.getLogger().handlers:
        handler.flush()


def _innermost(thread: int) -> str:
    """Return where a thread is: the function, its file and line."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, and the only way
    if frame is None:
        return "no thread"
    place = traceback.extract_stack(frame, limit=1)[0]
    return f"{place.name}, {place.filename}:{place.lineno}"
