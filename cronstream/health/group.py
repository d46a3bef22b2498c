"""Whether a process is in its consumer group: from Faust, and from aiokafka below it.

Faust does not say so itself: after an exception in the coordinator a process lives on outside
the group (a zombie), and after a hung recovery it does nothing more.
"""

import contextlib
from typing import Any, Protocol

from cronstream import clock


class Group(Protocol):
    """What a watch asks about the consumer group; moments are monotonic seconds."""

    #: When the consumer's thread last turned.
    thread_at: float
    #: Since when the process is no member of its group; None if it is one.
    outside_since: float | None
    #: Since when a rebalance or recovery has made no progress; None if none is under way.
    rebalancing_since: float | None

    def begin(self, now_mono: float) -> None:
        """From now on it is to become a member, and the thread is to turn."""

    def look(self, now_mono: float) -> None:
        """Bring the above up to date."""


class FaustGroup:
    """The group of a Faust app; it reads what belongs to another thread, and changes nothing."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.thread_at = float("-inf")
        self.outside_since: float | None = None
        self.rebalancing_since: float | None = None
        self._progress: Any = None

    def begin(self, now_mono: float) -> None:
        """From now on it is to become a member, and the thread is to turn."""
        self.thread_at = self.outside_since = now_mono

    def look(self, now_mono: float) -> None:
        """Bring what is known up to date, and ask the thread to say that it turns."""
        thread = self._app.consumer._thread  # noqa: SLF001 - Faust has no public way
        with contextlib.suppress(RuntimeError):  # its loop is closed: it turns no more
            thread.thread_loop.call_soon_threadsafe(self._note_turn)
        if _is_member(thread._consumer):  # noqa: SLF001 - likewise
            self.outside_since = None
        elif self.outside_since is None:
            self.outside_since = now_mono
        self._look_at_rebalance(now_mono)

    def _note_turn(self) -> None:
        self.thread_at = clock.monotonic()

    def _look_at_rebalance(self, now_mono: float) -> None:
        app = self._app
        if not app.rebalancing:
            self.rebalancing_since = self._progress = None
            return
        progress = (app.rebalancing_count, app.tables.recovery.active_remaining_total())
        if progress != self._progress:
            self._progress, self.rebalancing_since = progress, now_mono


def _is_member(consumer: Any) -> bool:
    """Whether the coordinator knows the member, and still works: an error ends its task."""
    coordinator = getattr(consumer, "_coordinator", None)
    if coordinator is None or coordinator._coordination_task.done():  # noqa: SLF001 - likewise
        return False
    return bool(coordinator.generation > 0)
