"""What a worker counts: by its folds, of what is its to count; and of its own commands.

Each is counted once in its cluster: who counts is in docs/metrics.md.
"""

from collections import Counter as Numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter, Histogram

from cronstream import clock
from cronstream.core.ledger.state import Ended, News, Refusal, SkipNews
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Run
from cronstream.metrics.exposition import DELAYS, DURATIONS, Metrics
from cronstream.metrics.labels import JobLabels
from cronstream.metrics.process import labels_of

#: What was appended longer ago is history.
_LONG_AGO: Final = timedelta(hours=1)

#: Of so many runs that came late it is known, until they are claimed, when they came.
_MOST_LATE: Final = 10_000
#: Why a message of a log is put aside: it is none of ours, or of another log; it could not be
#: folded; it is of a level that was not announced, or has numbers beyond all bounds.
UNREADABLE: Final = "unreadable"
MISPLACED: Final = "misplaced"
NOT_FOLDED: Final = "not-folded"
OUT_OF_BOUNDS: Final = "out-of-bounds"
QUARANTINED: Final = (UNREADABLE, MISPLACED, NOT_FOLDED, OUT_OF_BOUNDS)


@dataclass(frozen=True, slots=True)
class Folded:
    """What the fold of one message has brought.

    Attributes:
        at: When the message was appended, by the log.
        quarantined: Why it was put aside, in a word; empty if it was not.
    """

    at: datetime
    news: Sequence[News | SkipNews] = ()
    ended: Sequence[Ended] = ()
    refusals: Sequence[Refusal] = ()
    quarantined: str = ""


class _OfJob:
    """The counters of one job, or of all that share a label, each at hand.

    Its verdicts and retries are there from 0 on. How attempts end, and why due times are skipped,
    has too many words for that: each is there once it has happened.
    """

    __slots__ = (
        "_attempts",
        "_families",
        "_labels",
        "_skipped",
        "discarded",
        "retries",
        "succeeded",
    )

    def __init__(self, families: "_Families", job: str) -> None:
        self._families, self._labels = families, (job, *families.labels)
        of_run = self._labels[:2]  # The job and its cluster, whoever has made its attempts.
        self.retries = families.retries.labels(*of_run)
        self.succeeded = families.succeeded.labels(*of_run)
        self.discarded = families.discarded.labels(*of_run)
        self._attempts: dict[Outcome, Counter] = {}
        self._skipped: dict[str, Counter] = {}

    def ended(self, outcome: Outcome) -> None:
        """Count an attempt."""
        found = self._attempts.get(outcome)
        if found is None:
            found = self._families.attempts.labels(*self._labels, outcome.value)
            self._attempts[outcome] = found
        found.inc()

    def skipped(self, reason: str, count: int = 1) -> None:
        """Count due times that were not run."""
        found = self._skipped.get(reason)
        if found is None:
            found = self._families.skipped.labels(*self._labels[:2], reason)
            self._skipped[reason] = found
        found.inc(max(0, count))  # Whoever may write to the log can write any number.


def cause_of(run: Run) -> str:
    """Return why there is a run, in a word: ``schedule``, ``missed``, or what a person asked."""
    if run.cause is not None:
        return run.cause.value
    return "schedule" if run.as_of is None or run.attempt > 1 else "missed"


class _Families:
    def __init__(self, metrics: Metrics, role: Role) -> None:
        self.labels = tuple(labels_of(role).values())
        job, registry = ("cron_job", "cluster"), metrics.registry
        self.attempts = Counter(
            "cronstream_attempts_total",
            "Attempts that have ended, by how.",
            (*job, "role", "outcome"),
            registry=registry,
        )
        self.retries = Counter(
            "cronstream_retries_total",
            "Attempts that have failed and are followed by a later one.",
            job,
            registry=registry,
        )
        self.succeeded = Counter(
            "cronstream_runs_succeeded_total",
            "Runs that have succeeded, at whichever attempt.",
            job,
            registry=registry,
        )
        self.discarded = Counter(
            "cronstream_runs_discarded_total",
            "Runs that are out of attempts.",
            job,
            registry=registry,
        )
        self.skipped = Counter(
            "cronstream_runs_skipped_total",
            "Due times that were not run, by why.",
            (*job, "reason"),
            registry=registry,
        )

        self.ended = Counter(
            "cronstream_runs_ended_total",
            "Runs that have their verdict, by why there were any.",
            ("cluster", "cause", "verdict"),
            registry=registry,
        )

    def histogram(
        self, metrics: Metrics, name: str, text: str, buckets: Sequence[float]
    ) -> Histogram:
        """Return the one series of a histogram of this worker."""
        names = ("cluster", "role")
        family = Histogram(name, text, names, registry=metrics.registry, buckets=buckets)
        return family.labels(*self.labels)


