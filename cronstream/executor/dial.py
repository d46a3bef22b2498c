"""The clock by which commands are started: it goes on evenly, though the machine's may step."""

from collections.abc import Callable

from cronstream import clock


class Dial:
    """Seconds since the epoch, by the monotonic clock and how far the other was ahead of it.

    When a machine's clock steps, its executor cannot know whether it was right before or is right
    now. What is about to start goes by how it was; the worker, which compares clocks, says when to
    go by another.

    Args:
        wall: Returns seconds since the epoch, by the machine's clock.
        monotonic: Returns seconds on the clock that never steps.
    """

    def __init__(
        self,
        wall: Callable[[], float] = clock.wall,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._offset = clock.offset(wall, monotonic)

    def set(self, offset: float) -> None:
        """Go by a clock that is so many seconds ahead of the monotonic one."""
        self._offset = offset

    def now(self) -> float:
        """Return what time it is."""
        return self._monotonic() + self._offset
