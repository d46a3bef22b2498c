"""One world from one seed: two schedulers, workers and retry workers, their logs, and trouble."""

from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from cronstream.core.health.presence import Shared
from cronstream.core.planning.backfill import Wanted, runs_of
from cronstream.core.planning.controls import Controls
from cronstream.core.planning.making import run_of
from cronstream.core.timing import Timing
from cronstream.core.wire.enumerations import Cause, Delivery, Overlap
from cronstream.core.wire.runs import Backoff, Job, Run
from tests.builders import NAMES
from tests.simulation import leases
from tests.simulation.chaining import chain
from tests.simulation.client import Client
from tests.simulation.deadlines import hurry
from tests.simulation.group import Group
from tests.simulation.handing_over import pending
from tests.simulation.leases import Leases
from tests.simulation.lending import Lending
from tests.simulation.log import Log, Topics
from tests.simulation.loop import moment
from tests.simulation.making_up import knows_backfills, make_up
from tests.simulation.pausing import pause_jobs, paused_last
from tests.simulation.process import Process
from tests.simulation.retention import EVERY_S, live_on, lives_on, repeat_runs
from tests.simulation.scale import STALE
from tests.simulation.scheduler import LOOK_AHEAD_S, SimScheduler
from tests.simulation.several import let_several_run
from tests.simulation.stage import Stage
from tests.simulation.stepping import Stepping
from tests.simulation.trouble import AIMED, Trouble
from tests.simulation.worker import SimWorker

CLUSTER = "cluster-a"
#: As in the defaults, but scaled down: 1 s of trouble goes further.
TIMING = Timing(
    look_ahead=timedelta(seconds=4), lease_s=3.0, fence_s=2.2, beat_s=0.7, max_claims=50
)
TROUBLE_S = 6.0
#: Share of the worlds in which a worker has one slot, and more is due than it can run.
_NARROW = 0.2
#: A schedule by which nothing more is due: at midnight only.
_NEVER_S = 86_400
#: After the trouble, everything must have its verdict within this time.
QUIET_S = 1_200.0


@dataclass(frozen=True, slots=True)
class Spec:
    """What a job's commands do.

    Attributes:
        fails: Share of the attempts that fail.
        kills: What each attempt at some of its runs ends: its executor, or its worker.
    """

    lasts_s: float
    fails: float
    kills: str | None = None

    def is_killer(self, run: Run) -> bool:
        """Whether each attempt at this run kills."""
        return self.kills is not None and Random(f"{run.id} kills").random() < 0.4


