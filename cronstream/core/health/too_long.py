"""What lasts too long, as counted over looks at it: ills, loops that do not turn, folds that stand.

A process that was held up as a whole (SIGSTOP, a machine that slept) has not looked either, so no
look of these blames it for that time.
"""

from collections.abc import Mapping
from typing import Any

from cronstream.core.health.judgement import Health


class UnhealthyTime:
    """How long an unhealthy process is let be; counted over looks at it, not by the clock.

    So a process that was held up as a whole (SIGSTOP, a machine that slept) finds its patience as
    it was, and has time to come back.
    """

    def __init__(self, patience_s: float, longest_step_s: float) -> None:
        self._patience_s, self._longest_step_s = patience_s, longest_step_s
        self._spent_s = 0.0
        self._looked_at: float | None = None

    def is_over(self, health: Health, now_mono: float) -> bool:
        """Take a look; return whether what may be mended by ending has lasted too long."""
        last, self._looked_at = self._looked_at, now_mono
        if not health.ends:
            self._spent_s, self._looked_at = 0.0, None
        elif last is not None:
            self._spent_s += min(now_mono - last, self._longest_step_s)
        return health.ends and self._spent_s >= self._patience_s > 0


class Missed:
    """Counts the looks at which a loop had not turned since the look before."""

    def __init__(self, looks: int) -> None:
        self._looks, self._missed, self._turns = looks, 0, -1

    def is_stuck(self, turns: int) -> bool:
        """Take a look; return whether the loop has missed too many in a row.

        Args:
            turns: How often the loop has turned so far.
        """
        self._missed = 0 if turns != self._turns else self._missed + 1
        self._turns = turns
        return self._missed >= self._looks


class Standstill:
    """Since when each of several folds stands still while it ought to go on."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, float]] = {}

    def look(self, places: Mapping[int, Any], now_mono: float) -> dict[int, float]:
        """Return since when each has been where it is.

        Args:
            places: Where each of those that ought to go on is now; others are forgotten.
            now_mono: Now, in monotonic seconds.
        """
        seen = self._seen
        self._seen = {
            number: seen[number]
            if number in seen and seen[number][0] == place
            else (place, now_mono)
            for number, place in places.items()
        }
        return {number: since for number, (_, since) in self._seen.items()}
