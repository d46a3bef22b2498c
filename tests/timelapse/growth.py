"""What must not grow with time: states, rows, logs, and what it costs to take over."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from cronstream.core.ledger.fold import Ledger

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

#: So much more may be there late than early, whatever it is: a factor, and a number of them.
_FACTOR: Final = 2.0
_MORE: Final = {
    "jobs that a ledger knows": 6,
    "revisions in a mark": 6,
    "runs that a ledger remembers": 120,
    "workers that a ledger remembers": 12,
    "bytes of a ledger's row": 40_000,
    "bytes of a cursor's row": 1_500,
    "bytes of what is kept of jobs": 6_000,
    "messages read to find a row": 64,  # One step of the search more.
    "definitions read by a scheduler": 20,
    "bytes of a changelog": 0,
    "messages of a log": 3_000,
}
#: What is bounded by retention, or by how long Kafka compacts nothing, and not from the start.
_BOUNDED_LATER: Final = {"messages of a log": 15.0, "bytes of a changelog": 60.0}
#: What the design bounds, whenever it is: the search for a row takes three steps, if not two.
_NEVER_MORE: Final = {"messages read to find a row": 512}


class Growth:
    """The largest of each thing, day by day."""

    def __init__(self, lapse: "Lapse") -> None:
        self._lapse = lapse
        self._most: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._day = 0
        #: What is seen in the second and third week is held against what is seen in the last three.
        week = max(1, lapse.days // 12)
        self._early = range(week, 3 * week + 1)
        self._late = range(lapse.days - 3 * week, lapse.days + 1)

    def _note(self, what: str, size: int) -> None:
        days = self._most[what]
        days[self._day] = max(days[self._day], size)

    def note_take_over(self, rows: int, _folded: int) -> None:
        """A worker has taken a partition over."""
        self._note("messages read to find a row", rows)

    def note_scheduler(self, rows: int, definitions: int) -> None:
        """A scheduler has taken the shard over."""
        self._note("messages read to find a row", rows)
        self._note("definitions read by a scheduler", definitions)

    def note_cursor(self, row: dict[str, Any]) -> None:
        """A cursor's row is written."""
        self._note("bytes of a cursor's row", len(orjson.dumps(row)))

    def note_jobs(self, row: dict[str, Any]) -> None:
        """What is known of the jobs is kept."""
        self._note("bytes of what is kept of jobs", len(orjson.dumps(row)))

    def note_row(self, ledger: Ledger, size: int) -> None:
        """A ledger's row is written."""
        self._note("bytes of a ledger's row", size)
        self._note("jobs that a ledger knows", len(ledger.book.marks))
        revisions = max((len(mark.revisions) for mark in ledger.book.marks.values()), default=0)
        self._note("revisions in a mark", revisions)
        self._note("runs that a ledger remembers", len(ledger.book.recent))
        self._note("workers that a ledger remembers", len(ledger.book.beats))

    def look(self, day: int) -> None:
        """Look at what lies there at the end of a day."""
        lapse, self._day = self._lapse, day
        logs = [log for log in lapse.topics.all() if not log.name.endswith(".discarded")]
        for log in logs:
            self._note("messages of a log", len(log.messages) - log.start)
        for changelog in lapse.changelogs():
            self._note("bytes of a changelog", changelog.bytes_kept)

    def most(self, what: str, days: range) -> int:
        """Return the largest of a thing in some days."""
        return max((self._most[what][day] for day in days), default=0)

    def table(self) -> Iterator[tuple[str, int, int]]:
        """Yield each thing with its largest early and late."""
        for what in _MORE:
            yield what, self.most(what, self._early), self.most(what, self._late)

    def faults(self) -> Iterator[str]:
        """Yield what has grown."""
        for what, early, late in self.table():
            if max(early, late) > _NEVER_MORE.get(what, sys.maxsize):
                yield f"too many: {what}, {early:,} early, {late:,} in the end"
            factor = _BOUNDED_LATER.get(what, _FACTOR)
            if late > factor * early + _MORE[what]:
                yield f"it grows: {what}, {early:,} early, {late:,} in the end"
