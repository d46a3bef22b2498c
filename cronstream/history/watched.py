"""The ledger's own fold, watched: what each entry that counted has changed.

The rules of the ledger are not told a second time here: an entry counts for a story exactly when
the fold takes it. Only a log that is read from its middle needs more: the revisions that were
announced before the window are taken from the runs themselves, and entries of runs that were
published before it are handed on as unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import LiveRun, News, SkipNews, State
from cronstream.core.wire.records import (
    Cancelled,
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Level,
    Lost,
    Owned,
    Released,
    Run,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)

#: Entries that name one run by its id.
OF_ONE_RUN = (Claimed, Released, Started, Finished, Skipped, Cancelled, Forwarded, Settled)
#: How the fold says that a run is no longer live.
_ENDS = frozenset({"succeeded", "discarded", "skipped", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Glance:
    """A live run as it stood at one moment; the fold changes its own in place."""

    run: Run
    state: State
    version: int
    holder: str | None
    claim: int | None
    begun: bool
    reason: str
    next_not_before: Any

    @classmethod
    def at(cls, live: LiveRun | None) -> "Glance | None":
        """Return what is to be seen of a live run now."""
        if live is None:
            return None
        return cls(
            live.run,
            live.state,
            live.version,
            live.holder,
            live.claim,
            live.begun,
            live.reason,
            live.not_before,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What one entry has changed about one run.

    Attributes:
        before: The run before it; None if it was not live.
        after: The run after it; None if it is no longer live, or was not known at all.
        end: What it is now that it is no longer live: a verdict, or ``withdrawn``.
        reason: Why, as the fold says.
    """

    run_id: str
    entry: Entry
    before: Glance | None
    after: Glance | None
    end: str | None = None
    reason: str = ""


class WatchedLedger(Ledger):
    """A ledger that tells what each entry has changed.

    Args:
        retry: Whether it is a retry log.
        from_middle: Whether what came before the first message is not known.
        see: Is told of each change of a run, and of entries that name an unknown run.
        see_skip: Is told of each span of due times that was skipped.
    """

    def __init__(
        self,
        *,
        retry: bool,
        from_middle: bool,
        see: Callable[[Step], None],
        see_skip: Callable[[SkipNews], None],
    ) -> None:
        super().__init__(retry=retry)
        self.from_middle = self.learns = from_middle
        self.assumed = self.known
        self._see, self._see_skip = see, see_skip
        # Heartbeats are most of what is on a log, and change no run.
        self._takers = {
            kind: taker if kind in (Heartbeat, Owned, Level) else self._watch(taker)
            for kind, taker in self._takers.items()
        }

    def _watch(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(entry: Any) -> None:
            before = {run_id: Glance.at(self.live.get(run_id)) for run_id in self._touched(entry)}
            self.news.clear()
            take(entry)
            ends = {
                news.run.id: (news.action, news.reason)
                for news in self.news
                if isinstance(news, News) and news.action in _ENDS
            }
            skips = [news for news in self.news if isinstance(news, SkipNews)]
            self.news.clear()
            for run_id, was in before.items():
                self._tell(entry, run_id, was, *ends.get(run_id, (None, "")))
            for skip in skips:
                self._see_skip(skip)

        return watched

    def _tell(
        self, entry: Entry, run_id: str, was: Glance | None, end: str | None, reason: str
    ) -> None:
        now = Glance.at(self.live.get(run_id))
        unknown = was is None and now is None and isinstance(entry, OF_ONE_RUN)
        if was != now or unknown or isinstance(entry, Finished):
            self._see(Step(run_id, entry, was, now, end, reason))

    def _touched(self, entry: Entry) -> list[str]:
        match entry:
            case Run():
                return [entry.id]
            case Skip() | Withdrawal():
                return [live.run.id for live in self.scheduled_runs(entry.job)]
            case Lost():
                return sorted(self.held.get(entry.worker, ()))
            case (
                Claimed()
                | Released()
                | Started()
                | Finished()
                | Skipped()
                | Cancelled()
                | Forwarded()
                | Settled()
            ):
                return [entry.run]
            case _:
                return []