class WorkerCounts:
    """The counters and histograms of a worker.

    Attributes:
        jobs: The labels of its jobs.
        refused: How many runs its folds have refused, by reason; what was to be expected aside.
        quarantined: How many messages were put aside, by reason.
    """

    def __init__(
        self, metrics: Metrics, role: Role, now: Callable[[], datetime] = clock.now
    ) -> None:
        self.jobs, self._now = JobLabels(), now
        self.refused: Numbers[str] = Numbers()
        self.quarantined: Numbers[str] = Numbers()
        self._families = families = _Families(metrics, role)
        self._of_jobs: dict[str, _OfJob] = {}
        self._by_cause: dict[tuple[str, str], Counter] = {}
        #: Since when runs may be claimed that came too late to be claimed before they were due.
        self._late: dict[str, datetime] = {}
        #: What is counted of news, by their action; `running` is not.
        self._by_action: dict[str, Callable[[News, datetime], None]] = {
            "queued": self._queued,
            "claimed": self._claimed,
            Verdict.SUCCEEDED.value: self._succeeded,
            Verdict.DISCARDED.value: self._discarded,
            Verdict.SKIPPED.value: self._skipped,
            "withdrawn": self._withdrawn,
        }
        self._claim_delay = families.histogram(
            metrics,
            "cronstream_run_claim_delay_seconds",
            "From when a run was due and published to when it was claimed; 0 if before it was due.",
            DELAYS,
        )
        self._start_delay = families.histogram(
            metrics,
            "cronstream_run_start_delay_seconds",
            "From when an attempt was due to when its command was started.",
            DELAYS,
        )
        self._duration = families.histogram(
            metrics,
            "cronstream_attempt_duration_seconds",
            "From the start of a command to its end.",
            DURATIONS,
        )

    def started(self, run: Run, at: datetime) -> None:
        """Count that a command was started here."""
        self._start_delay.observe(max(0.0, (at - run.not_before).total_seconds()))

    def finished(self, seconds: float) -> None:
        """Count that a command has ended here, after some seconds."""
        self._duration.observe(max(0.0, seconds))

    def note(self, folded: Folded) -> None:
        """Count what a message has changed, which is this worker's to count."""
        if self._now() - folded.at > _LONG_AGO:
            return
        for one in folded.news:
            if isinstance(one, SkipNews):
                self._of(one.job).skipped(one.reason.value, one.count)
            elif (count := self._by_action.get(one.action)) and not (one.is_detail and one.is_end):
                count(one, folded.at)
        self._count_ends(folded.ended)
        for refusal in folded.refusals:
            if not refusal.is_ordinary:
                self.refused[refusal.why] += 1
        if folded.quarantined:
            self.quarantined[folded.quarantined] += 1

    def _queued(self, news: News, at: datetime) -> None:
        run = news.run
        self._of(run.job)
        if at > run.not_before:
            while len(self._late) >= _MOST_LATE:
                del self._late[next(iter(self._late))]
            self._late[run.id] = at

    def _claimed(self, news: News, at: datetime) -> None:
        run = news.run
        since = self._late.pop(run.id, run.not_before) if self._late else run.not_before
        self._claim_delay.observe((at - since).total_seconds() if at > since else 0.0)

    def _succeeded(self, news: News, _: datetime) -> None:
        self._of(news.run.job).succeeded.inc()
        self._ended(news)

    def _discarded(self, news: News, _: datetime) -> None:
        self._of(news.run.job).discarded.inc()
        self._ended(news)

    def _skipped(self, news: News, _: datetime) -> None:
        self._late.pop(news.run.id, None)
        self._of(news.run.job).skipped(news.reason)
        self._ended(news)

    def _ended(self, news: News) -> None:
        key = cause_of(news.run), news.action
        found = self._by_cause.get(key)
        if found is None:
            cluster = self._families.labels[0]
            found = self._by_cause[key] = self._families.ended.labels(cluster, *key)
        found.inc()

    def _withdrawn(self, news: News, _: datetime) -> None:
        self._late.pop(news.run.id, None)

    def _count_ends(self, ended: Sequence[Ended]) -> None:
        for end in ended:
            of_job = self._of(end.run.job)
            of_job.ended(end.outcome)
            if end.is_retried:
                of_job.retries.inc()

    def _of(self, job: str) -> _OfJob:
        label = self.jobs.of(job)
        found = self._of_jobs.get(label)
        if found is None:
            found = self._of_jobs[label] = _OfJob(self._families, label)
        return found
