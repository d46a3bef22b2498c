"""Monitors hear of the attempts of a worker, and no report of an attempt waits for that."""

from collections.abc import Iterable
from typing import Any

import pytest

from cronstream import clock
from cronstream.core.wire.entries import Cancelled, Finished, Level, Started
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Ping
from cronstream.executor import protocol
from cronstream.notices.notice import Notice
from tests.builders import at
from tests.ledger_builders import due
from tests.member_builders import holder
from tests.notices.server import serving
from tests.worker.test_turning import a_worker, an_end


class Kept:
    """In the place of the outpost: what was put there."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def put(self, notices: Iterable[Notice]) -> None:
        self.notices += notices

    @property
    def events(self) -> list[str]:
        return [notice.event for notice in self.notices]


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: at(0))


def a_pinging_worker(**fields: Any) -> tuple[Any, str, Kept, Any]:
    """Return a worker that holds an attempt, its key, what it sends, and what it has published."""
    bench, key = holder(due(0, **fields))
    worker, publisher = a_worker(bench.member, is_alive=True)
    kept = Kept()
    worker.reports._pinging._outpost = kept  # type: ignore[assignment]
    return worker, key, kept, publisher


def test_a_start_and_an_end_are_put_into_the_outpost() -> None:
    worker, key, kept, _ = a_pinging_worker(ping=Ping(healthchecks="file:/hc"))

    worker._reported([protocol.Started(key, at(0).timestamp(), 7)])
    worker._reported([an_end(key)])

    assert kept.events == ["start", "success"]


def test_a_job_without_a_monitor_and_a_report_of_nobody_s_put_nothing_there() -> None:
    worker, key, kept, _ = a_pinging_worker()
    worker._reported([protocol.Started(key, at(0).timestamp(), 7), an_end(key), an_end(key)])

    assert kept.notices == []


def test_what_was_cancelled_has_neither_succeeded_nor_failed() -> None:
    run = due(0, ping=Ping(healthchecks="file:/hc"))
    bench, key = holder(run)
    bench.log(Level(level=2))
    bench.log(Cancelled(run=run.id, reason=SkipReason.CANCELLED, by="a person"))
    worker, _ = a_worker(bench.member, is_alive=True)
    kept: Any = Kept()
    worker.reports._pinging._outpost = kept
    assert bench.member.ledgers[0].book.live[run.id].cancelled

    worker._reported([an_end(key, "failed")])

    assert kept.notices == []


async def test_while_a_monitor_hangs_starts_and_ends_are_published_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing here waits: the monitor answers nothing until all is over."""
    async with serving(is_open=False) as server:
        monkeypatch.setenv("HC", server.url)
        bench, key = holder(due(0, ping=Ping(healthchecks="from:HC")))
        worker, publisher = a_worker(bench.member, is_alive=True)

        worker._reported([protocol.Started(key, at(0).timestamp(), 7)])
        await server.came.wait()
        worker._reported([an_end(key)])
        worker._turn()

        published = [type(entry) for entry in publisher.entries]
        assert [kind for kind in published if kind in (Started, Finished)] == [Started, Finished]
        assert worker.outpost.waiting == 2
        assert server.paths == ["/start"]
        await worker.outpost.close(within_s=0.01)
