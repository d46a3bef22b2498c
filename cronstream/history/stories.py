"""The stories of any number of runs, from the entries of their clusters' logs: no input, no clock.

Entries of one partition are taken in order; between partitions, and between a cluster's log and
its retry log, no order is needed. Memory is bounded: of settled runs only the newest are kept.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.observed import OF_ONE_RUN, Observed, RunChange, observing
from cronstream.core.ledger.state import SkipNews
from cronstream.core.wire.codec import decode, decode_entries
from cronstream.core.wire.entries import Cancelled, Claimed, Entry, Finished, Skip, Withdrawal
from cronstream.core.wire.runs import Discarded, Run
from cronstream.core.wire.times import format_time
from cronstream.errors import MessageError
from cronstream.history.draft import Draft
from cronstream.history.log_story import LogStory, Where
from cronstream.history.story import Change, LogKind, RunState, RunStory
from cronstream.topology.log_message import LogMessage

#: What says more of a run also where it changes nothing.
_SAYS_MORE: Final = (Finished, Cancelled)


@dataclass(frozen=True, slots=True)
class Log:
    """One of a cluster's topics."""

    cluster: str
    kind: LogKind
    topic: str


class Stories:
    """What became of each run, as far as the entries that were folded show.

    Args:
        jobs: Only runs of these are reported; None for all.
        keep: Settled runs that are kept, the newest; live ones are always kept. None for all, until
            whoever reads them has them forgotten.
        keep_output: Whether what the commands wrote is kept.
        on_change: Is given each change of a run's state, in the order of the entries.
        on_touch: Is given the id of each run of which there is more to say, however little.
    """

    def __init__(
        self,
        *,
        jobs: Collection[str] | None = None,
        keep: int | None = 10_000,
        keep_output: bool = True,
        on_change: Callable[[Change], None] | None = None,
        on_touch: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._jobs, self._keep, self._keep_output = jobs, keep, keep_output
        self._on_change, self._on_touch = on_change, on_touch
        self._ledgers: dict[tuple[str, int], Ledger] = {}
        self._drafts: dict[str, Draft] = {}
        self._spans: dict[str, RunStory] = {}
        self._log: Log
        self._where: Where

    def fold_message(self, log: Log, message: LogMessage) -> None:
        """Take a message; what cannot be decoded changes nothing, for workers neither."""
        where = Where(message.topic, message.partition, message.offset, message.at)
        if log.kind is not LogKind.DISCARDED:
            self.fold(log, where, decode_entries(message.value)[0])
            return
        try:
            record = decode(message.value, Discarded)
        except MessageError:
            return
        self.fold_discarded(log, where, record)

    def fold(self, log: Log, where: Where, entries: list[Entry]) -> None:
        """Take one message of a log; each partition's in order, each once."""
        place = (where.topic, where.partition)
        ledger = self._ledgers.get(place)
        if ledger is None:
            ledger = self._begin(log, where)
            self._ledgers[place] = ledger
        self._log, self._where = log, where
        counting = entries if self._jobs is None else [one for one in entries if self._counts(one)]
        ledger.fold(where.offset, where.at, counting)
        if self._keep is not None and len(self) > self._keep * 5 // 4:
            self.forget(self._keep)

    def _begin(self, log: Log, where: Where) -> Ledger:
        """Return the fold of a log that begins with this message, from its middle if need be.

        The revisions that were announced before the window are learnt from the runs then.
        """
        ledger = Ledger(retry=log.kind is LogKind.RETRY, by=observing(self._see))
        book = ledger.book
        book.learns, book.assumed = where.offset > 0, book.known
        return ledger

    def fold_discarded(self, log: Log, where: Where, record: Discarded) -> None:
        """Take what stands on a cluster's discarded topic; the first for a run id counts."""
        run = record.run
        if not self._is_wanted(run.job):
            return
        self._log, self._where = log, where
        before, draft = self.state(run.id), self._draft(run.id)
        if draft.discarded is None:
            draft.discarded = record
            draft.find_state()
            self._on_touch(run.id)
            self._report_change(draft, before)

    def get(self, run_id: str) -> RunStory | None:
        """Return the story of a run, or of a skipped span, by its id."""
        draft = self._drafts.get(run_id)
        return self._spans.get(run_id) if draft is None else self._story(draft)

    def __iter__(self) -> Iterator[RunStory]:
        """Yield every story; in no particular order."""
        yield from map(self._story, self._drafts.values())
        yield from self._spans.values()

    def _story(self, draft: Draft) -> RunStory:
        """Return a story; of a run that is claimed with when its worker was last heard there."""
        story = draft.story()
        if story.state is RunState.CLAIMED and (last := story.last) is not None:
            ledger = self._ledgers.get((last.topic, last.partition))
            beat = ledger.book.beats.get(last.worker or "") if ledger is not None else None
            story.heard_at = last.claimed_at if beat is None else beat.at
        return story

    # -- which entries matter ---------------------------------------------------------------

    def _is_wanted(self, job: str) -> bool:
        return self._jobs is None or job in self._jobs

    def _counts(self, entry: Entry) -> bool:
        """Whether the fold needs it; a claim counts for all, because it is a heartbeat too."""
        match entry:
            case Run() | Skip() | Withdrawal():
                return self._is_wanted(entry.job)
            case Claimed():
                return True
            case _ if isinstance(entry, OF_ONE_RUN):
                return self._is_wanted(entry.run.partition("@")[0])
            case _:
                return True

    # -- what the fold has seen ---------------------------------------------------------------

    def _see(self, observed: Observed) -> None:
        for change in observed.changes:
            before = change.before
            if before is None or before != change.after or isinstance(change.entry, _SAYS_MORE):
                self._see_change(change)
        for skip in observed.skips:
            self._see_skip(skip)

    def _see_change(self, change: RunChange) -> None:
        run_id, entry = change.run_id, change.entry
        if change.is_unknown and (isinstance(entry, Cancelled) or run_id in self._spans):
            return
        if self._jobs is not None and run_id.partition("@")[0] not in self._jobs:
            return
        draft = self._drafts.get(run_id)
        before = None if draft is None else draft.state
        if draft is None:
            draft = self._draft(run_id)
        part = draft.part(self._log.kind)
        part.fold(change, self._where)
        draft.find_state()
        self._on_touch(run_id)
        is_end = isinstance(entry, Finished) and not part.known
        self._report_change(draft, before, is_end=is_end)

    def _see_skip(self, skip: SkipNews) -> None:
        run_id = f"{skip.job}@{format_time(skip.from_at)}"
        if skip.count > 1:
            run_id += f"..{format_time(skip.to_at)}"
        self._drafts.pop(run_id, None)
        self._on_touch(run_id)
        story = self._spans[run_id] = RunStory(
            id=run_id,
            job=skip.job,
            cluster=self._log.cluster,
            scheduled_at=skip.from_at,
            state=RunState.SKIPPED,
            changed_at=self._where.at,
            reason=skip.reason.value,
            published_at=self._where.at,
            count=skip.count,
            to_at=skip.to_at if skip.count > 1 else None,
        )
        if self._on_change is not None:
            self._on_change(Change(story, None, self._where.at))

    def state(self, run_id: str) -> RunState | None:
        """Return where a run stands; None if nothing is known of it."""
        draft = self._drafts.get(run_id)
        return None if draft is None else draft.state

    def _draft(self, run_id: str) -> Draft:
        draft = self._drafts.get(run_id)
        if draft is None:
            first = LogStory(LogKind.FIRST, self._keep_output)
            draft = self._drafts[run_id] = Draft(run_id, self._log.cluster, first, self._where.at)
        return draft

    def _report_change(
        self, draft: Draft, before: RunState | None, *, is_end: bool = False
    ) -> None:
        """Report what has changed; where no state is known, the end of an attempt is news too."""
        if draft.state is before and not (is_end and before is RunState.UNKNOWN):
            return
        draft.changed_at = self._where.at
        if self._on_change is not None:
            self._on_change(Change(self._story(draft), before, self._where.at))

    def __len__(self) -> int:
        """Return how many stories there are."""
        return len(self._drafts) + len(self._spans)

    def forget(self, keep: int) -> None:
        """Keep so many runs that are not live; drop those that changed longest ago."""
        settled: list[tuple[datetime, str]] = [
            (draft.changed_at, run_id)
            for run_id, draft in self._drafts.items()
            if draft.state.settled or draft.state is RunState.UNKNOWN
        ]
        settled += [(story.changed_at, run_id) for run_id, story in self._spans.items()]
        for _, run_id in sorted(settled)[: max(0, len(settled) - keep)]:
            self._drafts.pop(run_id, None)
            self._spans.pop(run_id, None)
