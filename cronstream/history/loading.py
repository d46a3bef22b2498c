"""Reads the ledgers: once, for what became of runs, or for ever, for each change of a state.

No consumer group is involved: nobody is rebalanced because somebody looks.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from aiokafka.structs import TopicPartition

from cronstream.core import naming
from cronstream.core.codec import decode, decode_entries
from cronstream.core.records import Discarded
from cronstream.errors import MessageError
from cronstream.history.part import Where
from cronstream.history.scope import LogReader, Scope, clusters, read_topic, span
from cronstream.history.stories import Log, Stories
from cronstream.history.story import Change, LogKind, RunState, RunStory
from cronstream.topology.reading import LogMessage

#: Clusters that come into being while somebody follows are found within this many polls.
_POLLS_BETWEEN_LOOKS = 20
_POLL_S = 0.5


class History:
    """What became of runs, as far back as was read."""

    def __init__(self, stories: Stories, clusters: list[str]) -> None:
        self._stories = stories
        self.clusters = clusters

    def runs(
        self, *, job: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunStory]:
        """Return the stories, oldest due time first; with `limit`, only the newest so many."""
        found = [
            story
            for story in self._stories
            if (job is None or story.job == job) and (state is None or story.state is state)
        ]
        found.sort(key=lambda story: (story.scheduled_at, story.id))
        return found if limit is None else found[max(0, len(found) - limit) :]

    def get(self, run_id: str) -> RunStory | None:
        """Return the story of exactly this run."""
        return self._stories.get(run_id)

    def find(self, wanted: str) -> list[RunStory]:
        """Return the runs that `wanted` may mean: none, the one, or several.

        Args:
            wanted: A run's id, the beginning of one, or ``job@latest``: the run of the job that
                started last, or the last one if none has.
        """
        exact = self._stories.get(wanted)
        if exact is not None:
            return [exact]
        job, _, rest = wanted.partition("@")
        if rest == "latest":
            of_job = self.runs(job=job)
            begun = [story for story in of_job if story.attempts] or of_job
            return sorted(begun, key=_last_begun)[-1:]
        prefixed = [story for story in self.runs() if story.id.startswith(wanted)]
        return prefixed or [story for story in self.runs(job=job) if _covers(story, rest)]


def _last_begun(story: RunStory) -> tuple[datetime, str]:
    last = story.last
    begun = None if last is None else (last.started_at or last.claimed_at or last.ended_at)
    return begun or story.scheduled_at, story.id


def _covers(story: RunStory, text: str) -> bool:
    """Whether the due time that `text` names is in a span that was skipped in one go."""
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        return False
    return (
        story.to_at is not None
        and due.tzinfo is not None
        and story.scheduled_at <= due <= story.to_at
    )


async def load(reader: LogReader, scope: Scope) -> History:
    """Read the ledgers up to their present ends.

    Raises:
        BrokerError: If the broker does not answer.
    """
    stories = Stories(job=scope.job, keep_output=scope.keep_output)
    found = [name for name in await clusters(reader) if scope.includes(name)]
    for log in _logs(found):
        async for message in read_topic(reader, log.topic, scope):
            _take(stories, log, message)
    return History(stories, found)


async def follow(reader: LogReader, scope: Scope) -> AsyncIterator[Change]:
    """Yield each change of a run's state, from `scope.since` on and then as it happens, for ever.

    Clusters that come into being meanwhile are found too.

    Raises:
        BrokerError: If the broker does not answer.
    """
    changes: list[Change] = []
    stories = Stories(job=scope.job, keep_output=scope.keep_output, on_change=changes.append)
    logs: dict[str, Log] = {}
    places: dict[TopicPartition, int] = {}
    polls = 0
    while True:
        if polls % _POLLS_BETWEEN_LOOKS == 0:
            await _look(reader, scope, logs, places)
        polls += 1
        for message in await reader.poll(_POLL_S):
            places[TopicPartition(message.topic, message.partition)] = message.offset + 1
            _take(stories, logs[message.topic], message)
        for change in changes:
            yield change
        changes.clear()


async def _look(
    reader: LogReader, scope: Scope, logs: dict[str, Log], places: dict[TopicPartition, int]
) -> None:
    """Follow the logs of clusters that were not there before."""
    names = [name for name in await clusters(reader) if scope.includes(name)]
    fresh = [log for log in _logs(names) if log.topic not in logs]
    for log in fresh:
        start, _ = await span(reader, log.topic, scope)
        if not start:
            continue  # This broker has not heard of a new topic's partitions; look again.
        logs[log.topic] = log
        places.update({TopicPartition(log.topic, p): offset for p, offset in start.items()})
    if fresh:
        reader.follow(places)


def _logs(names: list[str]) -> list[Log]:
    topics = (
        (LogKind.FIRST, naming.log),
        (LogKind.RETRY, naming.retry_log),
        (LogKind.DISCARDED, naming.discarded),
    )
    return [Log(name, kind, topic(name)) for name in names for kind, topic in topics]


def _take(stories: Stories, log: Log, message: LogMessage) -> None:
    """Take a message; what cannot be decoded changes nothing, for workers neither."""
    where = Where(message.topic, message.partition, message.offset, message.at)
    if log.kind is not LogKind.DISCARDED:
        stories.take(log, where, decode_entries(message.value)[0])
        return
    try:
        record = decode(message.value, Discarded)
    except MessageError:
        return
    stories.take_discarded(log, where, record)
