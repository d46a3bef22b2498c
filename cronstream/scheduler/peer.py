"""What a scheduler announces of itself to the others, and does about what they announce.

One whose clock is off leaves firing to another that is there (`cronstream.core.health.clocks`), and
one that does not know a job's time zone makes way for one that has newer ones.
"""

from typing import Any

from cronstream.core.health import clocks, presence
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind
from cronstream.scheduler.scheduler import Scheduler
from cronstream.topology.presence import WorkersTopic, new_name
from cronstream.trust.keyring import Keyring
from cronstream.trust.signer import Signer


class SchedulerPeer:
    """A scheduler among those that are there."""

    def __init__(self, scheduler: Scheduler, keyring: Keyring, signer: Signer) -> None:
        self._scheduler, self._keyring, self._signer = scheduler, keyring, signer
        self.name = scheduler.name = new_name()
        self._newer_zones = ""
        scheduler.newer_zones = lambda: self._newer_zones

    def news(self) -> dict[str, Any]:
        """Return what it announces of itself that changes."""
        return {
            "owns": presence.spans(self._scheduler.firing.shards),
            "trusts": self._keyring.ids,
            **self._scheduler.crontab_news,
        }

    def heed(self, mine: Presence, topic: WorkersTopic) -> str:
        """Note who has newer zones, which keys there are, and whether the clock lets it fire."""
        present = topic.present
        others = (who for who in present if who.role is RoleKind.SCHEDULER)
        newer = (who.name for who in others if who.tzdata > mine.tzdata)
        self._newer_zones = next(newer, "")
        signs_anew = self._signer.heed(present)
        if self._keyring.refresh():
            self._scheduler.learn_again()
        elif signs_anew:
            self._scheduler.apply_again()
        clock_s = topic.clock_s_at(topic.clock_offset)
        return clocks.firing_fault(mine.model_copy(update={"clock_s": clock_s}), present)
