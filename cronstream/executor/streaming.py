"""Output that is handed on while commands write it: at a bounded rate, some ten times a second.

Nobody may look, and then nothing is done. What is handed on has no secrets in it: it is what
`Output` keeps, before that is cut.
"""

from math import inf
from typing import Final

from cronstream import clock
from cronstream.executor.execution import Execution
from cronstream.executor.link import Link
from cronstream.executor.protocol import Show, SoFar, Wrote
from cronstream.executor.running import Running
from cronstream.executor.tap import Tap

#: Between two looks for what was written: who reads it does not see the difference.
_PAUSE_S: Final = 0.1
#: With so much for the worker that it has not taken, no more output is added.
_CLOGGED: Final = 1 << 20


class Streams:
    """The commands whose output somebody looks at while they run.

    Args:
        shows_all: Whether that is so for each, for as long as it runs.
    """

    def __init__(self, link: Link, running: Running, *, shows_all: bool) -> None:
        self._link, self._running, self._shows_all = link, running, shows_all
        self._watched: dict[str, Execution] = {}
        self._next_at = inf

    @property
    def next_at(self) -> float:
        """When there may be something to hand on (monotonic seconds)."""
        return self._next_at if self._watched else inf

    def begin(self, execution: Execution) -> None:
        """Look at a command that was just started, if all are looked at."""
        if self._shows_all:
            self._watch(execution, inf)

    def show(self, order: Show) -> None:
        """Hand on what is kept of a command's output so far, and what it writes from now on.

        Of one that does not run there is nothing. If it is shown already, it is for longer.
        """
        execution = self._running.get(order.key)
        if execution is None:
            return
        tap = execution.output.tap
        if tap is None:
            tap = self._watch(execution, order.until)
        else:
            self._hand_on(order.key, tap)
            tap.until = max(tap.until, order.until)
        if order.from_start:
            kept = execution.output.so_far()
            self._link.report(SoFar(order.key, kept.head, kept.tail, kept.omitted))

    def hand_on(self) -> None:
        """Report what was written, if it is time to."""
        now = clock.monotonic()
        if now < self.next_at or self._link.is_clogged(_CLOGGED):
            return
        self._next_at = now + _PAUSE_S
        for key, execution in list(self._watched.items()):
            tap = execution.output.tap
            if tap is not None:
                self._hand_on(key, tap)
                if tap.until < now:
                    execution.output.tap = None
                    del self._watched[key]

    def end(self, execution: Execution) -> None:
        """Report the last of what a command has written that has ended."""
        if self._watched.pop(execution.key, None) and (tap := execution.output.tap):
            self._hand_on(execution.key, tap, is_last=True)

    def _watch(self, execution: Execution, until: float) -> Tap:
        if not self._watched:
            self._next_at = clock.monotonic() + _PAUSE_S
        tap = execution.output.tap = Tap(until)
        self._watched[execution.key] = execution
        return tap

    def _hand_on(self, key: str, tap: Tap, *, is_last: bool = False) -> None:
        text, left_out = tap.emptied(is_last=is_last)
        if text or left_out:
            self._link.report(Wrote(key, text, left_out))
