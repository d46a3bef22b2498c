"""One installation from one seed, for ninety days: two clusters, their logs, and what happens."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from cronstream.core.health.presence import Presence, Shared
from cronstream.core.timing import Timing
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Job, Run
from tests.builders import NAMES
from tests.simulation.client import Client
from tests.simulation.group import Group
from tests.simulation.log import Log
from tests.simulation.process import Process
from tests.simulation.stage import Stage
from tests.simulation.worker import SimWorker
from tests.timelapse.auditing import faults_of_audit
from tests.timelapse.checks import broken_promises, broken_so_far
from tests.timelapse.growth import Growth
from tests.timelapse.jobs import CLUSTERS, crontab
from tests.timelapse.judge import Judge
from tests.timelapse.kafka import DAY_S, Changelog, Cleaner, LapseTopics
from tests.timelapse.scheduler import LapseScheduler
from tests.timelapse.tables import Table
from tests.timelapse.trouble import Trouble
from tests.timelapse.worker import LapseWorker

DAYS: Final = 90
#: After the last day all that is live must get its verdict: retries wait for up to two days.
_REST_DAYS: Final = 12
_PARTITIONS: Final = 2
#: A worker claims a few seconds ahead: to hold a claim costs turns and heartbeats.
_TIMING: Final = Timing(look_ahead=timedelta(seconds=5))
#: Nothing is due any more: but for New Year's Day.
_NEVER: Final = "0 0 1 1 *"
_CLEANS_S: Final = 6 * 3600.0


class Lapse(Stage):
    """All there is.

    Attributes:
        file: The crontab: each job as it should be now.
        jobs: The ``jobs`` topic, which is kept for ever.
        ledgers: Changelogs of ledgers, by cluster and role; one for each partition.
        cursor_log: The changelog of the shard's cursor; and `kept_jobs` of its jobs.
        manual: The runs that people asked for.
        broken: What was seen to be broken on the way.
        excuses: From, to and kind of each trouble that may make runs late.
        ticks_ahead_s: By how much the clock of the broker is ahead that leads ``ticks`` and
            ``installation.workers``.
    """

    trouble: Trouble
    topics: LapseTopics

    def __init__(self, seed: int, days: int = DAYS) -> None:
        super().__init__(seed)
        self.days = days
        dice = self.dice
        self.stale, self.cluster = timedelta(minutes=10), CLUSTERS[0]
        self.slots = dice.choice((2, 50, 50))
        self.timing = replace(_TIMING, slots=self.slots)
        self.skew, self.ticks_ahead_s = 0.2, 0.0
        self.ill_timed = dice.choice((0.0, 0.0, 0.0002))
        self.on_the_wire = dice.random() < 0.1
        keeps_days, rolls_days = dice.choice(((30, 7), (30, 1), (10, 2)))
        self.topics = LapseTopics(self.loop, _PARTITIONS, keeps_days * DAY_S, rolls_days * DAY_S)
        self.jobs = Log(NAMES.jobs, 0, batches=False)
        self.cursor_log, self.kept_jobs = Changelog("cursors", 0), Changelog("jobs", 0)
        self.ledgers = {
            (cluster, retry): [Changelog(f"{cluster}-{retry}", p) for p in range(_PARTITIONS)]
            for cluster in CLUSTERS
            for retry in (False, True)
        }
        self.judge, self.growth = Judge(), Growth(self)
        for cluster in CLUSTERS:
            names = NAMES.log(cluster), NAMES.retry_log(cluster), NAMES.discarded(cluster)
            self.judge.listen(self.topics, cluster, names)
        made = crontab(dice)
        self.file = {name: job for name, (job, _) in made.items()}
        self.specs = {name: spec for name, (_, spec) in made.items()}
        self.manual: list[Run] = []
        self.excuses: list[tuple[float, float, str]] = []
        self.broken: list[str] = []
        self.trouble = Trouble(self)
        self._build()

    def _build(self) -> None:
        scheduling = Group(self, 1)
        self.schedulers = [LapseScheduler(self, f"s{i}", scheduling) for i in range(2)]
        self.workers: list[LapseWorker] = []
        for cluster in CLUSTERS:
            for retry, many in ((False, 2), (True, 1)):
                group, role = Group(self, _PARTITIONS), "r" if retry else "w"
                self.workers += [
                    LapseWorker(self, f"{cluster}-{role}{i}", group, retry=retry, cluster=cluster)
                    for i in range(many)
                ]
        self.processes: list[Process] = [*self.schedulers, *self.workers]
        self.client = Client(self, "client")
        self.client.start()
        self.trouble.upgrade()
        for process in self.processes:
            process.group.members.append(process)
            process.start()
        cleaner = Cleaner(self.dice)
        for changelog in self.changelogs():
            self._compact(cleaner, changelog)
        self._clean()
        self.trouble.begin(self.days)

    # -- what there is --------------------------------------------------------------------

    def changelogs(self) -> list[Changelog]:
        """Return every changelog."""
        return [
            self.cursor_log,
            self.kept_jobs,
            *(one for logs in self.ledgers.values() for one in logs),
        ]

    def workers_of(self, cluster: str, *, retry: bool | None = None) -> list[LapseWorker]:
        """Return the workers of a cluster, of one role or of both."""
        return [w for w in self.workers if w.cluster == cluster and retry in (None, w.retry)]

    def clock_s(self, process: Process) -> float:
        """Return how far a process's clock is ahead of the broker's, as it measures it."""
        return process.skew - self.ticks_ahead_s

    def present(self) -> Iterable[Presence]:
        """Return what all processes tell of themselves."""
        shared = Shared(partitions=2, shards=1, look_ahead_s=30, lease_s=6, fence_s=4.5)
        since = datetime(2026, 1, 1, tzinfo=UTC)
        for process in self.processes:
            if process.alive:
                is_worker = isinstance(process, SimWorker)
                yield Presence(
                    name=process.id,
                    role=RoleKind.WORKER if is_worker else RoleKind.SCHEDULER,
                    version="",
                    level=LEVEL,
                    shared=shared,
                    clock_s=self.clock_s(process),
                    since=since,
                )

    def see_row(self, table: Table, row: Any) -> None:
        """A row was read back: one that was whole once stays, until there is a newer one."""
        changelog = table.changelog
        if row is None and changelog.has_whole:
            place = f"{changelog.topic}/{changelog.partition}"
            self.broken.append(f"no row is whole on {place}")

    # -- the crontab ----------------------------------------------------------------------

    def edits(self, known: dict[str, Job]) -> list[Job]:
        """Return the jobs whose last message is not what the file says."""
        return [job for name, job in self.file.items() if not _is_known(job, known.get(name))]

    def edit(self, job: Job) -> None:
        """Put a job in the file, or in place of the one that is there."""
        self.file[job.name] = job
        for scheduler in self.schedulers:
            scheduler.later(self.dice.uniform(0, 1), scheduler.poke)

    def take_out(self, name: str) -> None:
        """Take a job out of the file, so that nobody remembers it but the topics."""
        self.edit(self.file[name].derive(removed=True))

    # -- time -----------------------------------------------------------------------------

    def _clean(self) -> None:
        self.count["messages deleted"] += self.topics.clean(self.loop.now)
        self.loop.at(self.loop.now + _CLEANS_S, self._clean)

    def _compact(self, cleaner: Cleaner, changelog: Changelog) -> None:
        changelog.compact(self.loop.now)
        again = self.loop.now + cleaner.pause_s()
        self.loop.at(again, partial(self._compact, cleaner, changelog))

    def run(self) -> list[str]:
        """Let three months pass, and return a sentence for each promise that was broken."""
        for day in range(1, self.days + 1):
            self.loop.run(day * DAY_S)
            self.growth.look(day)
            if day % 7 == 0 and (broken := broken_so_far(self)):
                return broken
        self.in_trouble = False
        self.trouble.end()
        for job in list(self.file.values()):
            self.edit(job.derive(removed=True) if self.dice.random() < 0.5 else _at_rest(job))
        until = self.loop.now
        while until < (self.days + _REST_DAYS) * DAY_S and not self.is_quiet():
            until += 3600.0
            self.loop.run(until)
        return broken_promises(self) or list(faults_of_audit(self))

    def is_quiet(self) -> bool:
        """Whether nothing is live, and nothing on its way."""
        everybody = [*self.processes, self.client]
        return (
            self.judge.is_quiet
            and all(process.fit and process.idle for process in everybody)
            and not self.edits({j.name: j for _, [j] in self.jobs.messages})
            and not any(worker.member.holding for worker in self.workers)
        )

    def take_apart(self) -> None:
        """Let go of everything, so that no cycles are left to the garbage collector."""
        for process in [*self.processes, self.client]:
            vars(process).clear()
        for part in (self.loop, self.topics, self.trouble, self.growth, self.judge, self):
            vars(part).clear()


def _at_rest(job: Job) -> Job:
    return job.derive(schedule=_NEVER, timezone="UTC")


def _is_known(job: Job, known: Job | None) -> bool:
    if known is None or known.removed:
        return job.removed
    return job.derive(effective_from=known.effective_from) == known
