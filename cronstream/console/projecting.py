"""Folds the ledgers into the projection, from where it stands on and then for ever.

What is live when the process ends is not in the file but as rows: for the fold to know it, each log
is read again from where its oldest live run was published, and nothing is written of what was
projected before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, NamedTuple, Self

from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.console.store import Batch, Place, Store
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.naming import Names
from cronstream.core.wire.runs import Run
from cronstream.errors import TruncatedError
from cronstream.history.log_story import Where
from cronstream.history.scope import LogReader, Scope
from cronstream.history.stories import Log, Stories
from cronstream.history.story import LogKind, RunState, RunStory
from cronstream.history.tail import Tail, log_topics
from cronstream.topology.log_message import LogMessage

logger = logging.getLogger(__name__)

#: Between two transactions, while little comes; and so many runs in one, while much does.
WRITE_EVERY_S: Final = 0.5
_MOST_AT_ONCE: Final = 5_000
#: So much longer between two while what was there before is read: a run is written once then, and
#: not each time that it has got on.
_BEHIND: Final = 6
#: Seconds after which others have their turn: pages are served by the same thread.
_TURN_S: Final = 0.01
#: Settled runs that the fold remembers, for what is reported late of them.
_REMEMBERED: Final = 2_000

#: Is given the ids of runs that have just been written.
Seen = Callable[[Collection[str]], None]


class Share(NamedTuple):
    """Some clusters, if not all are projected: all that is said of a run is said in one of them.

    Attributes:
        clusters: Their names.
        topics: Those of their logs.
    """

    clusters: frozenset[str]
    topics: frozenset[str]

    @classmethod
    def of(cls, names: Names, clusters: Collection[str]) -> Self:
        """Return the share of these clusters."""
        topics = frozenset(log.topic for log in log_topics(names, clusters))
        return cls(frozenset(clusters), topics)


class Projection:
    """What one process projects.

    Args:
        store: Where it is kept.
        on_written: Is given the runs that have just been written.
        every_s: Seconds between two transactions, while little comes.
        share: What is projected here; None for all that there is.

    Attributes:
        is_current: Whether all that was there when it began is projected.
        done: How many of those messages are.
        total: How many there were.
        written: Rows that were written.
        folded: Messages that were folded, also those that were projected before.
    """

    def __init__(
        self,
        store: Store,
        on_written: Seen = lambda _: None,
        every_s: float = WRITE_EVERY_S,
        share: Share | None = None,
    ) -> None:
        self._store, self._on_written, self._every_s = store, on_written, every_s
        self._begun = self._known = {
            key: place
            for key, place in store.places().items()
            if share is None or key[0] in share.topics
        }
        self._handed = Batch(places=self._known)
        self._writing: asyncio.Future[None] | None = None
        self._stories = Stories(keep=None, keep_output=False, on_touch=self._touch)
        begin = {TopicPartition(*key): place.again for key, place in self._known.items()}
        scope = Scope(clusters=None if share is None else share.clusters, keep_output=False)
        self._tail = Tail(scope, begin)
        #: Messages of which the tail has said that it read them, so nobody reads them again.
        self._unfolded: deque[tuple[Log, LogMessage]] = deque()
        self._touched: dict[str, None] = {}
        self._is_silent = False
        self._born: dict[str, dict[tuple[str, int], int]] = {}
        self._new: dict[tuple[str, int], tuple[int, datetime]] = {}
        self._written_at = clock.monotonic()
        self.is_current, self.done, self.total = False, 0, 0
        self.written = self.folded = 0

    @property
    def known_until(self) -> datetime | None:
        """The time of the last message that is projected (UTC); None while there is none."""
        return max((place.at for place in self._known.values()), default=None)

    async def follow(self, reader: LogReader) -> None:
        """Project what comes, for as long as the reader can read.

        Raises:
            BrokerError: If the broker does not answer.
            TruncatedError: If a log ends before what was projected of it: then all is to be
                projected anew.
        """
        try:
            await self._write()  # What could not be written when it followed before.
            async for messages in self._tail.messages(reader):
                self._see_where_it_stands()
                self._unfolded.extend(messages)
                await self._project()
                every_s = self._every_s * (1 if self.is_current else _BEHIND)
                if clock.monotonic() - self._written_at >= every_s:
                    await self._write()
        finally:
            await self._see_it_written()

    async def _project(self) -> None:
        until = clock.monotonic() + _TURN_S
        while self._unfolded:
            self._fold(*self._unfolded.popleft())
            if len(self._touched) >= _MOST_AT_ONCE:
                await self._hand_over()
            if clock.monotonic() > until:
                await asyncio.sleep(0)
                until = clock.monotonic() + _TURN_S

    def _see_where_it_stands(self) -> None:
        spans = self._tail.spans
        for (topic, partition), place in self._begun.items():
            if spans.get(TopicPartition(topic, partition), (0, place.next))[1] < place.next:
                raise TruncatedError(
                    f"{topic}/{partition} ends before {place.next}, up to which it was projected: "
                    "it was truncated, or recreated"
                )
        # What was deleted before it was projected is not waited for.
        left = [end - max(begin, self._next(at)) for at, (begin, end) in spans.items()]
        self.total = sum(end - begin for begin, end in spans.values())
        self.done = self.total - sum(messages for messages in left if messages > 0)
        self.is_current = self.done >= self.total

    def _next(self, place: TopicPartition) -> int:
        key = (place.topic, place.partition)
        if key in self._new:
            return self._new[key][0]
        return self._handed.places[key].next if key in self._handed.places else 0

    def _fold(self, log: Log, message: LogMessage) -> None:
        key = (message.topic, message.partition)
        self.folded += 1
        before = self._begun.get(key)
        self._is_silent = before is not None and message.offset < before.next
        if log.kind is LogKind.DISCARDED:
            self._stories.fold_message(log, message)
        else:
            entries = decode_entries(message.value)[0]
            for entry in entries:
                if isinstance(entry, Run):
                    self._born.setdefault(entry.id, {}).setdefault(key, message.offset)
            self._stories.fold(log, Where(*key, message.offset, message.at), entries)
        if not self._is_silent:
            self._new[key] = (message.offset + 1, message.at)

    def _touch(self, run_id: str) -> None:
        if not self._is_silent:
            self._touched[run_id] = None

    async def _write(self) -> None:
        """Write what has come, and from where on each log is to be read when it begins again."""
        await self._hand_over()
        await self._see_it_written()

    async def _hand_over(self) -> None:
        """Have what has come written while it goes on, once what came before that is."""
        await self._see_it_written()
        self._written_at = clock.monotonic()
        if not self._new and self._known is self._handed.places:
            return
        # What could not be written is written with what has come since.
        stories = {**self._handed.stories, **self._new_stories()}
        self._handed = Batch(stories, self._new_places())
        self._new, self._touched = {}, {}
        if len(self._stories) - len(self._born) > 2 * _REMEMBERED:
            self._stories.forget(_REMEMBERED)
        write = self._store.write
        self._writing = asyncio.get_running_loop().run_in_executor(None, write, self._handed)

    async def _see_it_written(self) -> None:
        """Wait for what was handed over.

        Raises:
            StoreError: If it could not be written: it is with what is handed over next.
        """
        if self._writing is None:
            return
        await asyncio.wait((self._writing,))  # It goes on if whoever waits is cancelled.
        writing, self._writing = self._writing, None
        writing.result()
        stories = self._handed.stories
        self._handed = Batch({}, self._handed.places)
        self._known = self._handed.places
        self.written += len(stories)
        self._on_written(stories)

    def _new_stories(self) -> dict[str, RunStory]:
        found = [story for run_id in self._touched if (story := self._stories.get(run_id))]
        return {story.id: story for story in found if story.state is not RunState.UNKNOWN}

    def _new_places(self) -> dict[tuple[str, int], Place]:
        for run_id in [run_id for run_id in self._born if not self._is_live(run_id)]:
            del self._born[run_id]
        again: dict[tuple[str, int], int] = {}
        for born in self._born.values():
            for key, offset in born.items():
                again[key] = min(offset, again.get(key, offset))
        read = {key: (place.next, place.at) for key, place in self._handed.places.items()}
        return {
            key: Place(on, min(on, again.get(key, on)), at)
            for key, (on, at) in {**read, **self._new}.items()
        }

    def _is_live(self, run_id: str) -> bool:
        state = self._stories.state(run_id)
        return state is not None and not state.settled
