"""A log folded from its start, with what can only be seen on the way."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import Effect, LiveRun, SkipNews, State, starts_after_word
from cronstream.core.protocol.actions import key_of
from cronstream.core.wire.entries import (
    Cancelled,
    Entry,
    Finished,
    Lost,
    Released,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.levels import LEVEL
from tests.simulation.log import Log
from tests.simulation.loop import moment

#: What the holder of a claim says, and names its claim by.
_OF_HOLDERS = (Started, Finished, Released)


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that held something was taken for lost.

    Attributes:
        at: When, by a clock that is right.
        keys: The claims that it held there.
    """

    at: datetime
    worker: str
    keys: frozenset[str]


@dataclass(slots=True)
class Folded:
    """A log, folded from its start.

    Attributes:
        losses: Every worker that was taken for lost.
        late: How many entries of lost workers, about what they had lost, were refused.
        too_late: Claims whose `Started`, which their start waits for, came when they were to
            give way.
        faults: A sentence for each broken rule.
        from_start: The same of what is left of it, where its beginning was deleted.
        cancelled: Ids of runs that are to end because a person said so.
        last: Of runs that were cancelled while attempts were made from here, the last attempt.
    """

    ledger: Ledger
    losses: list[Loss] = field(default_factory=list)
    late: int = 0
    too_late: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)
    from_start: Ledger | None = None
    _removed: dict[str, int] = field(default_factory=dict)
    _taken_away: set[tuple[str, str]] = field(default_factory=set)
    _revisions: defaultdict[str, list[tuple[int, datetime]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def fold(self, offset: int, at: datetime, entries: list[Entry], true: datetime) -> None:
        """Fold one message, which was appended at a true time, and look at what it does."""
        ledger, said = self.ledger, len(self.ledger.book.news)
        held = {e.worker: self._keys(e.worker) for e in entries if isinstance(e, Lost)}
        late = self._late(entries) if self._taken_away else Counter()
        before = {kind: ledger.book.refused[kind] for kind in late}
        for entry in entries:
            self._look_at(entry)
        ledger.fold(offset, at, entries)
        self._note_last(entries)
        for kind, number in late.items():
            self.late += number
            if ledger.book.refused[kind] - before[kind] < number:
                self.faults.append(f"{kind} of a lost worker was taken at offset {offset}")
        for worker, keys in held.items():
            if keys and not ledger.book.held.get(worker):
                self.losses.append(Loss(true, worker, keys))
                self._taken_away |= {(worker, key) for key in keys}
        if not ledger.book.retry:
            self._look_at_queue(said)
            for job in {e.job for e in entries if isinstance(e, Withdrawal) and e.removed}:
                self.faults += self._of_removed(job)

    def _note_last(self, entries: list[Entry]) -> None:
        for run in (entry.run for entry in entries if isinstance(entry, Cancelled)):
            live = self.ledger.book.live.get(run)
            if live is not None and live.cancelled and not self._is_elsewhere(live):
                self.last.setdefault(run, live.run.attempt)
                if live.cancel is SkipReason.CANCELLED:
                    self.cancelled.add(run)

    def _is_elsewhere(self, live: LiveRun) -> bool:
        """Whether its next attempt is on the retry log, or on its way there."""
        on_its_way = live.effect is Effect.RETRY and not self.ledger.book.retry
        return on_its_way or live.effect is Effect.CANCEL

    def _keys(self, worker: str) -> frozenset[str]:
        live = self.ledger.book.live
        claims = ((run, live[run].claim) for run in self.ledger.book.held.get(worker, ()))
        return frozenset(key_of(run, claim) for run, claim in claims if claim is not None)

    def _late(self, entries: list[Entry]) -> Counter[str]:
        return Counter(
            type(entry).__name__.lower()
            for entry in entries
            if isinstance(entry, _OF_HOLDERS)
            and (entry.worker, key_of(entry.run, entry.claim)) in self._taken_away
        )

    def _look_at(self, entry: Entry) -> None:
        """Rule 13: what says `Started` first does not start once it was asked to give way."""
        if isinstance(entry, Withdrawal):
            self._revisions[entry.job].append((entry.revision, entry.effective_from))
            if entry.removed and self.ledger.book.level > 1:
                self._removed[entry.job] = entry.revision
        if not isinstance(entry, Started):
            return
        live = self.ledger.book.live.get(entry.run)
        if live is None or not starts_after_word(live.run, retry=self.ledger.book.retry):
            return
        if live.state is not State.CLAIMED:
            return
        if live.asked_to_give_way and (live.holder, live.claim) == (entry.worker, entry.claim):
            self.too_late.add(key_of(entry.run, entry.claim))

    def _of_removed(self, job: str) -> list[str]:
        """What has not begun of a job that was taken out is gone."""
        below = self._removed.get(job, 0)
        return [
            f"queued, though its job was taken out: {live.run.id}"
            for live in self.ledger.book.scheduled_runs(job)
            if live.state is State.QUEUED and not live.begun and (live.run.revision or 0) < below
        ]

    def _look_at_queue(self, said: int) -> None:
        """Rule 12: what waits for its first start is of the revision in force."""
        for news in self.ledger.book.news[said:]:
            if isinstance(news, SkipNews) or news.action != "queued" or news.run.cause is not None:
                continue
            live = self.ledger.book.live.get(news.run.id)
            if live is None or live.state is not State.QUEUED or live.begun:
                continue
            run = live.run
            holding = [n for n, at in self._revisions[run.job] if at <= run.scheduled_at]
            if self._removed:
                self.faults += self._of_removed(run.job)
            if run.revision != max(holding, default=None):
                self.faults.append(f"queued under revision {run.revision}, not in force: {run.id}")


def fold(log: Log, *, retry: bool) -> Folded:
    """Fold a log, and note what is seen on the way."""
    folded = Folded(Ledger(retry=retry))
    if log.start:
        folded.from_start = Ledger(retry=retry)
        folded.from_start.book.assumed = LEVEL
    for offset, (at, entries) in enumerate(log.messages):
        folded.fold(offset, at, entries, moment(log.true_times[offset]))
        if folded.from_start is not None and offset >= log.start:
            folded.from_start.fold(offset, at, entries)
    return folded
