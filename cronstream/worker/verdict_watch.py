"""Has webhooks hear of the verdicts of runs: from the owner of the log that gives them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cronstream.core.ledger.state import News, SkipNews
from cronstream.core.wire.entries import Entry, Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run
from cronstream.notices.outpost import Outpost
from cronstream.notices.verdicts import MOST_OUTPUT, of_verdict

#: Runs that are being decided, of which what they wrote is remembered.
_MOST: Final = 256


class VerdictWatch:
    """Sees each verdict once; what it does not see, in a take-over, nobody is sent."""

    def __init__(self, outpost: Outpost) -> None:
        self._outpost = outpost
        #: The end of what the last attempt of a run wrote, until it has its verdict.
        self._outputs: dict[str, str] = {}

    def see(self, at: datetime, entries: Iterable[Entry], news: Iterable[News | SkipNews]) -> None:
        """Take what a message has changed; `at` is when it was appended, by the log."""
        told = [one for one in news if isinstance(one, News) and _is_awaited(one.run)]
        if not told:
            return
        runs = {one.run.id for one in told}
        for entry in entries:
            if isinstance(entry, Finished) and entry.run in runs:
                self._remember(entry)
        for one in told:
            if one.verdict is not None:
                output = self._outputs.pop(one.run.id, "")
                # What was refused is not trusted to say who hears of it; a detail is another's.
                if not one.is_detail and not _was_refused(one.run):
                    self._outpost.put(of_verdict(one.run, one.verdict, one.reason, at, output))

    def _remember(self, end: Finished) -> None:
        self._outputs.pop(end.run, None)
        self._outputs[end.run] = (end.tail or end.head)[-MOST_OUTPUT:]
        if len(self._outputs) > _MOST:
            del self._outputs[next(iter(self._outputs))]


def _is_awaited(run: Run) -> bool:
    return run.on_success is not None or run.on_discard is not None


def _was_refused(run: Run) -> bool:
    attempts = run.attempts or []
    return bool(attempts) and attempts[-1].outcome is Outcome.REFUSED
