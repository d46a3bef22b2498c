"""Which partition a table's row is looked for in."""

from cronstream.fitted.to_faust.routing import JobRouter
from cronstream.topology.publish import partition_of


def test_a_run_is_where_its_jobs_messages_go() -> None:
    run = "backup@2026-01-01T12:00:00Z!replay-3"

    assert JobRouter._partition("runs", run, 12) == partition_of("backup", 12)
    assert JobRouter._partition("jobs", "backup", 4) == partition_of("backup", 4)


def test_a_ledger_and_a_cursor_are_named_by_their_partition() -> None:
    assert JobRouter._partition("ledgers", "7", 12) == 7
    assert JobRouter._partition("cursors", "0", 1) == 0
    assert JobRouter._partition("ledgers", "nonsense", 12) == 0
