"""Follows the logs of clusters, from a time or an offset on and then for ever, without a group."""

from collections.abc import AsyncIterator, Iterable, Mapping

from aiokafka.structs import TopicPartition

from cronstream.core.wire.naming import Names
from cronstream.errors import TruncatedError
from cronstream.history.scope import LogReader, Scope, places
from cronstream.history.stories import Log
from cronstream.history.story import LogKind
from cronstream.topology.log_message import LogMessage

#: Clusters that come into being while somebody follows are found within this many polls.
_POLLS_BETWEEN_LOOKS = 20
_POLL_S = 0.5
#: After so many polls without a message it is asked whether the broker is still there.
_SILENT_POLLS = 4


class Tail:
    """What comes on the logs within a scope.

    It knows how far it has come, so it goes on with another reader where one has failed: no message
    is seen twice, and none is left out. Clusters that come into being meanwhile are found too.

    Args:
        scope: Which logs, and from when on.
        begin: From which offset on partitions are read rather; one that is gone is none.

    Attributes:
        spans: From where on each partition is read, and where it ended when that began.
    """

    def __init__(self, scope: Scope, begin: Mapping[TopicPartition, int] | None = None) -> None:
        self._scope, self._begin = scope, begin or {}
        self._logs: dict[str, Log] = {}
        self._places: dict[TopicPartition, int] = {}
        self.spans: dict[TopicPartition, tuple[int, int]] = {}

    async def messages(self, reader: LogReader) -> AsyncIterator[list[tuple[Log, LogMessage]]]:
        """Yield what comes, several at once, for as long as the reader can read.

        Nothing is yielded too, now and then: a list that is empty says that nothing has come.

        Raises:
            BrokerError: If the broker does not answer.
            TruncatedError: If a log ends before what was read of it.
        """
        await self._check(reader, self._places)
        polls = silent = 0
        while True:
            if polls % _POLLS_BETWEEN_LOOKS == 0 or silent >= _SILENT_POLLS:
                await self._look(reader, again=polls == 0)
                silent = 0
            messages = await reader.poll(_POLL_S)
            polls, silent = polls + 1, 0 if messages else silent + 1
            for message in messages:
                self._places[TopicPartition(message.topic, message.partition)] = message.offset + 1
            yield [(self._logs[message.topic], message) for message in messages]

    async def _check(self, reader: LogReader, read: Mapping[TopicPartition, int]) -> None:
        """See that the logs still have what was read of them."""
        for place, (_, end) in (await reader.spans(read, None)).items():
            if end < read[place]:
                raise TruncatedError(
                    f"{place.topic}/{place.partition} ends at {end}, but was read up to "
                    f"{read[place]}: it was truncated, or recreated; start over too"
                )

    async def _look(self, reader: LogReader, *, again: bool) -> None:
        """Follow the logs of clusters that were not there before; with a new reader, all."""
        layout = await reader.layout()
        clusters = filter(self._scope.includes, reader.names.clusters(layout))
        logs = log_topics(reader.names, clusters)
        fresh = {log.topic: log for log in logs if log.topic not in self._logs}
        # A broker may not have heard yet of a new topic's partitions: then it is looked up again.
        found = await reader.spans(places(layout, fresh, self._scope), self._scope.since)
        for place, (start, end) in found.items():
            self._places[place] = max(start, self._begin.get(place, start))
            self.spans[place] = self._places[place], end
        self._logs.update({place.topic: fresh[place.topic] for place in found})
        if found or again:
            reader.follow(self._places)


def log_topics(names: Names, clusters: Iterable[str]) -> list[Log]:
    """Return the topics of these clusters on which there is something of runs."""
    topics = (
        (LogKind.FIRST, names.log),
        (LogKind.RETRY, names.retry_log),
        (LogKind.DISCARDED, names.discarded),
    )
    return [Log(name, kind, topic(name)) for name in clusters for kind, topic in topics]
