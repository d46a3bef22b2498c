"""The Faust tables of a worker: its ledgers, kept; and its runs, to look at.

``ledgers`` has one row for each partition: the fold of the log up to an offset. It is what the
next owner starts from. ``runs`` has nothing of its own: it shows the runs that the ledgers in this
process's memory know, for Faust's ``/table/runs/<run id>/``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import faust
from faust.stores import memory

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import LiveRun
from cronstream.core.records import format_time


class RunsStore(memory.Store[str, dict[str, Any]]):
    """A store that reads through to ledgers; nothing is ever written to it."""

    def __init__(self, *args: Any, ledgers: Mapping[int, Ledger], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.data = RunsView(ledgers)


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
            yield from ledger.live

    def __len__(self) -> int:
        return sum(len(ledger.live) for ledger in self._ledgers.values())

    def get(self, run_id: str, default: Any = None) -> Any:
        """Return the run's row, or `default`."""
        try:
            return self[run_id]
        except KeyError:
            return default


class RunsTable(faust.Table[str, dict[str, Any]]):
    """Faust's table of runs, on a `RunsStore`."""

    #: Of the worker in this process, by partition.
    ledgers: Mapping[int, Ledger]

    def _new_store(self) -> RunsStore:
        return RunsStore(
            "memory://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            options=self.options,
            ledgers=self.ledgers,
        )


def _row(ledger: Ledger, run_id: str) -> dict[str, Any] | None:
    live = ledger.live.get(run_id)
    if live is not None:
        return _live_row(live)
    if run_id in ledger.recent:
        attempt, verdict, at = ledger.recent[run_id]
        return {"state": verdict.value, "attempt": attempt, "at": format_time(at)}
    job, _, due = run_id.partition("@")
    mark = ledger.marks.get(job)
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
