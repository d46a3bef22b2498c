"""What a worker or a retry worker tells."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import Metric

from cronstream.core.health.lateness import Late
from cronstream.core.ledger.mark import OUTDATED, UNKNOWN
from cronstream.core.ledger.state import FORGOTTEN, FROM_AHEAD, TOO_MANY, TOO_OLD
from cronstream.core.protocol.member import Member
from cronstream.core.wire.naming import Role
from cronstream.metrics.exposition import Metrics, counts, gauge, gauges
from cronstream.metrics.paused import families_of_halted
from cronstream.metrics.process import labels_of
from cronstream.metrics.worker_counts import QUARANTINED, WorkerCounts

#: Why its log refuses a run, or it does itself: each is there from 0 on.
_REFUSED: Final = (
    *(UNKNOWN, OUTDATED, TOO_OLD, FROM_AHEAD, TOO_MANY, FORGOTTEN),
    *("unsigned", "not-allowed", "forged", "too-early", "not-here"),
)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What is known of a worker now, beside its member.

    Attributes:
        slots: Commands that it runs at a time.
        late: What is due and has not started.
        ends: The offset that the next message of each partition will have, as Kafka said last.
        snapshots: Of each partition that was written or read, how many bytes its snapshot has, and
            when it was made (seconds since 1970; None if that is not known).
        topic: Its log.
        distrusted: How many attempts it has refused since nobody may ask for them, by reason.
    """

    now: datetime
    slots: int
    late: Late | None = None
    ends: Mapping[int, int] = field(default_factory=dict)
    snapshots: Mapping[int, tuple[int, float | None]] = field(default_factory=dict)
    topic: str = ""
    distrusted: Mapping[str, int] = field(default_factory=dict)


class WorkerMetrics:
    """The families of a worker.

    Args:
        metrics: Gets them.
        role: Whose worker it is, of first or of later attempts.
        member: The worker.
        counts: What it counts.
        state: Returns what else is known of it.
    """

    def __init__(
        self,
        metrics: Metrics,
        role: Role,
        member: Member,
        counts: WorkerCounts,
        state: Callable[[], WorkerState],
    ) -> None:
        self._member, self._counts, self._state = member, counts, state
        self._labels, self._retry = labels_of(role), role.retry
        metrics.add(self._look)

    def _look(self) -> Iterator[Metric]:
        state, member, labels = self._state(), self._member, self._labels
        yield from self._look_at_slots(state)
        yield gauge(
            "cronstream_partitions_owned",
            "How many partitions of the log of this role are this worker's.",
            labels,
            len(member.owners),
        )
        folded = {p: owner.ledger.book.next_offset for p, owner in member.owners.items()}
        yield gauges(
            "cronstream_fold_lag_messages",
            "How many messages of a partition of its own it has not folded, as Kafka said last.",
            labels,
            [
                ({"partition": str(partition)}, max(0, state.ends[partition] - offset))
                for partition, offset in folded.items()
                if partition in state.ends
            ],
        )
        snapshots = {p: state.snapshots[p] for p in folded if p in state.snapshots}
        yield gauges(
            "cronstream_snapshot_bytes",
            "How large the last snapshot of a partition of its own is.",
            labels,
            [({"partition": str(p)}, size) for p, (size, _) in snapshots.items()],
        )
        yield gauges(
            "cronstream_snapshot_timestamp_seconds",
            "When the last snapshot of a partition of its own was made, by this worker.",
            labels,
            [({"partition": str(p)}, at) for p, (_, at) in snapshots.items() if at is not None],
        )

        yield from self._look_at_refusals(state)
        yield self._look_at_successes()
        if not self._retry:
            ledgers = (owner.ledger for owner in member.owners.values())
            yield from families_of_halted(ledgers, labels["cluster"])

    def _look_at_refusals(self, state: WorkerState) -> Iterator[Metric]:
        refused = Counter(dict.fromkeys(_REFUSED, 0))
        refused.update(self._counts.refused)
        refused.update(state.distrusted)
        yield counts(
            "cronstream_runs_refused_total",
            "Runs that were published and that nobody will make, by why.",
            self._labels,
            [({"reason": reason}, number) for reason, number in refused.items()],
        )
        quarantined = Counter(dict.fromkeys(QUARANTINED, 0))
        quarantined.update(self._counts.quarantined)
        yield counts(
            "cronstream_messages_quarantined_total",
            "Messages that could not be used, by the topic they came from, and why.",
            {**self._labels, "topic": state.topic},
            [({"reason": reason}, number) for reason, number in quarantined.items()],
        )

    def _look_at_successes(self) -> Metric:
        """Return when jobs last succeeded, as the marks of the partitions have it that are its own.

        A retry log has no marks. A job that was taken out has no series any more.
        """
        oldest: dict[str, float] = {}
        for owner in self._member.owners.values() if not self._retry else ():
            for job, mark in owner.ledger.book.marks.items():
                label = self._counts.jobs.of(job)
                if mark.succeeded_at is not None and not mark.is_removed:
                    at = mark.succeeded_at.timestamp()
                    oldest[label] = min(at, oldest.get(label, at))
        return gauges(
            "cronstream_job_last_success_timestamp_seconds",
            "When a run of the job last succeeded, by the log; none while that is not known. Of "
            "_other that of the job for which it is longest ago.",
            {"cluster": self._labels["cluster"]},
            [({"cron_job": label}, at) for label, at in oldest.items()],
        )

    def _look_at_slots(self, state: WorkerState) -> Iterator[Metric]:
        late, labels = state.late, self._labels
        running = [held for held in self._member.holding.values() if held.started]
        yield gauge("cronstream_runs_running", "How many commands it runs.", labels, len(running))
        yield gauge(
            "cronstream_worker_slots", "How many commands it runs at most.", labels, state.slots
        )
        yield counts(
            "cronstream_attempts_borrowed_total",
            "Attempts that others have lent to this worker, since it had slots free.",
            labels,
            [({}, self._member.borrowed)],
        )
        yield gauge(
            "cronstream_runs_waiting",
            "How many runs are due with it and have not started; of very many, how many at least.",
            labels,
            0 if late is None else late.count,
        )
        yield gauge(
            "cronstream_oldest_unstarted_run_age_seconds",
            "How long the run has been due that has waited longest for its start; 0 without any.",
            labels,
            0 if late is None else late.oldest_s,
        )
        shares = [
            (state.now - (held.started_at or held.run.not_before)).total_seconds()
            / held.run.timeout_s
            for held in running
            if held.run.timeout_s
        ]
        yield gauge(
            "cronstream_longest_running_ratio",
            "How much of its timeout an attempt has used, of the one that has used most; 0 without "
            "any that has a timeout.",
            labels,
            max(0.0, *shares) if shares else 0,
        )