class World(Stage):
    """All there is; `run` lets time pass, then `tests.simulation.checks` looks at what is left.

    Attributes:
        file: The crontab: each job as it should be now.
        lives_on: Whether it has a second life once it is at rest.
        pauses: Whether people pause jobs; `controls` is what they have asked.
    """

    trouble: Trouble
    pauses = False
    controls: Controls

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seed, dice = seed, self.dice
        self.cluster, self.stale = CLUSTER, STALE
        self.leases, self.stepping = Leases(self, seed, TIMING), Stepping(self, seed)
        self.steps = self.stepping.happens and not self.leases.differ
        self.tells = self.leases.differ or self.steps
        trouble_s, self.look_ahead_s = TROUBLE_S, LOOK_AHEAD_S
        if self.leases.differ:
            trouble_s, self.look_ahead_s = leases.TROUBLE_S, leases.LOOK_AHEAD_S
        self.lives_on, self.trouble_until = lives_on(seed) and not self.tells, trouble_s
        self.struck_kind = Run
        self.slowest_s = dice.choice((0.05, 0.2, 0.4))
        self.skew = dice.choice((0.0, 0.2))
        self.lending = Lending(seed)
        self.slots = self._slots()
        self.leases.timings = [replace(t, slots=self.slots) for t in self.leases.timings]
        self.timing = self.timings[0]
        self.on_the_wire = dice.random() < 0.03
        self.topics = Topics(self.loop, dice.choice((2, 3)))
        self.jobs = Log(NAMES.jobs, 0, batches=False)
        self.cluster_topic = NAMES.log(CLUSTER)
        self.rows = {
            (retry, partition): []
            for retry in (False, True)
            for partition in range(self.topics.partitions)
        }
        self.specs = {}
        self.file = self.lending.jobs({name: self._job(name) for name in ("a", "bb", "c")})
        self.manual: list[Run] = []
        self.trouble = Trouble(self)
        self.trouble.aim()
        self._build()
        self.trouble.begin(trouble_s)
        self.trust.begin(self, trouble_s)
        if not self.steps:
            self.trouble.step_clocks(seed, trouble_s)
        self.trouble.repair(seed, trouble_s)
        pause_jobs(self, trouble_s)
        self.leases.change()
        self.lending.begin(self)
        if self.steps:
            self.stepping.begin(trouble_s)
        if self.lives_on:
            repeat_runs(self, seed, trouble_s)

    def _slots(self) -> int:
        slots = self.dice.choice((3, 6, 50))
        if self.lending.happens:
            return self.lending.slots
        return 1 if Random(f"{self.seed} slots").random() < _NARROW else slots

    def _build(self) -> None:
        partitions = self.topics.partitions
        self.groups = [Group(self, 1), Group(self, partitions), Group(self, partitions)]
        first, later = self.groups[1:]
        self.schedulers = [SimScheduler(self, f"s{i}", self.groups[0]) for i in range(2)]
        self.workers = [SimWorker(self, f"w{i}", first, retry=False) for i in range(3)]
        self.workers += [SimWorker(self, f"r{i}", later, retry=True) for i in range(2)]
        self.processes: list[Process] = [*self.schedulers, *self.workers]
        self.client = Client(self, "client")
        self.client.start()
        if self.tells:
            self._hear()
        self.trouble.upgrade()
        hurry(self)
        let_several_run(self)
        make_up(self)
        chain(self)
        for process in self.processes:
            process.group.members.append(process)
            process.start()

    def _hear(self) -> None:
        """Have all processes hear of the workers' topic; it takes long in some worlds."""
        dice = Random(f"{self.seed} hears")
        self.joins_slowly = not self.leases.longer_is_new
        self.slowest_roll_s = dice.choice((0.0, 3.0, 8.0) if self.leases.differ else (0.0, 1.0))
        self.workers_topic.listeners += [process.hear for process in self.processes]

    @property
    def timings(self) -> list[Timing]:
        """The settings of its workers; the shortest lease first."""
        return self.leases.timings

    def timing_of(self, process: Process) -> Timing:
        """Return the settings of a worker that starts now."""
        return self.leases.timing_of(process)

    def shared_of(self, process: Process) -> Shared:
        """Return what a process tells of its settings."""
        return self.leases.shared(process.timing)

    def _job(self, name: str) -> Job:
        dice = self.dice
        lasts_s, fails = dice.choice((0.1, 0.5, 1.5, 4.5)), dice.choice((0, 0.3, 1.0))
        self.specs[name] = Spec(lasts_s, fails, dice.choice((*(None,) * 12, "executor", "worker")))
        once = dice.random() < 0.35
        job = Job(
            name=name,
            cluster=CLUSTER,
            schedule=f"@every {dice.choice((1, 2, 3, 5))}s",
            timezone="UTC",
            command="true",
            max_attempts=dice.choice((1, 2, 3)),
            backoff=Backoff(first_s=dice.choice((0.0, 0.5, 2.0)), ceiling_s=3.0),
            delivery=Delivery.AT_MOST_ONCE if once else Delivery.AT_LEAST_ONCE,
            missed_grace_s=dice.choice((2.0, 300.0)),
            overlap=dice.choice((Overlap.ALLOW, *Overlap)),
            max_queue=dice.choice((1, 3, 100)),
            fence=dice.random() < 0.5,
            grace_s=dice.choice((0.0, 0.5, 0.9)),
        )
        # What is expected of it is known to every fold of its log alike, and decides nothing.
        return job.derive(expect_within_s=10.0) if job.max_queue > 1 else job

    # -- what processes ask of it ---------------------------------------------------------

    def odds_at(self, step: str, record: object) -> float:
        """Return how likely a process is struck at a step of its work."""
        if step == self.struck_at and (record is None or type(record) is self.struck_kind):
            return AIMED
        return self.ill_timed

    def edits(self, known: dict[str, Job]) -> list[Job]:
        """Return the jobs whose last message is not what the file says."""
        return [
            job
            for name, job in self.file.items()
            if name not in known or _what_is_edited(known[name]) != _what_is_edited(job)
        ]

    def edit(self, name: str, every_s: int | None) -> None:
        """Change a job in the file, or take it out (None); after the trouble it is left alone."""
        if self.in_trouble:
            self._edit(name, every_s)

    def let_rest(self) -> None:
        """Let nothing be due any more: take jobs out with what waits, or let that be served."""
        for name in self.file:
            every_s = self.dice.choice((None, _NEVER_S, _NEVER_S))
            self._edit(name, EVERY_S if every_s and self.lives_on else every_s)

    def _edit(self, name: str, every_s: int | None) -> None:
        old = self.file[name]
        schedule = old.schedule if every_s is None else f"@every {every_s}s"
        self.file[name] = old.derive(schedule=schedule, removed=every_s is None)

    def run_now(self, name: str) -> None:
        """A person asks for a run of a job now."""
        job, number = self.file[name], len(self.manual)
        due = moment(int(self.loop.now))
        if not self.cursors:
            job = job.derive(
                max_running=1, then=None
            )  # Nobody has raised the logs to its level yet.
        run = run_of(job, None, due, cause=Cause.RUN_NOW, number=number)
        self.manual.append(run)
        self.client.publish(run)

    def backfill(self, name: str) -> None:
        """A person asks for some due times that are past, and another one for the same."""
        if not knows_backfills(self):
            return  # The command says so.
        job, now = self.file[name], moment(self.loop.now)
        last = now.replace(microsecond=0) - timedelta(seconds=60)
        due = [(last + place * timedelta(seconds=1), job) for place in range(3)]
        for wanted in (
            Wanted(now, timedelta(seconds=0.5), "ada"),
            Wanted(now + timedelta(seconds=0.1), timedelta(seconds=0.2), "bob"),
        ):
            runs = runs_of(due, wanted, {})
            self.manual += runs
            for run in runs:
                self.client.publish(run)

    def cancel(self, run: Run) -> None:
        """A person wants a run no more."""
        self.client.cancel(run)

    # -- time -----------------------------------------------------------------------------

    def run(self) -> None:
        """Let time pass until all is quiet, or should have been long ago."""
        self._come_to_rest()
        if self.lives_on and self.is_quiet():
            # Nothing deletes what was appended a moment ago: what a scheduler may publish again,
            # since its cursor is not written each second, is still on the logs.
            self.trouble_until = self.loop.now + LOOK_AHEAD_S
            self._come_to_rest()
            self.lives_on, self.trouble_until = False, live_on(self, self.seed)
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        until = self.trouble_until + 1
        self.loop.run(until)
        while until < self.trouble_until + QUIET_S and not self.is_quiet():
            until += 0.5
            self.loop.run(until)

    def take_apart(self) -> None:
        """Let go of everything, so that no cycles are left to the garbage collector."""
        for process in [*self.processes, self.client]:
            vars(process).clear()
        for part in (self.loop, self.topics, self.trouble, *self.groups, self):
            vars(part).clear()

    def is_quiet(self) -> bool:
        """Whether nothing is live, nothing on its way, and everybody has read everything."""
        everybody = [*self.processes, self.client]
        if not all(process.fit and process.has_joined and process.idle for process in everybody):
            return False
        if self.edits(_last_of_each(self.jobs)) or self._cursor_is_behind() or pending(self):
            return False
        if any(worker.member.holding for worker in self.workers):
            return False
        return all(self._is_settled(worker) for worker in self.workers)

    def _cursor_is_behind(self) -> bool:
        """Whether there may be due times that have not been published."""
        if not self.cursors or self.cursors[-1].taken < len(self.jobs.messages):
            return True
        last = self.cursors[-1]
        held_from = [job.effective_from for job in _last_of_each(self.jobs).values()]
        if last.at < moment(paused_last(self)):
            return True
        return last.noted is not None or any(last.at < at for at in held_from if at is not None)

    def _is_settled(self, worker: SimWorker) -> bool:
        if worker.group.rebalancing or worker.draining:
            return False
        given = set(worker.group.given_to(worker))
        owners = worker.member.owners
        return set(owners) == given and all(
            owner.ready
            and not owner.ledger.book.live
            and owner.ledger.book.next_offset == len(worker.logs[partition].messages)
            for partition, owner in owners.items()
        )


def _what_is_edited(job: Job) -> tuple[str, bool, object]:
    said = job.control
    return job.schedule, job.removed, said and (said.action, said.at, said.job, said.resumed_at)


def _last_of_each(jobs: Log) -> dict[str, Job]:
    return {job.name: job for _, records in jobs.messages for job in records}
