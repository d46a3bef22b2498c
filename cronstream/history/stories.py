"""The stories of any number of runs, from the entries of their clusters' logs: no input, no clock.

Entries of one partition are taken in order; between partitions, and between a cluster's log and
its retry log, no order is needed. Memory is bounded: of settled runs only the newest are kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.observed import OF_ONE_RUN, Observed, RunChange, observing
from cronstream.core.ledger.state import SkipNews
from cronstream.core.wire.entries import Claimed, Entry, Finished, Lost, Skip, Withdrawal
from cronstream.core.wire.runs import Discarded, Run
from cronstream.core.wire.times import format_time
from cronstream.history.draft import Draft
from cronstream.history.part import Part, Where
from cronstream.history.story import Change, LogKind, RunState, RunStory

#: A run is published at most so long before it is due.
_AHEAD: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Log:
    """One of a cluster's topics."""

    cluster: str
    kind: LogKind
    topic: str


class Stories:
    """What became of each run, as far as the entries that were taken tell.

    Args:
        job: Only runs of this job are told of; None for all.
        keep: Settled runs that are kept, the newest; live ones are always kept.
        keep_output: Whether what the commands wrote is kept.
        on_change: Is told of each change of a run's state, in the order of the entries.
    """

    def __init__(
        self,
        *,
        job: str | None = None,
        keep: int = 10_000,
        keep_output: bool = True,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self._job, self._keep, self._keep_output = job, keep, keep_output
        self._on_change = on_change
        self._ledgers: dict[tuple[str, int], Ledger] = {}
        self._drafts: dict[str, Draft] = {}
        self._spans: dict[str, RunStory] = {}
        self._blind: dict[tuple[str, int], set[str]] = {}
        #: When each log's first message that was read was appended.
        self._since: dict[tuple[str, int], datetime] = {}
        self._log: Log
        self._where: Where

    def take(self, log: Log, where: Where, entries: list[Entry]) -> None:
        """Take one message of a log; each partition's in order, each once."""
        place = (where.topic, where.partition)
        ledger = self._ledgers.get(place)
        if ledger is None:
            self._since[place] = where.at
            ledger = self._begin(log, where)
            self._ledgers[place] = ledger
        self._log, self._where = log, where
        ledger.take(where.offset, where.at, [entry for entry in entries if self._counts(entry)])
        if len(self._drafts) + len(self._spans) > self._keep * 5 // 4:
            self._forget()

    def _begin(self, log: Log, where: Where) -> Ledger:
        """Return the fold of a log that begins with this message, from its middle if need be.

        The revisions that were announced before the window are learnt from the runs then.
        """
        ledger = Ledger(retry=log.kind is LogKind.RETRY, by=observing(self._see))
        book = ledger.book
        book.learns, book.assumed = where.offset > 0, book.known
        return ledger

    def take_discarded(self, log: Log, where: Where, record: Discarded) -> None:
        """Take what stands on a cluster's discarded topic; the first for a run id counts."""
        run = record.run
        if not self._is_wanted(run.job):
            return
        self._log, self._where = log, where
        draft = self._draft(run.id)
        if draft.discarded is None:
            before = draft.state if draft.published or draft.later.run else None
            draft.discarded = record
            self._tell(draft, before)

    def get(self, run_id: str) -> RunStory | None:
        """Return the story of a run, or of a skipped span, by its id."""
        draft = self._drafts.get(run_id)
        return self._spans.get(run_id) if draft is None else draft.story()

    def __iter__(self) -> Iterator[RunStory]:
        """Yield every story; in no particular order."""
        yield from (draft.story() for draft in self._drafts.values())
        yield from self._spans.values()

    # -- which entries matter ---------------------------------------------------------------

    def _is_wanted(self, job: str) -> bool:
        return self._job is None or job == self._job

    def _counts(self, entry: Entry) -> bool:
        """Whether the fold needs it; a claim counts for all, because it is a heartbeat too."""
        match entry:
            case Run() | Skip() | Withdrawal():
                return self._is_wanted(entry.job)
            case Claimed():
                return True
            case _ if isinstance(entry, OF_ONE_RUN):
                return self._is_wanted(entry.run.partition("@")[0])
            case Lost():
                self._lose_blind(entry)
                return True
            case _:
                return True

    # -- what the fold has seen ---------------------------------------------------------------

    def _see(self, observed: Observed) -> None:
        for change in observed.changes:
            is_news = change.before != change.after or change.is_unknown
            if is_news or isinstance(change.entry, Finished):
                self._see_change(change)
        for skip in observed.skips:
            self._see_skip(skip)

    def _see_change(self, change: RunChange) -> None:
        if not self._is_wanted(change.run_id.partition("@")[0]):
            return
        draft = self._drafts.get(change.run_id)
        part = None if draft is None else self._part(draft)
        if part is None or part.state is None:
            guessing = change.is_unknown
        else:
            # Gone without an end: it was the double of one that was published before the window.
            is_gone = change.after is None and change.end is None
            is_double = is_gone and not change.is_unknown
            guessing = is_double or (part.blind and not isinstance(change.entry, Run))
        if guessing:
            self._guess(change)
        else:
            self._follow(change)

    def _follow(self, change: RunChange) -> None:
        known = change.run_id in self._drafts
        draft = self._draft(change.run_id)
        before = draft.state if known else None
        part = self._part(draft)
        if part.blind and not part.begins_anew:
            return
        part.blind = False
        part.follow(change, self._where)
        if isinstance(change.entry, Run) and self._log.kind is LogKind.FIRST:
            draft.published, draft.published_at = change.entry, self._where.at
        self._tell(draft, before)

    def _guess(self, change: RunChange) -> None:
        place = (self._where.topic, self._where.partition)
        if not (self._ledgers[place].book.learns or self._is_older(change.run_id, place)):
            return
        known = change.run_id in self._drafts
        draft = self._draft(change.run_id)
        before = draft.state if known else None
        self._part(draft).guess(change.entry, self._where)
        self._blind.setdefault(place, set()).add(change.run_id)
        self._tell(draft, before)

    def _is_older(self, run_id: str, place: tuple[str, int]) -> bool:
        """Whether a run was due before a log began: it has come there by an import."""
        due = run_id.partition("@")[2].partition("!")[0]
        try:
            return datetime.fromisoformat(due) <= self._since[place] + _AHEAD
        except (TypeError, ValueError):
            return False

    def _lose_blind(self, entry: Lost) -> None:
        place = (self._where.topic, self._where.partition)
        beat = self._ledgers[place].book.beats.get(entry.worker)
        if beat is not None and beat.number != entry.number:
            return
        for run_id in self._blind.get(place, ()):
            draft = self._drafts.get(run_id)
            if draft is not None:
                before = draft.state
                if self._part(draft).guess_lost(entry.worker, self._where):
                    self._tell(draft, before)

    def _see_skip(self, skip: SkipNews) -> None:
        run_id = f"{skip.job}@{format_time(skip.from_at)}"
        if skip.count > 1:
            run_id += f"..{format_time(skip.to_at)}"
        self._drafts.pop(run_id, None)
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

    def _part(self, draft: Draft) -> Part:
        return draft.later if self._log.kind is LogKind.RETRY else draft.first

    def _draft(self, run_id: str) -> Draft:
        draft = self._drafts.get(run_id)
        if draft is None:
            draft = self._drafts[run_id] = Draft.new(
                run_id, self._log.cluster, self._where.at, keep_output=self._keep_output
            )
        return draft

    def _tell(self, draft: Draft, before: RunState | None) -> None:
        if draft.state is before:
            return
        draft.changed_at = self._where.at
        if self._on_change is not None:
            self._on_change(Change(draft.story(), before, self._where.at))

    def _forget(self) -> None:
        """Drop the oldest settled runs, those first that changed longest ago."""
        settled: list[tuple[datetime, str]] = [
            (draft.changed_at, run_id)
            for run_id, draft in self._drafts.items()
            if draft.state.settled
        ]
        settled += [(story.changed_at, run_id) for run_id, story in self._spans.items()]
        for _, run_id in sorted(settled)[: max(0, len(settled) - self._keep)]:
            self._drafts.pop(run_id, None)
            self._spans.pop(run_id, None)
        for runs in self._blind.values():
            runs.intersection_update(self._drafts)
