"""Puts the crontab's changes on the ``jobs`` topic, from the scheduler that has shard 0."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.core.crontab.change import Change, compare, without
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import PartlyGoodError, as_far_as_known
from cronstream.core.planning.cursor import Place
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.wire.runs import Job
from cronstream.crontab_file import origins
from cronstream.errors import BrokerError, CronstreamError, CrontabError, TopologyError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.belonging import Belonging
from cronstream.scheduler.edit_log import log_applied, log_due_times, log_problems
from cronstream.scheduler.foreign import LOOK_S, ForeignJobs, JobsInForce
from cronstream.scheduler.holding_back import HeldBack
from cronstream.scheduler.news import JobsNews
from cronstream.scheduler.putting import Putting
from cronstream.scheduler.recalling import Recollection
from cronstream.scheduler.signing import see_that_they_count, to_sign
from cronstream.scheduler.standing_by import StandingBy
from cronstream.scheduler.steering import ANNOUNCED_S, Steering, log_asked
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.system import give_memory_back
from cronstream.topology.installation_level import see_that_it_is_open
from cronstream.topology.jobs import JobsLog
from cronstream.topology.topics import cluster_topics

logger = logging.getLogger(__name__)

#: How long to wait before a crontab that could not be applied is tried again.
RETRY_S = 0.5
#: The same, where the topics of some clusters are held up.
HELD_UP_S = 5.0


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
        #: Whether its turn is not over by now, as far as it has heard.
        self.is_in_charge: Callable[[], bool] = lambda: True
        #: Whether the shards here are through with what was read; before, no memory is given back.
        self.has_all_in_force: Callable[[], bool] = lambda: True
        #: Returns the id of the key that this process signs with; None without one.
        self.signs_as: Callable[[], str | None] = lambda: None
        #: Returns who puts jobs in force here: see `Job.by`.
        self.by: Callable[[], str | None] = lambda: None
        #: Returns why a job that this process publishes would not count; empty if it will.
        self.doubt: Callable[[Job], str] = lambda _: ""
        self._announcer, self._jobs, self.putting = announcer, jobs, Putting(settings, world)
        self._settings, self._world = settings, world
        self._may_apply = may_apply
        self.belonging = Belonging(settings, world.publisher, world.memory, jobs.known)
        self._in_force = JobsInForce()
        #: Is told by each tick where ``jobs`` ends.
        self.news = JobsNews(jobs, world.clock)
        self._others = ForeignJobs(settings.names.jobs, self.news, world.clock, self._in_force)
        self._crontab: Crontab | None = None
        #: Its jobs by name, until what is in force has been compared with it.
        self._named: dict[str, Job] = {}
        jobs.like = lambda name: self._named.get(name)  # noqa: PLW0108 - it is replaced each time
        #: How often it was asked to apply the crontab, and up to which time it has.
        self._asked = self._applied = 0
        self._wake = asyncio.Event()
        #: Whether memory is to be given back once nothing more has come.
        self._is_to_rest = False
        self.news.on_come = self._wake.set
        self._failing = ""
        #: Why the jobs of some clusters are not in force as the file has them.
        self.held_up: list[str] = []
        file = Path(settings.crontab)
        self.held_back = HeldBack(file, world.counts)
        self._steering = Steering(settings, self.news, announcer, self._in_force)
        self._recollection = Recollection(settings, world.memory)
        self._standing_by = StandingBy(file, world.clock, jobs, self.belonging)

    @property
    def differences(self) -> list[str] | None:
        """What would change with the file that is read here; None if it was not compared."""
        return self._standing_by.differences

    def apply_again(self) -> None:
        """Compare the file with the topic again: shard 0 has come to this process."""
        self._asked += 1
        self._wake.set()

    async def follow(self, stop: asyncio.Event) -> None:
        """Follow the file until `stop` is set."""
        applying = asyncio.create_task(self._apply_each())
        self._recollection.begin(self._jobs.known)
        recall, file = self._recollection.recall, self._settings.crontab
        try:
            async for found in self._world.watch(file, stop, recall):
                self._receive(found)
        finally:
            applying.cancel()
            await asyncio.wait([applying])

    def _receive(self, found: Crontab | CrontabError) -> None:
        counts, usable = self._world.counts, found
        counts.read(found if isinstance(found, Crontab) else None)
        counts.problems = ()
        if isinstance(found, CrontabError):
            counts.problems = tuple(map(str, found.problems))
            log_problems(found, has_one=self._crontab is not None)
        if isinstance(found, PartlyGoodError):
            counts.crontab = usable = found.crontab
        if isinstance(usable, Crontab):
            self._crontab = usable
            self._named = {job.name: job for job in usable.jobs}
            self.apply_again()

    async def _apply_each(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(clock.until_step(LOOK_S)):
                    await self._wake.wait()
            await self._steer()
            await self._look_for_others()
            while self._applied < self._asked and self._crontab is not None:
                self._wake.clear()
                await self._apply_or_wait(self._crontab)
            self._wake.clear()

    async def _look_for_others(self) -> None:
        """Have the file put in force again, if it is ours to do, and others have put jobs there."""
        crontab, applied = self._crontab, self._applied
        is_idle = applied == self._asked and not (self.belonging.foreign or self.held_back.why)
        if crontab is None or not (is_idle and self._may_apply() and self.is_in_charge()):
            return
        try:
            if await self._others.differ(crontab):
                self.apply_again()
            elif self._named and crontab is self._crontab and self.has_all_in_force():
                self._named, self._is_to_rest = {}, True
                if not self._world.counts.problems:
                    await self._recollection.note(crontab, self._jobs.known)
            elif self._is_to_rest:  # Its own edits were still news to the look before.
                self._is_to_rest = False
                await asyncio.to_thread(give_memory_back)
        except (CronstreamError, KafkaError, OSError, TimeoutError) as error:
            logger.debug("%s is not compared now (%s)", self._settings.crontab, error)
        except Exception:
            text = "%s could not be compared; trying again"
            logger.exception(text, self._settings.crontab, extra=fields("crontab-not-compared"))

    async def _steer(self) -> None:
        """Put in force what people have asked of jobs, whatever the file says, if that is ours."""
        if self._may_apply() and self.is_in_charge() and self.is_right():
            jobs = await self._steering.asked(self.doubt)
            if jobs and await self._steering.put(self._publish(Change(), jobs)):
                log_asked(jobs)

    async def _apply_or_wait(self, crontab: Crontab) -> None:
        """Put the crontab in force; if that is not all done now, wait a little."""
        asked = self._asked
        if not self._may_apply():
            self.held_back.forget()
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
            self.held_back.forget()
            return True
        before = self._in_force.of(in_force)
        whole = await asyncio.to_thread(compare, before, in_force.steered(crontab.jobs, before))
        crontab.share(before, whole.names)
        whole = as_far_as_known(crontab, whole)
        if not self.belonging.is_adopting and self.held_back.judge(crontab, before, whole):
            return True
        faults = await self._declare([cluster.name for cluster in crontab.clusters])
        names = [cluster.name for cluster in crontab.clusters if cluster.name not in faults]
        partitions = range(self._settings.partitions)
        places = [Place(name, partition) for name in names for partition in partitions]
        await self._announcer.announce(places, ANNOUNCED_S)
        change = without(whole, faults)
        renewed = self._ahead(in_force, change)
        see_that_they_count([*change.added, *change.changed, *change.removed], self.doubt)
        done = [*change.names, *(job.name for job in renewed)]
        signed = to_sign(self._jobs, self.signs_as(), done, self.doubt)
        await self._publish(change, [*(renewed if self.is_right() else []), *signed])
        self._jobs.disbelieved.clear()
        await self.belonging.settle()
        name = Path(self._settings.crontab).name
        if change or not faults:
            log_applied(name, change, len(crontab.jobs))
            now, look_ahead_s = self._world.clock.now(), self._settings.look_ahead_s
            await log_due_times(name, before, change, now, look_ahead_s)
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
        changed, now = change.names, self._world.clock.now()
        found = [job for job in in_force.ahead(now) if job.name not in changed]
        if found and self.is_right():
            text = "%d definitions hold from now, not from far ahead"
            logger.warning(text, len(found), extra=fields("definitions-renewed"))
        return found

    async def _publish(self, change: Change, renewed: list[Job]) -> None:
        gone = (job.derive(removed=True) for job in change.removed)
        jobs = [*change.added, *change.changed, *gone, *renewed]
        origin = origins(self._crontab, Path(self._settings.crontab), jobs)
        await self.putting.put_in_force(jobs, origin, self.by())

    def _fail(self, text: str) -> None:
        if self._failing != text:
            self._failing = text
            file, about = self._settings.crontab, fields("crontab-not-applied")
            logger.error("%s is not in force yet (%s); trying again", file, text, extra=about)
