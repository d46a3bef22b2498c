"""Logs written by hand, one entry a message, and read as stories."""

from datetime import datetime
from typing import Any

from cronstream.core.wire.entries import Entry
from cronstream.core.wire.entries import Finished as FinishedEntry
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Discarded
from cronstream.history.log_story import Where
from cronstream.history.stories import Log, Stories
from cronstream.history.story import Change, LogKind, RunStory
from tests.builders import NAMES, at


class Tape:
    """The logs of cluster-a, with one partition each."""

    def __init__(
        self, *, first_offset: int = 0, job: str | None = None, keep: int = 10_000
    ) -> None:
        self.changes: list[Change] = []
        self.stories = Stories(
            jobs=None if job is None else {job}, keep=keep, on_change=self.changes.append
        )
        self._offsets = dict.fromkeys(LogKind, first_offset)

    def first(self, *entries: Entry, when: datetime | None = None) -> int:
        """Append one message to the cluster's log; return its offset."""
        return self._append(LogKind.FIRST, NAMES.log("cluster-a"), entries, when)

    def retry(self, *entries: Entry, when: datetime | None = None) -> int:
        """Append one message to the retry log; return its offset."""
        return self._append(LogKind.RETRY, NAMES.retry_log("cluster-a"), entries, when)

    def _append(
        self, kind: LogKind, topic: str, entries: tuple[Entry, ...], when: datetime | None
    ) -> int:
        offset = self._offsets[kind]
        self._offsets[kind] += 1
        where = Where(topic, 0, offset, when or at(0))
        self.stories.fold(Log("cluster-a", kind, topic), where, list(entries))
        return offset

    def discarded(self, record: Discarded) -> None:
        """Put a run on the discarded topic."""
        topic = NAMES.discarded("cluster-a")
        where = Where(topic, 0, self._offsets[LogKind.DISCARDED], record.discarded_at)
        self._offsets[LogKind.DISCARDED] += 1
        self.stories.fold_discarded(Log("cluster-a", LogKind.DISCARDED, topic), where, record)

    def story(self, run_id: str) -> RunStory:
        """Return the story of a run that must be there."""
        story = self.stories.get(run_id)
        assert story is not None, f"no story of {run_id}"
        return story

    @property
    def states(self) -> list[str]:
        """The states that were told, in order."""
        return [change.story.state.value for change in self.changes]


def finished(run: str, claim: int, worker: str = "w1", **fields: Any) -> FinishedEntry:
    """Return the end of an attempt that took two seconds from noon; it succeeded unless said."""
    values: dict[str, Any] = {
        "outcome": Outcome.SUCCEEDED,
        "started_at": at(0),
        "ended_at": at(2),
        **fields,
    }
    return FinishedEntry(run=run, claim=claim, worker=worker, **values)
