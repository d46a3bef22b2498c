"""The jobs that run while faults are inflicted: the text of their crontab, and their due times.

Due times are arithmetic here, not the product's own schedules, which are under test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count, islice
from typing import Any

from cronstream.core.wire.enumerations import Delivery, Overlap
from cronstream.topology.publish import partition_of

#: Seconds between two herds, and of the minute in which they come.
HERD_EVERY_S = 20
#: Slots of each worker of the crowded cluster: whoever owns its runs lends some of them (rule 26).
CROWDED_SLOTS = 3


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
        is_crowded: Whether it may have to wait for a slot.
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
    is_crowded: bool = False

    @property
    def is_punctual(self) -> bool:
        """Whether nothing but a fault of ours makes its runs late."""
        return self.overlap is Overlap.ALLOW and not (self.is_stray or self.is_crowded)

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


def crowded_jobs_of(cluster: str, partitions: int) -> list[ChaosJob]:
    """Return jobs of which more are due at once than their owner has slots.

    All are on one partition, so one worker owns them, whatever becomes of the others. In the long
    run it has slots enough, alone, so that nothing piles up while others are struck.

    Args:
        cluster: Theirs.
        partitions: Of each log.
    """

    def named(kind: str, number: int = 1) -> Iterator[str]:
        names = (f"{cluster}-{kind}-{i}" for i in count())
        return islice((name for name in names if partition_of(name, partitions) == 0), number)

    def jobs(name: str, every_s: int, phase_s: int, lasts_s: int, **more: Any) -> ChaosJob:
        return ChaosJob(name, cluster, every_s, phase_s, lasts_s, is_crowded=True, **more)

    once = Delivery.AT_MOST_ONCE
    return [
        *(jobs(name, 5, 1, 1) for name in named("short", 2)),
        *(jobs(name, 10, 0, 3) for name in named("heavy", 3)),
        *(jobs(name, 10, 2, 3, fence=True) for name in named("fenced", 2)),
        *(jobs(name, 10, 5, 1, delivery=once) for name in named("once")),
        *(jobs(name, 30, 7, 20) for name in named("long")),
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
