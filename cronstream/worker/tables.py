"""What the ledgers in a worker's memory know, for Faust's pages.

``/table/runs/<run id>/`` shows a run, and ``/table/ledgers/<partition>/`` a ledger.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import row_parts
from cronstream.core.ledger.state import LiveRun
from cronstream.core.wire.times import format_time


class RunsView(dict[str, Any]):
    """The runs of some ledgers, by run id, as JSON values; made when they are asked for."""

    def __init__(self, ledgers: Mapping[int, Ledger]) -> None:
        super().__init__()
        self._ledgers = ledgers

    def __getitem__(self, run_id: str) -> dict[str, Any]:
        for partition, ledger in self._ledgers.items():
            row = _row(ledger, run_id)
            if row is not None:
                return {"run": run_id, "partition": partition, **row}
        raise KeyError(run_id)

    def __contains__(self, run_id: object) -> bool:
        return any(_row(ledger, str(run_id)) is not None for ledger in self._ledgers.values())

    def __iter__(self) -> Iterator[str]:
        for ledger in self._ledgers.values():
            yield from ledger.book.live

    def __len__(self) -> int:
        return sum(len(ledger.book.live) for ledger in self._ledgers.values())

    def get(self, run_id: str, default: Any = None) -> Any:
        """Return the run's row, or `default`."""
        try:
            return self[run_id]
        except KeyError:
            return default


def _row(ledger: Ledger, run_id: str) -> dict[str, Any] | None:
    live = ledger.book.live.get(run_id)
    if live is not None:
        return _live_row(live)
    if run_id in ledger.book.recent:
        attempt, verdict, at = ledger.book.recent[run_id]
        return {"state": verdict.value, "attempt": attempt, "at": format_time(at)}
    job, _, due = run_id.partition("@")
    mark = ledger.book.marks.get(job)
    for moment, verdict in mark.settled.items() if mark else ():
        if format_time(moment) == due:
            return {"state": verdict.value}
    return None


def _live_row(live: LiveRun) -> dict[str, Any]:
    run = live.run
    return {
        "state": live.state.value,
        "job": run.job,
        "cluster": run.cluster,
        "scheduled_at": format_time(run.scheduled_at),
        "not_before": format_time(run.not_before),
        "command": run.command,
        "attempt": run.attempt,
        "attempts_left": run.attempts_left,
        "max_attempts": run.max_attempts,
        "holder": live.holder,
        "version": live.version,
    }


class LedgersView(dict[str, Any]):
    """The ledgers, by partition, as JSON values; made when they are asked for."""

    def __init__(self, ledgers: Mapping[int, Ledger]) -> None:
        super().__init__()
        self._ledgers = ledgers

    def __getitem__(self, partition: str) -> dict[str, Any]:
        """Return the row of a partition; of one with much in it, how much that is."""
        number = int(partition) if partition.isdigit() else -1
        ledger = self._ledgers[number]
        row, *more = islice(row_parts(ledger, number), 2)
        if more:
            for name in ("live", "marks", "recent"):
                row[name] = len(getattr(ledger.book, name))
            del row["successes"]
        return row

    def __contains__(self, partition: object) -> bool:
        return str(partition) in list(self)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._ledgers)

    def __len__(self) -> int:
        return len(self._ledgers)

    def get(self, partition: str, default: Any = None) -> Any:
        """Return the partition's row, or `default`."""
        try:
            return self[partition]
        except KeyError:
            return default
