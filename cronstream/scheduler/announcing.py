"""Announces the level of this version on the logs, before anything of that level is put there."""

import asyncio
import logging
from collections.abc import Iterable
from importlib.metadata import version

from cronstream.core.planning.cursor import Place
from cronstream.core.wire.entries import Level
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import Names
from cronstream.errors import BrokerError
from cronstream.logs import fields
from cronstream.scheduler.world import Clock, RunPublisher
from cronstream.settings import Settings
from cronstream.topology.publish import Ack

logger = logging.getLogger(__name__)

#: It is said again after this long, so that a log whose beginning is gone has it.
REPEAT_S = 24 * 3600.0
#: How long the broker has to take it.
LIMIT_S = 8.0

#: A topic, and the number of a partition of it.
_Key = tuple[str, int]


class Announcer:
    """Says on each partition of each log, and of ``jobs``, what may stand there.

    Every scheduler does so for each log before it first publishes there: however many there are,
    and whichever fires a shard, nothing is on a log that was not announced.

    Attributes:
        found: The level of the installation when this process started.
        kafka: The id of the Kafka that this is on; None if it is not known.
    """

    def __init__(
        self, settings: Settings, publisher: RunPublisher, clock: Clock, level: int = LEVEL
    ) -> None:
        self.found = 1
        self.kafka: str | None = None
        self._settings, self._publisher, self._clock = settings, publisher, clock
        self._level = level
        self._said_at: dict[Place, float] = {}
        self._jobs = {(settings.names.jobs, shard) for shard in range(settings.shards)}
        #: What was put on each partition of the topics that are not through, and when.
        self._out: dict[_Key, tuple[float, asyncio.Future[Ack]]] = {}

    async def announce(self, places: Iterable[Place], within_s: float = LIMIT_S) -> set[Place]:
        """Announce the level to the logs of clusters, where that was not done within the last day.

        What the broker has not acknowledged in time is not put there again: the next call waits
        for it first.

        Args:
            places: Where something is to be published: only these are waited for.
            within_s: How long the broker has to take it.

        Returns:
            Which of them have never been announced to yet: nothing may be put there.

        Raises:
            BrokerError: If the broker does not take it in time on ``jobs``.
        """
        asked = set(places)
        if self._level == 1:
            return set()  # Where every log begins.
        now = self._clock.monotonic()
        due = [place for place in self._all(asked) if self._is_due(place, now)]
        if not due:
            return set()
        if self.found < self._level:
            await self._say_on_jobs(now + within_s)
            self.found = self._level
            text = "this installation is of level %d from now on"
            logger.info(text, self._level, extra=fields("level-raised"))
        names = self._settings.names
        sent = {place: [self._put(key) for key in _logs(names, place)] for place in due}
        new = [f for place in asked & sent.keys() - self._said_at.keys() for f in sent[place]]
        if new:
            await asyncio.wait(new, timeout=max(0.0, now + within_s - self._clock.monotonic()))
        for place, futures in sent.items():
            if all(future.done() and not _has_failed(future) for future in futures):
                self._said_at[place] = now
                for key in _logs(self._settings.names, place):
                    self._out.pop(key, None)
        return asked - self._said_at.keys()

    def untold(self, places: set[Place]) -> set[Place]:
        """Return those that this process has not announced to yet."""
        return set() if self._level == 1 else places - self._said_at.keys()

    @property
    def out(self) -> set[_Key]:
        """Topic and partition of what logs have not acknowledged."""
        return {key for key, (_, out) in self._out.items() if not out.done()} - self._jobs

    def forget(self, place: Place) -> None:
        """Announce it again: the log is not there any more, and another may take its place."""
        self._said_at.pop(place, None)
        for key in _logs(self._settings.names, place):
            self._out.pop(key, None)

    def _all(self, asked: set[Place]) -> list[Place]:
        """Return all partitions of the clusters that some are asked of: a person may use them."""
        clusters = sorted({place.cluster for place in asked})
        return [Place(name, n) for name in clusters for n in range(self._settings.partitions)]

    def _is_due(self, place: Place, now: float) -> bool:
        return now - self._said_at.get(place, -REPEAT_S) >= REPEAT_S

    async def _say_on_jobs(self, until: float) -> None:
        keys = sorted(self._jobs)
        sent = [self._put(key) for key in keys]
        await asyncio.wait(sent, timeout=max(0.0, until - self._clock.monotonic()))
        if not all(future.done() and not future.cancelled() for future in sent):
            what = f"level {self._level} is not announced yet"
            topic = self._settings.names.jobs
            raise BrokerError(f"{what}: the broker has not acknowledged it on {topic}")
        for future in sent:
            future.result()
        for key in keys:
            self._out.pop(key, None)

    def _put(self, place: _Key) -> asyncio.Future[Ack]:
        """Put the level on a partition, unless that is out, or was acknowledged meanwhile."""
        now = self._clock.monotonic()
        put_at, out = self._out.get(place, (now, None))
        if out is None or (out.done() and (_has_failed(out) or now - put_at >= REPEAT_S)):
            level = Level(level=self._level, version=version("cronstream"))
            put_at, out = now, self._publisher.append(*place, level)
            self._out[place] = put_at, out
        return out


def _has_failed(future: asyncio.Future[Ack]) -> bool:
    return future.cancelled() or future.exception() is not None


def _logs(names: Names, place: Place) -> list[_Key]:
    """Return both logs of a cluster: what is on the one leads to something on the other."""
    topics = names.topics_of(place.cluster)
    return [(topic, place.partition) for topic in (topics.log, topics.retry_log)]
