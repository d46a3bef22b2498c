"""Puts the crontab's changes on the ``jobs`` topic, from the scheduler that has shard 0."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from aiokafka.errors import KafkaError

from cronstream.core.crontab.change import Change, compare, count, describe, without
from cronstream.core.crontab.parser import Crontab
from cronstream.core.planning.cursor import Place
from cronstream.core.planning.recent import JobsKnown
from cronstream.core.wire import naming
from cronstream.core.wire.runs import Job
from cronstream.errors import (
    BrokerError,
    CronstreamError,
    CrontabError,
    Part,
    Problem,
    TopologyError,
)
from cronstream.logs import Fields, fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.belonging import Belonging
from cronstream.scheduler.standing_by import StandingBy
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.installation_level import see_that_it_is_open
from cronstream.topology.jobs import JobsLog
from cronstream.topology.publish import Ack
from cronstream.topology.topics import cluster_topics

logger = logging.getLogger(__name__)

#: How long to wait before a crontab that could not be applied is tried again.
RETRY_S = 0.5
#: The same, where it was the topics of some clusters, and all else is in force.
HELD_UP_S = 5.0
#: How long the logs have to take the level; whoever publishes there sees to it again.
_ANNOUNCED_S = 3.0
#: Every so many edits, others get their turn.
_TURN = 500


class CrontabFollower:
    """Watches the crontab, and publishes what changes while `may_apply` says that it is ours.

    While it says that it is another's turn, and not only that nobody knows yet (None), it is seen
    whether both have the same file.
    """

    def __init__(
        self,
        settings: Settings,
        world: World,
        may_apply: Callable[[], bool | None],
        announcer: Announcer,
        jobs: JobsLog,
    ) -> None:
        #: Whether the cursors here are where a right clock has them.
        self.is_right: Callable[[], bool] = lambda: True
        self._announcer, self._jobs = announcer, jobs
        self._settings, self._world = settings, world
        self._may_apply = may_apply
        self.belonging = Belonging(settings, world.publisher, world.memory, jobs.known)
        self._crontab: Crontab | None = None
        #: How often it was asked to apply the crontab, and up to which time it has.
        self._asked = self._applied = 0
        self._wake = asyncio.Event()
        self._failing = ""
        #: Why the jobs of some clusters are not in force as the file has them.
        self.held_up: list[str] = []
        file = Path(settings.crontab)
        self._standing_by = StandingBy(file, world.clock, jobs, self.belonging)

    def apply_again(self) -> None:
        """Compare the file with the topic again: shard 0 has come to this process."""
        self._asked += 1
        self._wake.set()

    async def follow(self, stop: asyncio.Event) -> None:
        """Follow the file until `stop` is set."""
        applying = asyncio.create_task(self._apply_each())
        try:
            async for found in self._world.watch(self._settings.crontab, stop):
                self._take(found)
        finally:
            applying.cancel()
            await asyncio.wait([applying])

    def _take(self, found: Crontab | CrontabError) -> None:
        if isinstance(found, Crontab):
            self._crontab = found
            self.apply_again()
            return
        for problem in found.problems:
            about = fields("crontab-problem", **_about(problem))
            logger.error("%s: %s", found.source, problem, extra=about)
        what = "the crontab before it stays in force" if self._crontab else "waiting for a good one"
        logger.error("%s: not used; %s", found.source, what, extra=fields("crontab-refused"))

    async def _apply_each(self) -> None:
        while True:
            await self._wake.wait()
            while self._applied < self._asked and self._crontab is not None:
                self._wake.clear()
                await self._apply_or_wait(self._crontab)
            self._wake.clear()

    async def _apply_or_wait(self, crontab: Crontab) -> None:
        """Put the crontab in force; if that is not all done now, wait a little."""
        asked = self._asked
        if not self._may_apply():
            await self._standing_by.look(crontab, is_known=self._may_apply() is False)
            await asyncio.sleep(RETRY_S)
        elif not await self._try(crontab):
            await asyncio.sleep(RETRY_S)
        elif self.held_up:
            self._standing_by.over()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HELD_UP_S):
                    await self._wake.wait()
        else:
            self._standing_by.over()
            self._applied = asked

    async def _try(self, crontab: Crontab) -> bool:
        try:
            is_done = await self._apply(crontab)
        except (CronstreamError, KafkaError, OSError, TimeoutError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return False
        except Exception:
            text = "%s could not be put in force; trying again"
            logger.exception(text, self._settings.crontab, extra=fields("crontab-not-applied"))
            return False
        self._failing = ""
        return is_done

    async def _apply(self, crontab: Crontab) -> bool:
        """Publish how the crontab differs from what the topic says, if it belongs there.

        Returns:
            Whether that is all; else a cursor is far ahead, and what holds only then is renewed
            once it is not.
        """
        in_force = await self._jobs.read_on()
        see_that_it_is_open(in_force.house)
        if not await self.belonging.may_apply(crontab):
            return True
        faults = await self._declare([cluster.name for cluster in crontab.clusters])
        names = [cluster.name for cluster in crontab.clusters if cluster.name not in faults]
        partitions = range(self._settings.partitions)
        places = [Place(name, partition) for name in names for partition in partitions]
        await self._announcer.announce(places, _ANNOUNCED_S)
        whole = await asyncio.to_thread(compare, in_force.jobs, crontab.jobs)
        change = without(whole, faults)
        renewed = self._ahead(in_force, change)
        await self._publish(change, renewed if self.is_right() else [])
        await self.belonging.settle()
        name = Path(self._settings.crontab).name
        if change or not faults:
            _log_applied(name, change, len(crontab.jobs))
        self._hold_up(name, faults, whole)
        await self._jobs.keep(self._world.keep)
        return self.is_right() or not renewed

    async def _declare(self, clusters: list[str]) -> dict[str, str]:
        """Declare the topics of clusters; return what is wrong with those of some."""
        specs = {name: cluster_topics(name, self._settings) for name in clusters}
        try:
            await self._world.declare([spec for name in clusters for spec in specs[name]])
        except (TopologyError, BrokerError):
            pass  # It stands in the way of one of them, and it is not known of which.
        else:
            return {}
        faults = {}
        for name in clusters:
            try:
                await self._world.declare(specs[name])
            except (TopologyError, BrokerError) as error:
                faults[name] = str(error)
        return faults

    def _hold_up(self, name: str, faults: dict[str, str], whole: Change) -> None:
        """Note, and say once, which jobs wait until the topics of their cluster are right."""
        waiting = Counter(job.cluster for job in [*whole.added, *whole.changed])
        before = self.held_up
        held_up = {
            cluster: f"{name}: cluster {cluster} is held up, and {waiting[cluster]} edits of its "
            f"jobs with it; all else is in force ({fault})"
            for cluster, fault in faults.items()
        }
        self.held_up = list(held_up.values())
        for cluster, sentence in held_up.items():
            if sentence not in before:
                logger.error("%s", sentence, extra=fields("cluster-held-up", cluster=cluster))

    def _ahead(self, in_force: JobsKnown, change: Change) -> list[Job]:
        """Return definitions that are to hold from now: a clock that was ahead has put them off."""
        changed = {job.name for job in [*change.added, *change.changed, *change.removed]}
        now = self._world.clock.now()
        return [job for job in in_force.ahead(now) if job.name not in changed]

    async def _publish(self, change: Change, renewed: list[Job]) -> None:
        """Put every changed job on its partition, all from one moment on; wait for the broker."""
        now = self._world.clock.now()
        if renewed:
            text = "%d definitions hold from now, not from far ahead"
            logger.warning(text, len(renewed), extra=fields("definitions-renewed"))
        gone = [job.derive(removed=True) for job in change.removed]
        sent = []
        for job in [*change.added, *change.changed, *gone, *renewed]:
            sent.append(self._send(job.derive(effective_from=now)))
            if len(sent) % _TURN == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*sent)

    def _send(self, job: Job) -> asyncio.Future[Ack]:
        return self._world.publisher.publish(
            naming.JOBS, job.name, job, partitions=self._settings.shards
        )

    def _fail(self, text: str) -> None:
        if self._failing != text:
            self._failing = text
            file, about = self._settings.crontab, fields("crontab-not-applied")
            logger.error("%s is not in force yet (%s); trying again", file, text, extra=about)


def _about(problem: Problem) -> Fields:
    """Return the job that a problem is in, or the cluster."""
    match problem.part:
        case Part("job", str(name)):
            return {"job": name}
        case Part("cluster", str(name)):
            return {"cluster": name}
        case _:
            return {}


def _log_applied(name: str, change: Change, jobs: int) -> None:
    """Tell what was put in force: how much of it is new, and then each edit."""
    text = f"jobs {count(change)}; {jobs} in all" if change else f"{jobs} jobs, nothing changed"
    counts: Fields = {
        "jobs": jobs,
        "added": len(change.added),
        "changed": len(change.changed),
        "removed": len(change.removed),
    }
    logger.info("%s: %s", name, text, extra=fields("crontab-applied", **counts))
    for line in describe(change):
        logger.info("%s", line, extra=fields("edit"))
