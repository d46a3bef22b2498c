"""Folds the ledgers into the projection, from where it stands on and then for ever.

What is live when the process ends is not in the file but as rows: for the fold to know it, each log
is read again from where its oldest live run was published, and nothing is written of what was
projected before.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.console.store import Batch, Place, Store
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.runs import Run
from cronstream.errors import TruncatedError
from cronstream.history.log_story import Where
from cronstream.history.scope import LogReader, Scope
from cronstream.history.stories import Log, Stories
from cronstream.history.story import LogKind, RunState
from cronstream.history.tail import Tail
from cronstream.topology.reading import LogMessage

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


class Projection:
    """What one process projects.

    Args:
        store: Where it is kept.
        on_written: Is given the runs that have just been written.
        every_s: Seconds between two transactions, while little comes.

    Attributes:
        is_current: Whether all that was there when it began is projected.
        done: How many of those messages are.
        total: How many there were.
        written: Rows that were written.
    """

    def __init__(
        self,
        store: Store,
        on_written: Seen = lambda _: None,
        every_s: float = WRITE_EVERY_S,
    ) -> None:
        self._store, self._on_written, self._every_s = store, on_written, every_s
        self._begun = self._known = store.places()
        self._stories = Stories(keep=None, keep_output=False, on_touch=self._touch)
        begin = {TopicPartition(*key): place.again for key, place in self._known.items()}
        self._tail = Tail(Scope(keep_output=False), begin)
        self._touched: dict[str, None] = {}
        self._is_silent = False
        self._born: dict[str, dict[tuple[str, int], int]] = {}
        self._new: dict[tuple[str, int], tuple[int, datetime]] = {}
        self._written_at = clock.monotonic()
        self.is_current, self.done, self.total = False, 0, 0
        self.written = 0

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
        await self._write()  # What could not be written when it followed before.
        async for messages in self._tail.messages(reader):
            self._see_where_it_stands()
            await self._project(messages)
            every_s = self._every_s * (1 if self.is_current else _BEHIND)
            if clock.monotonic() - self._written_at >= every_s:
                await self._write()

    async def _project(self, messages: Sequence[tuple[Log, LogMessage]]) -> None:
        until = clock.monotonic() + _TURN_S
        for log, message in messages:
            self._fold(log, message)
            if len(self._touched) >= _MOST_AT_ONCE:
                await self._write()
            if clock.monotonic() > until:
                await asyncio.sleep(0)
                until = clock.monotonic() + _TURN_S

    def _see_where_it_stands(self) -> None:
        ends = self._tail.ends
        for (topic, partition), place in self._begun.items():
            if ends.get(TopicPartition(topic, partition), place.next) < place.next:
                raise TruncatedError(
                    f"{topic}/{partition} ends before {place.next}, up to which it was projected: "
                    "it was truncated, or recreated"
                )
        at = {place: self._next(place) for place in ends}
        self.total = sum(ends.values())
        self.done = sum(min(at[place], end) for place, end in ends.items())
        self.is_current = self.done >= self.total

    def _next(self, place: TopicPartition) -> int:
        key = (place.topic, place.partition)
        if key in self._new:
            return self._new[key][0]
        return self._known[key].next if key in self._known else 0

    def _fold(self, log: Log, message: LogMessage) -> None:
        key = (message.topic, message.partition)
        known = self._known.get(key)
        self._is_silent = known is not None and message.offset < known.next
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
        self._written_at = clock.monotonic()
        if not self._new:
            return
        found = [story for run_id in self._touched if (story := self._stories.get(run_id))]
        for run_id in [run_id for run_id in self._born if not self._is_live(run_id)]:
            del self._born[run_id]
        again: dict[tuple[str, int], int] = {}
        for born in self._born.values():
            for key, offset in born.items():
                again[key] = min(offset, again.get(key, offset))
        places = {
            key: Place(on, min(on, again.get(key, on)), at) for key, (on, at) in self._new.items()
        }
        for key, place in self._known.items():
            if key not in places:
                places[key] = Place(
                    place.next, min(place.next, again.get(key, place.next)), place.at
                )
        stories = {s.id: s for s in found if s.state is not RunState.UNKNOWN}
        await asyncio.to_thread(self._store.write, Batch(stories, places))
        # Only now: what could not be written is written the next time.
        self._known = {**self._known, **places}
        self._new, self._touched = {}, {}
        self.written += len(stories)
        if len(self._stories) - len(self._born) > 2 * _REMEMBERED:
            self._stories.forget(_REMEMBERED)
        self._on_written(stories)

    def _is_live(self, run_id: str) -> bool:
        state = self._stories.state(run_id)
        return state is not None and not state.settled
