"""When the fold of a partition is written to the ``ledgers`` table, and how it is read back.

A snapshot costs what the state is large, so it is made when as much has been folded since the
last one: the cost for each entry stays the same, and a new owner folds at most about that much
again. Nothing depends on it being fresh (see `cronstream.core.ledger.rows`).

Nor does a worker stand still for one: of tens of thousands of runs it is made a few milliseconds'
part in each turn, and read likewise, while heartbeats go out and messages come.
"""

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cronstream import clock
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import Row, as_text, from_parts, row_parts
from cronstream.errors import LevelError, MessageError
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Messages folded since the last snapshot, at least, before there is another for that reason.
_LEAST_MESSAGES = 1000
#: Seconds after which a changed partition is written in any case.
_MOST_S = 30.0
#: A turn makes parts of a snapshot for so many seconds; then there are none for so many times as
#: long as that has taken.
_TURN_S = 0.02
_PAUSE = 3
#: After a snapshot there is none for so many times as long as it has taken.
_REST = 20


@dataclass(slots=True)
class _Written:
    next_offset: int
    at: float


@dataclass(slots=True)
class _Draft:
    """A snapshot that is being made.

    Attributes:
        live: Runs in it.
        parts: What is left to be made of it.
        lines: What has been.
        cost_s: How long that has taken.
    """

    partition: int
    live: int
    parts: Iterator[Row]
    lines: list[bytes] = field(default_factory=list)
    cost_s: float = 0.0


class Snapshots:
    """Writes ledgers to a Faust table, and reads them back.

    Args:
        table: Puts the text of a row on its changelog.
        held: The partitions whose ledgers are there already.
    """

    def __init__(
        self,
        table: Any,
        held: Container[int] = (),
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._table, self._held, self._monotonic = table, held, monotonic
        self._rests_until = float("-inf")
        self._written: dict[int, _Written] = {}
        self._draft: _Draft | None = None
        #: Of each partition the bytes of its last snapshot, and when that was made (seconds since
        #: 1970), if it was made here.
        self.sizes: dict[int, tuple[int, float | None]] = {}
        #: What was read for the next assignment: the lines of a row for which there is a ledger.
        self._read: dict[int, Ledger | list[bytes] | LevelError | MessageError] = {}

    # -- reading --------------------------------------------------------------------------

    def read(self, partition: int, lines: list[bytes]) -> Iterator[None]:
        """Read a partition's row, a part in each step, before it is assigned."""
        self.sizes[partition] = sum(map(len, lines)), None
        if partition in self._held:
            self._read[partition] = lines  # Which may be let go before.
            return
        try:
            parts = from_parts(map(orjson.loads, lines))
            ledger = next(parts)  # The same in each step.
            for _ in parts:
                yield
            self._read[partition] = ledger
        except (LevelError, MessageError) as error:
            self._read[partition] = error

    def load(self, partition: int, *, retry: bool) -> Ledger:
        """Return what was read of a partition's last snapshot; an empty ledger if there is none.

        Raises:
            MessageError: If the row cannot be read.
            LevelError: If it is of a level that is not known here.
        """
        found = self._read.pop(partition, None)
        if isinstance(found, list):
            *_, found = from_parts(map(orjson.loads, found))
        if isinstance(found, LevelError | MessageError):
            raise found
        ledger = Ledger(retry=retry) if found is None else found
        self._written[partition] = _Written(ledger.book.next_offset, 0.0)
        return ledger

    def forget(self) -> None:
        """Let go of what was read, and was not needed."""
        self._read.clear()

    # -- writing --------------------------------------------------------------------------

    def write_due(self, ledgers: Mapping[int, Ledger], mono: float) -> int | None:
        """Go on with the snapshot that is being made, or with one for which it is time.

        That is of partitions that this worker owns, one at a time, the oldest first, and never for
        more than a small part of the worker's time. What is put into it is the ledger as it was
        when that began.

        Returns:
            The partition of which a snapshot is whole now, and on its way.
        """
        if mono < self._rests_until:
            return None
        began = self._monotonic()
        if self._draft is None or self._draft.partition not in ledgers:
            self._draft = self._begin(ledgers, mono)
        draft = self._draft
        if draft is None:
            return None
        is_made = self._go_on(draft, began)
        spent = self._monotonic() - began
        draft.cost_s += spent
        self._rests_until = mono + (_REST * draft.cost_s if is_made else _PAUSE * spent)
        if not is_made:
            return None
        self._draft = None
        return draft.partition

    def _begin(self, ledgers: Mapping[int, Ledger], mono: float) -> _Draft | None:
        due = [number for number, ledger in ledgers.items() if self._is_due(number, ledger, mono)]
        if not due:
            return None
        partition = min(due, key=lambda number: self._written[number].at)
        ledger = ledgers[partition]
        self._written[partition] = _Written(ledger.book.next_offset, mono)
        return _Draft(partition, len(ledger.book.live), row_parts(ledger, partition))

    def _is_due(self, partition: int, ledger: Ledger, mono: float) -> bool:
        written = self._written.setdefault(partition, _Written(ledger.book.next_offset, mono))
        written.at = written.at or mono
        since = ledger.book.next_offset - written.next_offset
        size = len(ledger.book.live) + len(ledger.book.marks) + len(ledger.book.recent)
        return since >= _LEAST_MESSAGES + size or (since > 0 and mono - written.at >= _MOST_S)

    def _go_on(self, draft: _Draft, began: float) -> bool:
        """Make some of it; return whether that was the last.

        A snapshot that cannot be made is reported: nothing depends on it, but the longer the log is
        that a new owner has to fold, the later it begins.
        """
        try:
            for part in draft.parts:
                draft.lines.append(orjson.dumps(part))
                if self._monotonic() - began >= _TURN_S:
                    return False
            row = as_text(draft.lines)
            self._table.put(draft.partition, row)
            self.sizes[draft.partition] = len(row), clock.now().timestamp()
        except Exception:
            what = "its snapshot cannot be written, and the one before it stays"
            text, about = (
                "partition %d: %s (%d live runs)",
                fields("snapshot-not-written", partition=draft.partition),
            )
            logger.exception(text, draft.partition, what, draft.live, extra=about)
        return True
