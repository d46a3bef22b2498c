"""A run whose numbers no crontab can have given it is refused, by every fold alike."""

from typing import Any

import pytest

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.limits import LONGEST_S, MAX_ATTEMPTS, MAX_QUEUE, MAX_RUNNING
from cronstream.core.planning.making import run_of
from cronstream.core.wire.entries import Level
from cronstream.core.wire.runs import Backoff
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told

#: The largest numbers that a crontab takes.
LARGEST = """
version: 1
clusters: {cluster-a: }
jobs: [{name: backup, cluster: cluster-a, schedule: "@daily", command: x, max_attempts: 100,
  timeout: 366d, grace: 366d, max_queue: 10000, max_running: 1000, overlap: queue,
  backoff: {first: 366d, ceiling: 366d, factor: 1000, jitter: 1}}]
"""


def _fold(level: int, retry: bool = False, **numbers: Any) -> Ledger:
    told = Told(retry=retry, revision=True)
    told.tell(Level(level=level))
    told.tell(a_run(attempt=2 if retry else 1, **numbers))
    return told.ledger


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("numbers", [
    {"max_attempts": 2**53},
    {"max_attempts": MAX_ATTEMPTS + 1, "attempts_left": 1},
    {"timeout_s": LONGEST_S + 1},
    {"grace_s": 2.0**53},
    {"max_queue": MAX_QUEUE + 1},
    {"max_running": MAX_RUNNING + 1},
    {"backoff": Backoff(ceiling_s=2.0**53)},
    {"backoff": Backoff(factor=1001.0)},
])  # fmt: skip
def test_a_run_with_a_number_beyond_all_bounds_is_refused_and_put_aside(
    numbers: dict[str, Any], *, retry: bool
) -> None:
    book = _fold(4, retry=retry, **numbers).book
    assert not book.live
    assert book.refused["bounds"] == 1
    [why] = book.aside
    assert why.startswith("a run of 'backup' that no crontab can ask for: ")
    assert why.endswith("is the most")


def test_it_is_not_refused_where_processes_may_be_that_do_not_know_of_it() -> None:
    ledger = _fold(2, max_attempts=2**53)
    assert list(ledger.book.live) == [a_run().id]
    assert list(from_row(to_row(ledger, 0)).book.live) == [a_run().id]


def test_the_largest_numbers_of_a_crontab_are_within_all_bounds() -> None:
    [job] = parse_crontab(LARGEST, "<string>").jobs
    told = Told()
    told.tell(Level(level=4))
    told.tell(run_of(job.derive(effective_from=NOON), 1, at(0)))
    assert told.ledger.book.aside == []
    assert len(told.ledger.book.live) == 1
