"""Reads the ledgers: once, for what became of runs, or for ever, for each change of a state.

No consumer group is involved: nobody is rebalanced because somebody looks.
"""

from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime, timedelta

from aiokafka.structs import TopicPartition

from cronstream.core.ledger.state import AHEAD
from cronstream.history.scope import LogReader, Scope, places, read_spans
from cronstream.history.stories import Stories
from cronstream.history.story import Change, RunState, RunStory
from cronstream.history.tail import Tail, log_topics
from cronstream.topology.log_message import Spans

_PROGRESS_EVERY = 1_000
#: For a run that was published before the window, it is read so much earlier at most.
_FARTHEST = timedelta(days=1)


#: What stands for a run's due time in ``job@latest``.
LATEST = "latest"


class History:
    """What became of runs, as far back as was read."""

    def __init__(self, stories: dict[str, RunStory], clusters: list[str]) -> None:
        self._stories, self.clusters = stories, clusters

    def runs(
        self, *, job: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunStory]:
        """Return the stories, oldest due time first; with `limit`, only the newest so many."""
        found = [
            story
            for story in self._stories.values()
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
                started last.
        """
        exact = self._stories.get(wanted)
        if exact is not None:
            return [exact]
        job, _, rest = wanted.partition("@")
        if rest == LATEST:
            begun = [story for story in self.runs(job=job) if _begun_at(story)]
            return sorted(begun, key=lambda story: (_begun_at(story), story.id))[-1:]
        prefixed = [story for story in self.runs() if story.id.startswith(wanted)]
        return prefixed or [story for story in self.runs(job=job) if _covers(story, rest)]

    def upcoming(self, job: str) -> RunStory | None:
        """Return the first run of a job that waits to be started, if there is one."""
        waiting = [story for story in self.runs(job=job) if not story.state.settled]
        return next((story for story in waiting if not _begun_at(story)), None)


def _begun_at(story: RunStory) -> datetime | None:
    """Return when the last attempt that was begun was; a claim for later is none."""
    begun = [attempt.started_at or attempt.ended_at for attempt in story.attempts]
    return max((moment for moment in begun if moment is not None), default=None)


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


async def load(
    reader: LogReader, scope: Scope, progress: Callable[[int, int], None] | None = None
) -> History:
    """Read the ledgers up to their present ends; earlier than asked for what began before that.

    It is begun as much earlier as runs are published ahead, so that few have to be looked for.

    Args:
        reader: Connected.
        scope: What is to be read.
        progress: Is given now and then how many messages have been read, and how many there are.

    Raises:
        BrokerError: If the broker does not answer.
    """
    layout = await reader.layout()
    found = [name for name in reader.names.clusters(layout) if scope.includes(name)]
    logs = {log.topic: log for log in log_topics(reader.names, found)}

    async def read_stories(spans: Spans, jobs: Collection[str] | None) -> dict[str, RunStory]:
        stories = Stories(jobs=jobs, keep_output=scope.keep_output)
        total, done = sum(max(0, end - start) for start, end in spans.values()), 0
        async for message in read_spans(reader, spans):
            stories.fold_message(logs[message.topic], message)
            done += 1
            if progress is not None and done % _PROGRESS_EVERY == 0:
                progress(done, total)
        return {story.id: story for story in stories}

    begin = None if scope.since is None else scope.since - AHEAD
    spans = await reader.spans(places(layout, logs, scope), begin)
    stories = await read_stories(spans, None if scope.job is None else {scope.job})
    if scope.since is not None:
        stories = {run: story for run, story in stories.items() if story.changed_at >= scope.since}
    partial = [story for story in stories.values() if story.partial]
    if scope.since is not None and partial:
        spans = await _earlier_spans(reader, layout, scope.since, partial)
        earlier = await read_stories(spans, {story.job for story in partial})
        stories = {run_id: earlier.get(run_id, story) for run_id, story in stories.items()}
    return History(stories, found)


async def _earlier_spans(
    reader: LogReader, layout: dict[str, list[int]], since: datetime, partial: list[RunStory]
) -> Spans:
    """Return what is to be read for runs that were published before `since`.

    No run is published much before its due time, so its job's partitions are read from there on.
    """
    begins: dict[TopicPartition, datetime] = {}
    for story in partial:
        begin = min(since, max(story.scheduled_at, since - _FARTHEST) - AHEAD)
        topics = [log.topic for log in log_topics(reader.names, [story.cluster])]
        for place in places(layout, topics, Scope(job=story.job)):
            begins[place] = min(begin, begins.get(place, since))
    spans: Spans = {}
    for begin in set(begins.values()):
        at_once = [place for place, moment in begins.items() if moment == begin]
        spans |= await reader.spans(at_once, begin)
    return spans


class Following:
    """Each change of a run's state, from a time on and then as it happens.

    It knows how far it has come, so it goes on with another reader where one has failed: no change
    is reported twice, and none is left out. Clusters that come into being meanwhile are found too.
    """

    def __init__(self, scope: Scope) -> None:
        self._tail = Tail(scope)
        self._changes: list[Change] = []
        self._stories = Stories(
            jobs=None if scope.job is None else {scope.job},
            keep_output=scope.keep_output,
            on_change=self._changes.append,
        )

    async def changes(self, reader: LogReader) -> AsyncIterator[Change]:
        """Yield what changes, for as long as the reader can read.

        Raises:
            BrokerError: If the broker does not answer.
            TruncatedError: If a log ends before what was read of it.
        """
        async for messages in self._tail.messages(reader):
            for log, message in messages:
                self._stories.fold_message(log, message)
            while self._changes:
                yield self._changes.pop(0)


async def follow(reader: LogReader, scope: Scope) -> AsyncIterator[Change]:
    """Yield each change of a run's state, from `scope.since` on and then as it happens, for ever.

    Raises:
        BrokerError: If the broker does not answer.
    """
    async for change in Following(scope).changes(reader):
        yield change
