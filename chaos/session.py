"""One run of chaos, from an empty folder to the report."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.audit import audit
from chaos.exporter import attach, exporter
from chaos.files import CrontabFiles
from chaos.fleet import Fleet
from chaos.judge import Evidence
from chaos.ledgers import Ledgers
from chaos.monitoring import Monitoring
from chaos.plan import FaultKind, make_plan
from chaos.poison import Poisoner, not_set_aside
from chaos.report import Circumstances, Report, make_report
from chaos.secured import Secured
from chaos.strike import Striker
from chaos.truth import executions, write_note
from chaos.watching import Watching
from chaos.workload import CROWDED_SLOTS, ChaosJob, crowded_jobs_of, jobs_of
from cronstream import clock
from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.guard import Guard
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.errors import CronstreamError
from cronstream.settings import Settings, settings
from cronstream.supervisor.command import Installation
from cronstream.topology.reading import Reader
from cronstream.topology.topics import all_topics, ensure_topics

#: Less than the usual 20 s: a worker that is asked to stop interrupts what runs for long.
_DRAIN_S = 5
#: Everything has had time to start, so that what is due from then on has no excuse.
_WARM_UP_S = 5.0
#: How long runs may take to come to their verdicts after the last fault.
_SETTLE_WITHIN_S = 150.0
_LOOK_AGAIN_S = 0.5
#: Whoever refuses a message sets it aside at once, or its successor does.
_ASIDE_WITHIN_S = 20.0
_TOPICS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes:
        every_s: Seconds between two faults, as a rule.
        late_s: A first start this late misses the target, if nothing excuses it.
        herd: Jobs of each cluster that are due in the same second.
        workers: Workers of each cluster.
        secured: Whether Kafka speaks TLS, asks for a login, and denies by default, and workers
            run only what is signed.
        alerts: Whether Prometheus and Alertmanager run beside it, and by what is divided what
            alerts wait for; 0 for not at all.
        folder: Where everything is kept; it is empty.
    """

    duration_s: float
    brokers: int
    kinds: frozenset[FaultKind]
    seed: int
    workers: int
    schedulers: int
    herd: int
    clusters: int
    late_s: float
    every_s: float
    secured: bool
    alerts: int
    folder: Path


