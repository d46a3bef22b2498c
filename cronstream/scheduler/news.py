"""Whether something has come on ``jobs``: what a tick asks, nobody else need ask just then."""

from collections.abc import Callable
from typing import Final

from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.scheduler.world import Clock
from cronstream.topology.jobs import JobsLog

#: For so long what a tick has found holds: somewhat longer than it is to the next.
_FRESH_S: Final = 1.5


class JobsNews:
    """Has ``jobs`` read on, unless a tick of each shard has just found that nothing has come.

    Attributes:
        on_come: Is called when a tick finds that something has.
    """

    def __init__(self, jobs: JobsLog, clock: Clock) -> None:
        self.on_come: Callable[[], None] = lambda: None
        self._jobs, self._clock = jobs, clock
        #: Where each partition ended, and when that was asked, in monotonic seconds.
        self._ends: dict[int, tuple[int, float]] = {}

    def note(self, partition: int, end: int) -> None:
        """Take it that a partition has just ended there."""
        self._ends[partition] = end, self._clock.monotonic()
        if end != self._jobs.known.of[partition].position:
            self.on_come()

    def forget(self) -> None:
        """Have it asked the next time, whatever a tick has found."""
        self._ends.clear()

    async def read_on(self) -> JobsKnown:
        """Take in all that has come; see `JobsLog.read_on`.

        Raises:
            CronstreamError: If it is no longer the topic that was read before.
        """
        return self._jobs.known if self._is_read else await self._jobs.read_on()

    @property
    def _is_read(self) -> bool:
        since = self._clock.monotonic() - _FRESH_S
        fresh = {p: end for p, (end, at) in self._ends.items() if at > since}
        return fresh == {p: recent.position for p, recent in self._jobs.known.of.items()}
