"""Notices a log that was deleted and recreated: it knows nothing of what was said there before.

Neither which level its entries may have, nor which definitions are in force, nor what is due. It
may be there again within seconds, so a scheduler would not notice by what it sends.
"""

from collections.abc import Iterable

from aiokafka.errors import KafkaError

from cronstream.scheduler.world import Clock, JobsReader

#: It is looked so often.
LOOK_S = 3.0


class Renewal:
    """Remembers which topic each log was when it was last looked, for each shard."""

    def __init__(self, reader: JobsReader, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self._looked_at: dict[int, float] = {}
        self._asked: dict[int, set[str]] = {}
        self._ids: dict[int, dict[str, str]] = {}

    async def look(self, shard: int, clusters: Iterable[str]) -> set[str]:
        """Return the clusters of which a log is another than before; none if it is no time yet.

        A cluster that is new is looked at at once: then nothing was published there before.
        """
        topics = {name: self._reader.names.topics_of(name) for name in clusters}
        logs = {log: name for name, of in topics.items() for log in (of.log, of.retry_log)}
        now, is_new = self._clock.monotonic(), logs.keys() - self._asked.get(shard, set())
        if not is_new and now - self._looked_at.get(shard, now) < LOOK_S:
            return set()
        self._looked_at[shard], self._asked[shard] = now, set(logs)
        try:
            found = await self._reader.ids(logs)
        except (KafkaError, OSError):
            return set()  # Whoever needs an answer says that there is none.
        before = self._ids.setdefault(shard, {})
        anew = {logs[topic] for topic, id_ in found.items() if before.get(topic, id_) != id_}
        before.update(found)
        return anew

    def forget(self, shard: int) -> None:
        """The shard is another's."""
        self._asked.pop(shard, None)
        self._ids.pop(shard, None)
