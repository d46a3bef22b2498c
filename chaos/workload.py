"""The jobs that run while faults are inflicted: the text of their crontab, and their due times.

Due times are arithmetic here, not the product's own schedules, which are under test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cronstream.core.wire.enumerations import Delivery, Overlap

#: Seconds between two herds, and of the minute in which they come.
HERD_EVERY_S = 20


class Temper(StrEnum):
    """How the command of a job ends."""

    FINE = "fine"
    DOOMED = "always fails"
    FLAKY = "fails at random"
    FULL = "writes to a full disk"


@dataclass(frozen=True, slots=True)
class ChaosJob:
    """One job of the workload.

    Attributes:
        every_s: Seconds between due times; divides 60.
        phase_s: Seconds of each such span at which it is due.
        lasts_s: How long its command takes.
        is_stray: Whether only some schedulers' files have it, and edits add and remove it: it has
            to do no harm, and nothing is known of when it is due.
    """

    name: str
    cluster: str
    every_s: int
    phase_s: int = 0
    lasts_s: int = 0
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    temper: Temper = Temper.FINE
    max_attempts: int = 1
    overlap: Overlap = Overlap.ALLOW
    fence: bool = False
    is_stray: bool = False

    @property
    def is_punctual(self) -> bool:
        """Whether nothing but a fault of ours makes its runs late."""
        return self.overlap is Overlap.ALLOW and not self.is_stray

    def due_times(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield when it is due: later than `after`, up to and including `until`."""
        whole = int(after.timestamp())
        second = whole - (whole - self.phase_s) % self.every_s
        due = datetime.fromtimestamp(second, UTC)
        while due <= until:
            if due > after:
                yield due
            due += timedelta(seconds=self.every_s)


def jobs_of(cluster: str, herd: int) -> list[ChaosJob]:
    """Return the jobs of one cluster, `herd` of them due in the same second."""
    once = Delivery.AT_MOST_ONCE
    return [
        *(ChaosJob(f"{cluster}-short-{i}", cluster, 2, i % 2) for i in range(4)),
        *(ChaosJob(f"{cluster}-once-{i}", cluster, 3, i, delivery=once) for i in range(2)),
        ChaosJob(f"{cluster}-medium", cluster, 5, 1, lasts_s=3),
        ChaosJob(f"{cluster}-medium-once", cluster, 5, 3, lasts_s=3, delivery=once),
        # Longer than lease, session and rebalance timeout together.
        ChaosJob(f"{cluster}-long", cluster, 30, 7, lasts_s=20),
        ChaosJob(f"{cluster}-long-once", cluster, 30, 9, lasts_s=20, delivery=once),
        ChaosJob(f"{cluster}-doomed", cluster, 6, 2, temper=Temper.DOOMED, max_attempts=3),
        ChaosJob(f"{cluster}-flaky", cluster, 2, 1, temper=Temper.FLAKY, max_attempts=12),
        ChaosJob(f"{cluster}-full", cluster, 6, 5, temper=Temper.FULL, max_attempts=2),
        # Each is due again before it is over; a queue is emptied while nobody is struck.
        ChaosJob(f"{cluster}-skip", cluster, 3, 1, lasts_s=4, overlap=Overlap.SKIP),
        ChaosJob(f"{cluster}-queue", cluster, 4, 2, lasts_s=3, overlap=Overlap.QUEUE),
        ChaosJob(f"{cluster}-replace", cluster, 5, 4, lasts_s=6, overlap=Overlap.REPLACE),
        ChaosJob(f"{cluster}-fenced", cluster, 10, 6, lasts_s=8, fence=True),
        *(ChaosJob(f"{cluster}-stray-{i}", cluster, 3, i, is_stray=True) for i in range(2)),
        *(ChaosJob(f"{cluster}-herd-{i:03}", cluster, HERD_EVERY_S) for i in range(herd)),
    ]


def crontab_text(jobs: Sequence[ChaosJob], note: str) -> str:
    """Return the crontab of the jobs.

    Args:
        jobs: All of them.
        note: Shell text that defines ``note``, with which a command writes its start and end.
    """
    clusters = ", ".join(f"{name}: " for name in dict.fromkeys(job.cluster for job in jobs))
    lines = [
        "version: 1",
        f"clusters: {{{clusters}}}",
        "defaults: {backoff: {first: 0.3s, factor: 1.5, ceiling: 2s, jitter: 0.1}}",
        "jobs:",
        *(_job_line(job, note) for job in jobs),
    ]
    return "\n".join(lines) + "\n"


def _job_line(job: ChaosJob, note: str) -> str:
    schedule = f"{job.phase_s}-59/{job.every_s} * * * * *"
    return (
        f"  - {{name: {job.name}, cluster: {job.cluster}, schedule: '{schedule}', "
        f"delivery: {job.delivery}, max_attempts: {job.max_attempts}, "
        f"overlap: {job.overlap}, fence: {str(job.fence).lower()}, grace: 1s, "
        f"command: '{_command(job, note)}'}}"
    )


def _command(job: ChaosJob, note: str) -> str:
    steps = [note, "note start"]
    if job.lasts_s:
        steps.append(f"sleep {job.lasts_s}")
    if job.temper is Temper.FLAKY:
        # Its process id is the die: a shell that has none is started in half the time.
        steps += ["note end", "test $(($$ % 3)) -ne 0"]
    elif job.temper is Temper.DOOMED:
        steps += ["note end", "exit 3"]
    elif job.temper is Temper.FULL:
        steps += ["note end", "echo all is well >/dev/full"]
    else:
        steps.append("note end")
    return "; ".join(steps)
