"""What a scheduler counts: what it publishes, how long that takes, what its crontab is like."""

from collections import Counter as Numbers
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from cronstream import clock
from cronstream.core.crontab.parser import Crontab
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.metrics.exposition import DELAYS, Metrics
from cronstream.metrics.labels import JobLabels

#: How long a takeover may take: it reads what has come since the cursor was written.
_TAKEOVERS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 300)

#: Why a due time was skipped that nobody could publish in time.
_MISSED = frozenset({SkipReason.MISSED, SkipReason.COALESCED})


class _Families:
    """The counters and histograms of a scheduler."""

    def __init__(self, metrics: Metrics) -> None:
        labels, registry = ("cron_job", "cluster"), metrics.registry
        self.runs = Counter(
            "cronstream_runs_published_total",
            "Runs that Kafka has acknowledged.",
            labels,
            registry=registry,
        )
        self.missed = Counter(
            "cronstream_runs_missed_total",
            "Due times that were too long ago when they could be published, and were not run.",
            labels,
            registry=registry,
        )
        self.reloads = Counter(
            "cronstream_crontab_reloads",
            "How often the crontab was read, since it was new or had changed, and was good or not; "
            "and how often a good one was held back.",
            ("result",),
            registry=registry,
        )
        for result in ("success", "failure", "held_back"):
            self.reloads.labels(result)
        self.handed_over = Counter(
            "cronstream_runs_handed_over_total",
            "Runs that follow one of another cluster, and that their own cluster's log has taken.",
            ("cluster",),
            registry=registry,
        )
        self._add_histograms(registry)

    def _add_histograms(self, registry: CollectorRegistry) -> None:
        self.delay = Histogram(
            "cronstream_run_publish_delay_seconds",
            "From when a run was due to when Kafka had it; 0 if that was before it was due.",
            ("cluster",),
            registry=registry,
            buckets=DELAYS,
        )
        self.ticks = Histogram(
            "cronstream_scheduler_tick_duration_seconds",
            "How long a tick of a shard took: to work out what is due, and to publish it.",
            registry=registry,
            buckets=DELAYS,
        )
        self.takeovers = Histogram(
            "cronstream_scheduler_takeover_duration_seconds",
            "From when a shard came to this scheduler to when all that was due was published.",
            registry=registry,
            buckets=_TAKEOVERS,
        )


class SchedulerCounts:
    """The counters and histograms of a scheduler, and what is known of its crontab.

    Attributes:
        jobs: The labels of its jobs.
        crontab: The last good one; None before there is one.
        problems: What is wrong with its file as it is now; empty if that is good.
        is_held_back: Whether it is not put in force, since it would take out much of what is.
        is_valid: Whether the file as it stands is good; None before it was read.
        loaded_at: When the last good one was read (seconds since 1970).
        quarantined: How many messages were put aside, by their topic.
        handed_over: How many runs that follow others, by the cluster that has them now.
        tick_duration: How long ticks took; `takeover_duration` likewise.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.jobs = JobLabels()
        self._mentioned: set[tuple[str, str]] = set()
        self.crontab: Crontab | None = None
        self.problems: tuple[str, ...] = ()
        self.is_valid: bool | None = None
        self.is_held_back = False
        self.loaded_at: float | None = None
        self.quarantined: Numbers[str] = Numbers()
        families = _Families(metrics)
        self._runs, self._missed = families.runs, families.missed
        self._reloads = families.reloads
        self._delay = families.delay
        self.handed_over = families.handed_over
        self.tick_duration, self.takeover_duration = families.ticks, families.takeovers

    def acknowledged(self, cluster: str, entry: Message, at: datetime) -> None:
        """Count what Kafka has appended to a cluster's log at some time."""
        if isinstance(entry, Run):
            self.mention(entry.job, cluster)
            self._runs.labels(self.jobs.of(entry.job), cluster).inc()
            late_s = (at - entry.not_before).total_seconds()
            self._delay.labels(cluster).observe(max(0.0, late_s))
        elif isinstance(entry, Skip) and entry.reason in _MISSED:
            self.mention(entry.job, cluster)
            self._missed.labels(self.jobs.of(entry.job), cluster).inc(max(0, entry.count))

    def mention(self, job: str, cluster: str) -> None:
        """Have both counters of a job from 0 on, so that the first of it is an increase."""
        labels = self.jobs.of(job), cluster
        if labels not in self._mentioned:
            self._mentioned.add(labels)
            self._runs.labels(*labels)
            self._missed.labels(*labels)

    def read(self, found: Crontab | None) -> None:
        """Take note of what the crontab's file says; None if it is not good."""
        self.is_valid = found is not None
        self._reloads.labels("failure" if found is None else "success").inc()
        if found is not None:
            self.crontab, self.loaded_at = found, clock.now().timestamp()

    def note_held_back(self, *, is_held_back: bool, is_new: bool) -> None:
        """Take note of whether the last good crontab is held back; count it where that is new."""
        self.is_held_back = is_held_back
        if is_held_back and is_new:
            self._reloads.labels("held_back").inc()
