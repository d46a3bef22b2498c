"""The same as a forecast, second by second, over lists, with the ledger's own rule for overlap.

It knows no heap and no gauge: at each second all runs are looked at, and counted. Slow, and plain
enough to be believed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cronstream.core.ledger.overlap import Begin, moves
from cronstream.core.ledger.retry import delay, noise
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.planning.making import run_of
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.entries import Skipped
from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.runs import Job

_TICK = timedelta(microseconds=1)


@dataclass(eq=False)
class ARun:
    """A run: where it stands, and the ledger's record of it."""

    job: Job
    live: LiveRun
    number: int
    stage: str = "line"
    since: int = 0
    ready: int = 0
    ends: int = 0
    attempt: int = 1


@dataclass
class SmallModel:
    """Counts by job, and slots in use and runs that wait by cluster, role and second."""

    jobs: Sequence[Job]
    lasts: Mapping[str, tuple[int, bool]]
    slots: int
    start: datetime
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    used: Counter[tuple[str, bool, int]] = field(default_factory=Counter)
    waiting: Counter[tuple[str, bool, int]] = field(default_factory=Counter)
    runs: list[ARun] = field(default_factory=list)

    def go(self, seconds: int) -> None:
        self.counts = {job.name: Counter() for job in self.jobs}
        for now in range(seconds):
            for run in self.of_stage("running"):
                if run.ends == now and run.stage == "running":
                    self.end(run, now)
            for run in self.of_stage("retryable"):
                if run.since == now:
                    self.admit(run, now)
            for job in self.jobs:
                self.come(job, now)
            for run in self.of_stage("line", "waiting"):
                self.expire(run, now)
            self.note(now)

    def of_stage(self, *stages: str, job: Job | None = None) -> list[ARun]:
        return [r for r in self.runs if r.stage in stages and (job is None or r.job is job)]

    def due(self, run: ARun) -> int:
        return int((run.live.run.scheduled_at - self.start).total_seconds())

    def come(self, job: Job, now: int) -> None:
        at = self.start + timedelta(seconds=now)
        if compile_schedule(job.schedule, job.timezone).next_after(at - _TICK) != at:
            return
        number = len(self.runs) + 1
        run = ARun(job, LiveRun(run_of(job, 1, at), number), number, since=now, ready=now)
        self.counts[job.name]["runs"] += 1
        live = self.of_stage("line", "waiting", "running", "retryable", job=job)
        self.counts[job.name]["overlapped"] += bool(live)
        self.runs.append(run)
        if job.overlap is Overlap.ALLOW:
            self.admit(run, now)
        else:
            self.judge(job, now)

    def admit(self, run: ARun, now: int) -> None:
        run.stage, run.live.begun, run.live.state = "waiting", True, State.CLAIMED
        if run.attempt > 1:
            run.since = run.ready = now
        self.fill(run.job.cluster, run.attempt > 1, now)

    def fill(self, cluster: str, retry: bool, now: int) -> None:
        def here(stage: str) -> list[ARun]:
            of = self.of_stage(stage)
            return [r for r in of if (r.job.cluster, r.attempt > 1) == (cluster, retry)]

        while len(here("running")) < self.slots and here("waiting"):
            run = min(here("waiting"), key=lambda r: (r.since, r.number))
            seconds, _ = self.lasts[run.job.name]
            timeout = run.job.timeout_s
            run.stage = "running"
            run.ends = now + int(min(seconds, timeout) if timeout else seconds)
            count = self.counts[run.job.name]
            count["waited"] += now > run.ready
            count["longest"] = max(count["longest"], now - run.ready)
            running = len(self.of_stage("running", job=run.job))
            count["at_once"] = max(count["at_once"], running)

    def end(self, run: ARun, now: int) -> None:
        seconds, succeeds = self.lasts[run.job.name]
        job, count = run.job, self.counts[run.job.name]
        times_out = job.timeout_s is not None and seconds > job.timeout_s
        retried = not times_out or job.retry_on.timeouts
        run.stage = "ended"
        self.fill(job.cluster, run.attempt > 1, now)
        if succeeds and not times_out:
            self.settle(run, now)
        elif run.attempt < job.max_attempts and retried:
            count["retried"] += 1
            wait = delay(job.backoff, run.attempt, noise=noise(run.live.run.id, run.attempt))
            run.stage, run.attempt = "retryable", run.attempt + 1
            run.since = now + int(wait.total_seconds())
        else:
            count["discarded"] += 1
            self.settle(run, now)

    def settle(self, run: ARun, now: int) -> None:
        run.stage = "over"
        self.judge(run.job, now)

    def judge(self, job: Job, now: int) -> None:
        """Apply the rule of the ledger until it has nothing more to say."""
        if job.overlap is Overlap.ALLOW:
            return
        while True:
            by_id = {r.live.run.id: r for r in self.runs if r.stage != "over"}
            line = [run.live for run in self.of_stage("line", job=job)]
            begun = self.of_stage("waiting", "running", "retryable", job=job)
            said = list(moves(line, [run.live for run in begun]))
            for move in said:
                run = by_id[move.run]
                if isinstance(move, Begin):
                    run.ready = now
                    self.admit(run, now)
                elif isinstance(move, Skipped):
                    self.counts[job.name]["skipped"] += 1
                    run.stage = "over"
                else:
                    self.counts[job.name]["replaced"] += 1
                    run.stage = "over"
                    self.fill(job.cluster, run.attempt > 1, now)
            if not said:
                return

    def expire(self, run: ARun, now: int) -> None:
        within = run.job.start_within_s
        if within is None or run.attempt > 1 or self.due(run) + within != now:
            return
        self.counts[run.job.name]["late"] += 1
        begun, run.stage = run.stage == "waiting", "over"
        if begun:
            self.judge(run.job, now)

    def note(self, now: int) -> None:
        for cluster in {job.cluster for job in self.jobs}:
            for retry in (False, True):
                for stage, seen in (("running", self.used), ("waiting", self.waiting)):
                    of = [r for r in self.of_stage(stage) if r.job.cluster == cluster]
                    count = sum((r.attempt > 1) == retry for r in of)
                    seen[cluster, retry, now] = count
