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

#: It is said again after this long, so that a log whose beginning is gone has it.
REPEAT_S = 24 * 3600.0
#: How long the broker has to take it.
LIMIT_S = 8.0


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

    async def announce(self, clusters: Iterable[str]) -> None:
        """Announce the level to clusters, where that was not done within the last day.

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
            await self._say([naming.JOBS], self._settings.shards)
            self.found = self._level
        logs = [log(name) for name in sorted(due) for log in (naming.log, naming.retry_log)]
        await self._say(logs, self._settings.partitions)
        self._said_at.update(dict.fromkeys(due, now))

    async def _say(self, topics: list[str], partitions: int) -> None:
        level = Level(level=self._level, version=version("cronstream"))
        sent = [
            self._publisher.append(topic, partition, level)
            for topic in topics
            for partition in range(partitions)
        ]
        done, waiting = await asyncio.wait(sent, timeout=LIMIT_S)
        if waiting or any(future.cancelled() for future in done):
            what = f"level {self._level} is not announced yet"
            raise BrokerError(f"the broker has not taken a message within {LIMIT_S:g} s: {what}")
        for future in done:
            future.result()
