"""The facts of a scheduler, from which its health is judged."""

from cronstream import clock
from cronstream.core.health.judging import SchedulerFacts
from cronstream.core.health.pauses import pauses_of
from cronstream.scheduler.scheduler import Scheduler
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher


class SchedulerSubject:
    """A scheduler, of whatever shards it owns; one with none stands by."""

    #: Nothing is interrupted by its end, and another one may stand by: what cannot fire is to end
    #: within the look-ahead, so that no run is late.
    patience_s = 6.0

    def __init__(self, scheduler: Scheduler, publisher: Publisher, settings: Settings) -> None:
        self._scheduler, self.publisher = scheduler, publisher
        self.topic, self.partitions = settings.names.ticks, settings.shards

    @property
    def owns(self) -> bool:
        """Whether any shard is its own."""
        return bool(self._scheduler.firing.shards)

    def facts(self, now_mono: float) -> SchedulerFacts:
        """Return what is known of it now."""
        scheduler, firing = self._scheduler, self._scheduler.firing
        is_at_one = scheduler.is_at_a_tick
        return SchedulerFacts(
            tick_at=scheduler.tick_at,
            heard={s: now_mono if is_at_one else scheduler.heard[s] for s in firing.shards},
            shards={shard: firing.moved[shard] for shard in firing.shards},
            clock_is_refused=scheduler.clock_check.is_refused,
            foreign=scheduler.foreign or scheduler.held_back,
            set_aside=scheduler.set_aside,
        )

    def pauses(self) -> list[str]:
        """Return which jobs of its shards people, or the crontab, have paused."""
        now, shards = clock.now(), self._scheduler.firing.held().values()
        return pauses_of(job for shard in shards for job in shard.paused(now))

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """How far a shard has come shows in what it publishes."""
