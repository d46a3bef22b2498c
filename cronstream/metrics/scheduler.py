"""What a scheduler tells that is looked up."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import Metric

from cronstream import clock
from cronstream.core.planning.due import Shard
from cronstream.core.wire.naming import SCHEDULER
from cronstream.metrics.exposition import Metrics, counts, gauge, gauges
from cronstream.metrics.labels import OTHER
from cronstream.metrics.paused import families_of_paused
from cronstream.metrics.process import labels_of
from cronstream.metrics.scheduler_counts import SchedulerCounts


@dataclass(frozen=True, slots=True)
class SchedulerState:
    """What is known of a scheduler now.

    Attributes:
        ticked_at: When Kafka last acknowledged a tick of its own (seconds since 1970);
            None if it never has.
        shards: How many shards it fires.
        ahead_s: How far ahead of now the one is planned that is least far; None if it has none.
        held: What is known of the jobs of each.
        topics: What it reads.
        not_moved: How many messages in the old layout could not be used, by their topic.
        to_hand_over: Since when each run waits whose cluster's log takes nothing, by cluster.
    """

    ticked_at: float | None
    shards: int
    ahead_s: float | None
    held: Mapping[int, Shard] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    not_moved: Mapping[str, int] = field(default_factory=dict)
    to_hand_over: Mapping[str, Collection[datetime]] = field(default_factory=dict)


@dataclass(slots=True)
class _Next:
    """When a job is due next, by one of its revisions."""

    revision: int
    due: datetime | None

    def holds(self, revision: int, now: datetime) -> bool:
        """Whether it is still so."""
        return revision == self.revision and (self.due is None or self.due > now)


class SchedulerMetrics:
    """The families of a scheduler.

    Args:
        metrics: Gets them.
        known: What it counts.
        state: Returns what is known of the scheduler.
        now: Returns the time (UTC).
    """

    def __init__(
        self,
        metrics: Metrics,
        known: SchedulerCounts,
        state: Callable[[], SchedulerState],
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._known, self._state, self._now = known, state, now
        self._next: dict[str, _Next] = {}
        metrics.add(self._look)

    def _look(self) -> Iterator[Metric]:
        state = self._state()
        yield gauge(
            "cronstream_scheduler_last_tick_timestamp_seconds",
            "When Kafka last acknowledged a tick of this scheduler.",
            {},
            state.ticked_at,
        )
        yield gauge(
            "cronstream_scheduler_shards_owned",
            "How many shards this scheduler fires; 0 while it stands by.",
            {},
            state.shards,
        )
        yield gauge(
            "cronstream_scheduler_ahead_seconds",
            "How far ahead of now the shard is published that is least far; below 0: behind. None "
            "while it has no shard.",
            {},
            state.ahead_s,
        )
        yield gauges(
            "cronstream_job_next_due_timestamp_seconds",
            "When a job is due next, of those that this scheduler fires; of _other the first.",
            {},
            [*self._next_due(state.held), *self._next_due_of_others(state.held)],
        )
        yield from families_of_paused(state.held.values(), self._now())
        yield counts(
            "cronstream_messages_quarantined_total",
            "Messages that could not be used, by the topic they came from, and why.",
            {**labels_of(SCHEDULER), "reason": "unreadable"},
            [
                *(({"topic": topic}, self._known.quarantined[topic]) for topic in state.topics),
                *(({"topic": topic}, number) for topic, number in state.not_moved.items()),
            ],
        )
        yield from self._look_at_chains(state.to_hand_over)
        yield from self._look_at_crontab()

    def _look_at_chains(self, waiting: Mapping[str, Collection[datetime]]) -> Iterator[Metric]:
        now = self._now()
        ages = {
            cluster: max(((now - since).total_seconds() for since in moments), default=0.0)
            for cluster, moments in waiting.items()
        }
        yield gauges(
            "cronstream_runs_to_hand_over",
            "Runs that follow one of another cluster, and that their own cluster's log does not "
            "take now.",
            {},
            [({"cluster": cluster}, len(moments)) for cluster, moments in waiting.items()],
        )
        yield gauges(
            "cronstream_oldest_run_to_hand_over_age_seconds",
            "How long the one of those has waited that has waited longest; 0 without any.",
            {},
            [({"cluster": cluster}, max(0.0, age)) for cluster, age in ages.items()],
        )

    def _look_at_crontab(self) -> Iterator[Metric]:
        known, crontab = self._known, self._known.crontab
        yield gauge(
            "cronstream_crontab_valid",
            "Whether the crontab's file is good as it stands; if not, the one before is in force.",
            {},
            known.is_valid,
        )
        yield gauge(
            "cronstream_crontab_held_back",
            "1 while a good crontab is held back: it would take out much of what is in force.",
            {},
            known.is_held_back,
        )
        yield gauge(
            "cronstream_crontab_loaded_timestamp_seconds",
            "When the last good crontab was read.",
            {},
            known.loaded_at,
        )
        yield gauge(
            "cronstream_crontab_info",
            "1; its label has the beginning of the SHA-256 of the last good crontab.",
            {"digest": crontab.digest} if crontab else {},
            1 if crontab else None,
        )
        yield gauge(
            "cronstream_crontab_jobs",
            "How many jobs the last good crontab has.",
            {},
            len(crontab.jobs) if crontab else None,
        )

    def _next_due(self, held: Mapping[int, Shard]) -> Iterator[tuple[Mapping[str, str], float]]:
        """Yield when each job is due next that has a label of its own; what was found is kept."""
        now, before, self._next = self._now(), self._next, {}
        for shard in held.values():
            for job in self._jobs_of(shard):
                latest = shard.latest(job)
                if latest is None or latest.job.removed:
                    continue
                found = before.get(job)
                if found is None or not found.holds(latest.number, now):
                    found = _Next(latest.number, shard.next_due(job, now))
                self._next[job] = found
                if found.due is not None:
                    labels = {"cron_job": job, "cluster": latest.job.cluster}
                    yield labels, found.due.timestamp()

    def _next_due_of_others(
        self, held: Mapping[int, Shard]
    ) -> Iterator[tuple[Mapping[str, str], float]]:
        """Yield when the first of those is due that share a label, for each cluster."""
        jobs, first = self._known.jobs, dict[str, datetime]()
        for shard in held.values() if jobs.is_full else ():
            for cluster, due in shard.soonest(jobs).items():
                first[cluster] = min(due, first.get(cluster, due))
        for cluster, due in first.items():
            yield {"cron_job": OTHER, "cluster": cluster}, due.timestamp()

    def _jobs_of(self, shard: Shard) -> list[str]:
        jobs = self._known.jobs
        if not jobs.is_full:
            for job in shard.names():
                latest = shard.latest(job)
                self._known.mention(job, latest.job.cluster if latest else "")
        return [job for job in jobs.own if shard.latest(job) is not None]
