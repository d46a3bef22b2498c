"""What a scheduler tells the others of itself, and does about what they tell.

One whose clock is off leaves firing to another that is there (`cronstream.core.health.clocks`), and
one that does not know a job's time zone makes way for one that has newer ones.
"""

from typing import Any

from cronstream.core.health import clocks, presence
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind
from cronstream.scheduler.scheduler import Scheduler
from cronstream.topology.presence import WorkersTopic, new_name


class SchedulerPeer:
    """A scheduler among those that are there."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.name = new_name()
        self._newer_zones = ""
        scheduler.newer_zones = lambda: self._newer_zones

    def news(self) -> dict[str, Any]:
        """Return what it tells of itself that changes."""
        return {"owns": presence.spans(self._scheduler.firing.shards)}

    def heed(self, mine: Presence, topic: WorkersTopic) -> str:
        """Note who has newer zones, and whether the clock of this one lets it fire."""
        others = (who for who in topic.present if who.role is RoleKind.SCHEDULER)
        newer = (who.name for who in others if who.tzdata > mine.tzdata)
        self._newer_zones = next(newer, "")
        clock_s = topic.clock_s_at(topic.clock_offset)
        return clocks.firing_fault(mine.model_copy(update={"clock_s": clock_s}), topic.present)
