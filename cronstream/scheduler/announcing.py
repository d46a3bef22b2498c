"""Announces the level of this version on the logs, before anything of that level is put there."""

import asyncio
from collections.abc import Iterable
from importlib.metadata import version

from cronstream.core import naming
from cronstream.core.levels import LEVEL
from cronstream.core.records import Level
from cronstream.errors import BrokerError
from cronstream.scheduler.ports import Clock, RunPublisher
from cronstream.settings import Settings
from cronstream.topology.publish import Ack

#: It is said again after this long, so that a log whose beginning is gone has it.
REPEAT_S = 24 * 3600.0
#: How long the broker has to take it.
LIMIT_S = 8.0

_Place = tuple[str, int]


class Announcer:
    """Says on each partition of each log, and of ``jobs``, what may stand there.

    Every scheduler does so for each log before it first publishes there: however many there are,
    and whichever fires a shard, nothing is on a log that was not announced.

    Attributes:
        found: The level of the installation when this process started.
    """

    def __init__(
        self, settings: Settings, publisher: RunPublisher, clock: Clock, level: int = LEVEL
    ) -> None:
        self.found = 1
        self._settings, self._publisher, self._clock = settings, publisher, clock
        self._level = level
        self._said_at: dict[str, float] = {}
        #: What was put on each partition of the topics that are not through, and when.
        self._out: dict[_Place, tuple[float, asyncio.Future[Ack]]] = {}

    async def announce(self, clusters: Iterable[str], within_s: float = LIMIT_S) -> None:
        """Announce the level to clusters, where that was not done within the last day.

        What the broker has not acknowledged in time is not put there again: the next call waits
        for it first.

        Args:
            clusters: Their names.
            within_s: How long the broker has to take all of it.

        Raises:
            BrokerError: If the broker does not take it in time.
        """
        if self._level == 1:
            return  # Where every log begins.
        now = self._clock.monotonic()
        due = {name for name in clusters if now - self._said_at.get(name, -REPEAT_S) >= REPEAT_S}
        if not due:
            return
        if self.found < self._level:
            await self._say([naming.JOBS], self._settings.shards, now + within_s)
            self.found = self._level
        logs = [log(name) for name in sorted(due) for log in (naming.log, naming.retry_log)]
        await self._say(logs, self._settings.partitions, now + within_s)
        self._said_at.update(dict.fromkeys(due, now))

    async def _say(self, topics: list[str], partitions: int, until: float) -> None:
        places = [(topic, partition) for topic in topics for partition in range(partitions)]
        sent = {place: self._put(place) for place in places}
        left = max(0.0, until - self._clock.monotonic())
        await asyncio.wait(sent.values(), timeout=left)
        for (topic, _), future in sent.items():
            if not future.done() or future.cancelled():
                what = f"level {self._level} is not announced yet"
                raise BrokerError(f"{what}: the broker has not acknowledged it on {topic}")
        for future in sent.values():
            future.result()
        for place in places:
            self._out.pop(place, None)

    def _put(self, place: _Place) -> asyncio.Future[Ack]:
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
