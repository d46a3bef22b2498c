"""The partitions that take nothing for now: what is due there is set aside, and all else goes on.

And those of jobs whose time zone is not known here, for a scheduler that knows it.

A partition that has no leader, or a log that was deleted, would hold up all jobs of the shard if
its cursor waited for it. So the shard's row notes how far such a partition is, and when it takes
something again, what it lacks is worked out again from there: nothing has to be kept meanwhile.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.planning.plan import CatchUp
from cronstream.core.wire.times import format_time
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.obstacles import Fault, Obstacle, sentences
from cronstream.scheduler.renewal import Renewal
from cronstream.scheduler.sending import Sender, Sent
from cronstream.scheduler.world import Clock, JobsReader, RunPublisher
from cronstream.scheduler.zones import Zoneless

logger = logging.getLogger(__name__)

#: It is asked so often which partitions take nothing, and why.
LOOK_S = 2.0
#: What is published late may hold a tick for so long.
_WAIT_S = 1.0
#: A log that has been away for so long, with no job that is in force, is gone for good.
GONE_S = 60.0


@dataclass(slots=True)
class Straggler:
    """A partition that is behind its shard.

    Attributes:
        lag: How far it is.
        sent: What is on its way there.
        reached: How far it is once that was acknowledged.
        why: Why it takes nothing, as far as that is known; None if nothing is in its way.
        missing_since: Since when there is no such topic, in monotonic seconds.
    """

    lag: Lag
    sent: Sent | None = None
    reached: Lag | None = None
    why: Obstacle | None = Fault.SILENT
    missing_since: float | None = None

    def begin_anew(self, now: datetime) -> None:
        """Its log is gone: one that takes its place knows no revision, nor what was ahead."""
        self.lag = Lag(min(self.lag.at, now), 0)
        self.sent = self.reached = None


Stragglers = dict[Place, Straggler]


class Behind(Protocol):
    """What is needed of a shard that is fired: see `cronstream.scheduler.holding.Held`."""

    cursor: Cursor
    stragglers: Stragglers

    def catch_up(self, lag: Lag, places: set[Place]) -> CatchUp:
        """Return what partitions lack that are equally far."""

    def note(self) -> None:
        """Write down how far the stragglers are."""

    def has_reached(self, lag: Lag) -> bool:
        """Whether the shard itself is no further."""

    def unread(self) -> dict[Place, Zoneless]:
        """Return where nothing may be announced, since the time zone of a job is not known here."""

    def clusters(self) -> set[str]:
        """Return the clusters of the jobs in force."""


class Lagging:
    """Looks after the stragglers of all shards of this process.

    Attributes:
        told: For each shard what people should know of them.
    """

    def __init__(
        self,
        sender: Sender,
        publisher: RunPublisher,
        announcer: Announcer,
        reader: JobsReader,
        clock: Clock,
    ) -> None:
        self.told: dict[int, list[str]] = {}
        self._sender, self._publisher, self._announcer = sender, publisher, announcer
        self._reader, self._clock = reader, clock
        self._renewal = Renewal(reader, clock)
        self._looked_at: dict[int, float] = {}
        self._borne: dict[int, set[tuple[str, int]]] = {}

    async def renew(self, number: int, shard: Behind, within_s: float) -> None:
        """Begin again with each log that was deleted and recreated: it knows nothing of before."""
        now = self._clock.now()
        for cluster in sorted(await self._renewal.look(number, shard.clusters())):
            logger.warning(
                "shard %d: %s was deleted and recreated: which definitions are in force is said "
                "there again, and what is due from now on is published again",
                number,
                self._reader.names.log(cluster),
                extra=fields("log-renewed", shard=number, cluster=cluster),
            )
            places = self._sender.places_of(cluster)
            for place in places:
                self._announcer.forget(place)
                straggler = shard.stragglers.setdefault(place, Straggler(Lag(shard.cursor.at, 0)))
                straggler.begin_anew(now)
                straggler.why = None
            shard.note()
            await self._announcer.announce(places, within_s)

    async def silent(self, places: set[Place], within_s: float) -> set[Place]:
        """Return the partitions to which nothing may be sent; see that the others know the level.

        Where nothing was sent yet, it is asked first whether that makes sense.
        """
        untold = self._announcer.untold(places)
        unled = set()
        if untold:
            keys = {(self._reader.names.log(p.cluster), p.partition): p for p in untold}
            unled = {keys[key] for key in await self._reader.unled(keys)}
        return unled | await self._announcer.announce(places - unled, within_s)

    async def tend(self, number: int, shard: Behind, within_s: float) -> None:
        """Publish what stragglers lack that take something again, and let go of who is there."""
        if shard.stragglers:
            await self._advance(shard)
            await self._look(number, shard)
            unread = shard.unread()
            for place in unread.keys() & shard.stragglers.keys():
                shard.stragglers[place].why = unread[place]
            await self._publish(shard, min(within_s, _WAIT_S))
            await self._advance(shard)
            for place in shard.stragglers.keys() - unread.keys():
                if shard.has_reached(shard.stragglers[place].lag):
                    del shard.stragglers[place]
        self._log_set_aside(number, shard)

    def forget(self, number: int) -> None:
        """The shard is another's."""
        self.told.pop(number, None)
        self._renewal.forget(number)
        self._bear_with(number, ())

    async def _advance(self, shard: Behind) -> None:
        """Take what has been acknowledged meanwhile."""
        out = {id(s.sent): s.sent for s in shard.stragglers.values() if s.sent is not None}
        for each in out.values():
            await self._sender.wait(each, 0.0)
        for place, straggler in shard.stragglers.items():
            sent = straggler.sent
            if sent is not None and place not in self._sender.behind(sent):
                if place not in sent.refused and straggler.reached is not None:
                    straggler.lag = straggler.reached
                straggler.sent = straggler.reached = None

    async def _look(self, number: int, shard: Behind) -> None:
        """Ask which of them take nothing, and why."""
        now = self._clock.monotonic()
        if now - self._looked_at.get(number, -LOOK_S) < LOOK_S:
            return
        self._looked_at[number] = now
        places = {(self._reader.names.log(p.cluster), p.partition): p for p in shard.stragglers}
        unled = await self._reader.unled(places)
        for key, place in places.items():
            straggler = shard.stragglers[place]
            if key not in unled:
                straggler.why = None if straggler.sent is None else Fault.SILENT
                straggler.missing_since = None
            elif unled[key]:
                straggler.why, straggler.missing_since = Fault.LEADERLESS, None
            elif straggler.missing_since is None:
                straggler.begin_anew(self._clock.now())
                straggler.why, straggler.missing_since = Fault.MISSING, now
                self._announcer.forget(place)
        self._drop_gone(number, shard, now)

    def _drop_gone(self, number: int, shard: Behind, now: float) -> None:
        missing = {
            place: straggler
            for place, straggler in shard.stragglers.items()
            if straggler.missing_since is not None and now - straggler.missing_since >= GONE_S
        }
        if not missing:
            return
        in_force = shard.clusters()
        gone = {p: s for p, s in missing.items() if p.cluster not in in_force}
        for cluster in sorted({place.cluster for place in gone}):
            log = self._reader.names.log(cluster)
            since = min(s.lag.at for p, s in gone.items() if p.cluster == cluster)
            logger.warning(
                "shard %d: %s is gone, and no job is left there; what was due there since %s is "
                "not run",
                number,
                log,
                format_time(since.replace(microsecond=0)),
                extra=fields("log-gone", shard=number, cluster=cluster),
            )
            self._publisher.give_up_on(log)
        for place in gone:
            del shard.stragglers[place]

    async def _publish(self, shard: Behind, within_s: float) -> None:
        """Send to those with nothing on the way and nothing in it."""
        free = {p: s for p, s in shard.stragglers.items() if s.sent is None and not s.why}
        for place in await self._announcer.announce(free, within_s):
            free.pop(place).why = Fault.SILENT
        groups: dict[Lag, set[Place]] = defaultdict(set)
        for place, straggler in free.items():
            if not shard.has_reached(straggler.lag):
                groups[straggler.lag].add(place)
        for lag, places in groups.items():
            step = await asyncio.to_thread(shard.catch_up, lag, places)
            if step.noted is not None:
                for place in places:
                    shard.stragglers[place].lag = step.noted
                shard.note()
            sent = await self._sender.send(self._sender.placed(step.messages))
            for place in places:
                shard.stragglers[place].sent = sent
                shard.stragglers[place].reached = step.reached
            await self._sender.wait(sent, within_s)

    def _log_set_aside(self, number: int, shard: Behind) -> None:
        why = {place: each.why for place, each in shard.stragglers.items() if each.why}
        before, now = self.told.get(number, []), sentences(self._reader.names, why)
        self.told[number] = now
        for sentence in now:
            if sentence not in before:
                about = fields("set-aside", shard=number)
                logger.error("shard %d: %s", number, sentence, extra=about)
        if before and not now:
            text = "shard %d: all that was set aside has been published"
            logger.info(text, number, extra=fields("set-aside-published", shard=number))
        self._bear_with(number, shard.stragglers)

    def _bear_with(self, number: int, places: Iterable[Place]) -> None:
        """Whoever waits for these is waited for: that says nothing of this process."""
        names = self._reader.names
        self._borne[number] = {
            (log(place.cluster), place.partition)
            for place in places
            for log in (names.log, names.retry_log)
        }
        self._publisher.bear_with(self._announcer.out.union(*self._borne.values()))
