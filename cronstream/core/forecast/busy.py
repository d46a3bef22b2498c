"""The busiest seconds: those in which the most jobs of a cluster are due."""

from collections.abc import Sequence
from heapq import heappush, heappushpop
from typing import Final

from cronstream.core.forecast.dues import moment_of
from cronstream.core.forecast.figures import BusySecond

_MOST: Final = 10
_NAMED: Final = 3


class Busiest:
    """The busiest of the seconds that are noted."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int, str, tuple[str, ...]]] = []

    def note(self, second: int, cluster: str, jobs: Sequence[str]) -> None:
        """Note what is due in a second, since the epoch; a single job is nothing to speak of."""
        if len(jobs) < 2:
            return
        # Of two that are alike the earlier one counts as busier.
        found = (len(jobs), -second, cluster, tuple(jobs[:_NAMED]))
        if len(self._found) < _MOST:
            heappush(self._found, found)
        else:
            heappushpop(self._found, found)

    def found(self) -> tuple[BusySecond, ...]:
        """Return them, the busiest first."""
        return tuple(
            BusySecond(moment_of(-second), cluster, count, jobs)
            for count, second, cluster, jobs in sorted(self._found, reverse=True)
        )