class Session:
    """What there is while faults are inflicted."""

    def __init__(self, wish: Wish, say: Callable[[str], None], guard: Guard) -> None:
        self._wish, self._say = wish, say
        self._clusters = tuple(f"chaos-{number}" for number in range(1, wish.clusters + 1))
        folder = wish.folder
        self._truth = folder / "truth"
        self._truth.touch()
        #: Of several clusters the last has few slots, so that its workers lend.
        self._crowded = self._clusters[-1] if wish.clusters > 1 else ""
        self._jobs = [job for cluster in self._clusters for job in self._jobs_of(cluster)]
        note = write_note(folder / "note.sh", self._truth)
        self._files = CrontabFiles(folder, self._jobs, note)
        self._kafka = EmbeddedCluster(
            folder / "kafka",
            wish.brokers,
            guard=guard,
            say=say,
            jar_cache=settings().jars,
        )
        self._secured: Secured | None = None
        if wish.secured:
            self._secured = Secured(folder / "secured", self._roles)
            self._secured.open(self._kafka)
        self._fleet = Fleet(self._installation(), self._files, self._variables, folder, guard)
        monitoring = Monitoring(folder / "monitoring", guard, wish.alerts) if wish.alerts else None
        brokers = attach(self._kafka.brokers.values(), exporter()) if wish.alerts else ()
        self._watching = Watching(monitoring, self._fleet, brokers)
        self._booted_at = datetime.fromtimestamp(
            clock.now().timestamp() - time.clock_gettime(time.CLOCK_BOOTTIME), UTC
        )

    def _installation(self) -> Installation:
        return Installation(self._kafka.url, self._files.common, self._wish.folder / "data")

    @property
    def _roles(self) -> tuple[Role, ...]:
        workers = (RoleKind.WORKER, RoleKind.RETRY_WORKER)
        of_clusters = (Role(kind, cluster) for cluster in self._clusters for kind in workers)
        return (Role(RoleKind.SCHEDULER), *of_clusters)

    def _jobs_of(self, cluster: str) -> list[ChaosJob]:
        if cluster == self._crowded:
            return crowded_jobs_of(cluster, settings().partitions)
        return jobs_of(cluster, self._wish.herd)

    def _variables(self, role: Role) -> dict[str, str]:
        own = self._secured.variables(role) if self._secured else {}
        if self._crowded and role.cluster == self._crowded:
            own["CRONSTREAM_SLOTS"] = str(CROWDED_SLOTS)
        return {**self._settings, **own}

    @property
    def _settings(self) -> dict[str, str]:
        copies = min(3, self._wish.brokers)
        return {
            "CRONSTREAM_DRAIN_S": str(_DRAIN_S),
            "CRONSTREAM_REPLICATION_FACTOR": str(copies),
            "CRONSTREAM_MIN_INSYNC_REPLICAS": str(max(1, copies - 1)),
        }

    async def run(self) -> Report:
        """Start everything, strike, let it settle, and judge.

        Raises:
            CronstreamError: If something cannot be started at all.
        """
        try:
            await self._kafka.start()
            if self._secured is not None:
                await self._let_in(self._secured)
            self._start_fleet()
            async with self._ledgers() as ledgers, self._watching.running():
                return await self._run(ledgers)
        finally:
            await self._fleet.stop()
            await self._kafka.kill()

    async def _let_in(self, secured: Secured) -> None:
        """Make all topics, and allow each role what it needs: none may make any."""
        config = Settings.model_validate({**self._settings, "CRONSTREAM_BROKER": self._kafka.url})
        await ensure_topics(all_topics(self._clusters, config), config)
        await secured.grant(self._kafka, config.names, self._clusters)

    def _start_fleet(self) -> None:
        for _ in range(self._wish.schedulers):
            self._fleet.add(Role(RoleKind.SCHEDULER))
        for cluster in self._clusters:
            for _ in range(self._wish.workers):
                self._fleet.add(Role(RoleKind.WORKER, cluster))
            self._fleet.add(Role(RoleKind.RETRY_WORKER, cluster))

    @asynccontextmanager
    async def _ledgers(self) -> AsyncIterator[Ledgers]:
        """Follow the ledgers once their topics are there."""
        config = Settings(broker=self._kafka.url)
        async with Reader(config) as reader:
            async with asyncio.timeout(_TOPICS_WITHIN_S):
                ledgers = Ledgers(reader, self._clusters, config.partitions)
                while not await ledgers.are_there():  # noqa: ASYNC110 - other processes make them
                    await asyncio.sleep(_LOOK_AGAIN_S)
            following = asyncio.create_task(ledgers.follow())
            try:
                yield ledgers
            finally:
                following.cancel()
                await asyncio.wait([following])

    async def _run(self, ledgers: Ledgers) -> Report:
        if unwell := await self._fleet.until_well():
            raise CronstreamError(f"not all parts have come to work: {'; '.join(unwell)}")
        await asyncio.sleep(_WARM_UP_S)
        wish, since = self._wish, clock.now()
        async with self._poisoner() as poisoner:
            dice = random.Random(wish.seed)  # noqa: S311 - repeatable, not secret
            striker = Striker(self._fleet, self._kafka, ledgers, poisoner, dice, self._say)
            await self._strike(striker)
        until = clock.now()
        evidence = await self._settled(ledgers, striker, since, until)
        unwell = await self._fleet.until_well()
        not_aside = await not_set_aside(
            Settings(broker=self._kafka.url), poisoner.sent, _ASIDE_WITHIN_S
        )
        audited = await audit(self._kafka.url, since, until)
        circumstances = Circumstances(
            wish.seed,
            wish.duration_s,
            wish.schedulers,
            wish.workers,
            wish.late_s,
            tuple(self._unexpected_ends()),
            tuple(unwell),
            audited,
            len(poisoner.sent),
            tuple(sorted(not_aside)),
            await self._watching.alarms(since),
            ledgers.borrowed,
        )
        return make_report(evidence, circumstances)

    @asynccontextmanager
    async def _poisoner(self) -> AsyncIterator[Poisoner]:
        dice = random.Random(self._wish.seed)  # noqa: S311 - repeatable, not secret
        poisoner = Poisoner(Settings(broker=self._kafka.url), dice)
        await poisoner.start()
        try:
            yield poisoner
        finally:
            await poisoner.stop()

    async def _strike(self, striker: Striker) -> None:
        """Inflict what is planned.

        Raises:
            CronstreamError: If the installation cannot be struck, or kept alive, as it should.
        """
        wish = self._wish
        plan = make_plan(
            wish.seed, wish.duration_s, wish.kinds, self._clusters, wish.brokers, wish.every_s
        )
        self._say(f"all is well; {len(plan)} faults in {wish.duration_s:.0f} s, seed {wish.seed}")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(wish.duration_s))
                tasks.create_task(striker.strike_all(plan))
        except ExceptionGroup as group:
            raise CronstreamError(f"chaos was given up: {_reasons(group)}") from group

    async def _settled(
        self, ledgers: Ledgers, striker: Striker, since: datetime, until: datetime
    ) -> Evidence:
        """Return the evidence once every run has its verdict, or too much time has passed."""
        self._say("no more faults; waiting until every run has its verdict ...")
        runs = Evidence(self._jobs, since, until, {}, [], [], {}).due
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_WITHIN_S):
                while not _are_settled(ledgers, runs):  # noqa: ASYNC110 - others settle them
                    await asyncio.sleep(_LOOK_AGAIN_S)
        stories = {run: story for run in runs if (story := ledgers.stories.get(run)) is not None}
        lines = self._truth.read_text().splitlines()
        return Evidence(
            self._jobs,
            since,
            until,
            stories,
            executions(lines, self._booted_at),
            striker.incidents,
            {life.worker: life.process for life in self._fleet.lives() if life.worker},
            {life.process: life.ended_at for life in self._fleet.lives() if life.ended_at},
        )

    def _unexpected_ends(self) -> Iterable[str]:
        for life in self._fleet.lives():
            if life.ended_at is not None and not life.expected:
                yield f"{life.process} ended by itself with status {life.status}"


def _reasons(group: ExceptionGroup[Exception]) -> str:
    return "; ".join(
        _reasons(error) if isinstance(error, ExceptionGroup) else str(error)
        for error in group.exceptions
    )


def _are_settled(ledgers: Ledgers, runs: Mapping[str, tuple[ChaosJob, datetime]]) -> bool:
    stories = ((job, ledgers.stories.get(run)) for run, (job, _) in runs.items())
    return all(job.is_stray if story is None else story.state.settled for job, story in stories)


async def run(wish: Wish, say: Callable[[str], None], guard: Guard) -> Report:
    """Run chaos once and return what came of it."""
    return await Session(wish, say, guard).run()
