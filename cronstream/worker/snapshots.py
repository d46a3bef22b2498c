"""When the fold of a partition is written to the ``ledgers`` table.

A snapshot costs what the state is large, so it is made when as much has been folded since the
last one: the cost for each entry stays the same, and a new owner folds at most about that much
again. Nothing depends on it being fresh (see `cronstream.core.ledger.rows`).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cronstream import clock
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row

logger = logging.getLogger(__name__)

#: Messages folded since the last snapshot, at least, before there is another for that reason.
_LEAST_MESSAGES = 1000
#: Seconds after which a changed partition is written in any case.
_MOST_S = 30.0
#: After a snapshot there is none for so many times as long as it has taken.
_REST = 20


@dataclass(slots=True)
class _Written:
    next_offset: int
    at: float


class Snapshots:
    """Writes ledgers to a Faust table, and reads them back."""

    def __init__(self, table: Any, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._table, self._monotonic = table, monotonic
        self._rests_until = float("-inf")
        self._written: dict[int, _Written] = {}

    def load(self, partition: int, *, retry: bool) -> Ledger:
        """Return the partition's last snapshot, or an empty ledger if there is none.

        Raises:
            MessageError: If the row cannot be read.
        """
        row = self._table.get(str(partition))
        ledger = Ledger(retry=retry) if row is None else from_row(row)
        self._written[partition] = _Written(ledger.next_offset, 0.0)
        return ledger

    def write_due(self, ledgers: Mapping[int, Ledger], mono: float) -> list[int]:
        """Write snapshots of partitions that this worker owns, and return of which.

        That is of those for which it is time, the oldest first, and never for more than a small
        part of the worker's time: of all its partitions at once, with tens of thousands of runs
        in each, it would not turn for so long that it was taken for stuck.
        """
        due = [number for number, ledger in ledgers.items() if self._is_due(number, ledger, mono)]
        written = []
        for partition in sorted(due, key=lambda number: self._written[number].at):
            if mono < self._rests_until:
                break
            self.write(partition, ledgers[partition], mono)
            written.append(partition)
        return written

    def _is_due(self, partition: int, ledger: Ledger, mono: float) -> bool:
        written = self._written.setdefault(partition, _Written(ledger.next_offset, mono))
        written.at = written.at or mono
        since = ledger.next_offset - written.next_offset
        size = len(ledger.live) + len(ledger.marks) + len(ledger.recent)
        return since >= _LEAST_MESSAGES + size or (since > 0 and mono - written.at >= _MOST_S)

    def write(self, partition: int, ledger: Ledger, mono: float) -> None:
        """Write a snapshot now; it goes out in order with what this process wrote before.

        One that cannot be written is told: nothing depends on it, but the longer the log is that
        a new owner has to fold, the later it begins.
        """
        self._written[partition] = _Written(ledger.next_offset, mono)
        began = self._monotonic()
        try:
            row = to_row(ledger, partition)
            self._table.data[str(partition)] = row
            self._table.send_changelog(partition, str(partition), row)
        except Exception:
            what = "its snapshot cannot be written, and the one before it stays"
            logger.exception("partition %d: %s (%d live runs)", partition, what, len(ledger.live))
        self._rests_until = mono + _REST * (self._monotonic() - began)
