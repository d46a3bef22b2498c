"""What ``/health`` says of jobs that are paused."""

from typing import Any

from cronstream.core.health.pauses import halts_of, pauses_of
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.paused import Paused
from cronstream.core.planning.due import Shard
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from tests.builders import NOON, at
from tests.scheduler.fakes import a_job

SINCE = "2026-01-01T12:00:00Z"


def a_pause(**fields: Any) -> Control:
    return Control(ControlAction.PAUSE, cluster="a", by="ada", at=NOON, **fields)


def test_a_job_is_named_with_who_has_paused_it_and_a_cluster_once_for_all_of_them() -> None:
    of_cluster = a_pause(reason="upgrade")
    jobs = [
        a_job("backup", control=a_pause(job="backup")),
        a_job("one", control=of_cluster),
        a_job("two", control=of_cluster),
        a_job("three", control=of_cluster.derive(resumed_at=at(5))),
        a_job("old", enabled=False),
    ]
    assert pauses_of(jobs) == [
        f"cluster a is paused by ada since {SINCE} (upgrade): 3 jobs",
        f"job backup is paused by ada since {SINCE}",
        "job old is paused by the crontab (enabled: false)",
    ]


def test_no_more_than_twenty_are_named() -> None:
    found = pauses_of(a_job(f"job-{n}", enabled=False) for n in range(23))
    assert (len(found), found[-1]) == (21, "and 3 more: 'cronstream jobs --paused' lists all")


def test_what_discarded_runs_have_paused_is_said_with_the_remedy() -> None:
    ledger = Ledger(retry=False)
    halted = Paused(discards=2, halted_at=NOON, halted_by="backup@2026-01-01T11:59:00Z")
    ledger.book.marks = {"backup": Mark(paused=halted), "report": Mark()}
    ledger.book.marks["gone"] = Mark(revisions=[(1, NOON)], removed=1, paused=halted)
    [said] = halts_of([ledger])
    assert said == (
        f"job backup is paused by its discarded runs since {SINCE} (2 in a row, the last "
        "backup@2026-01-01T11:59:00Z): 'cronstream resume backup' lets it go on"
    )


def test_a_shard_knows_which_jobs_are_paused_at_a_time() -> None:
    shard = Shard(30.0)
    until = a_pause(job="backup", until=at(60))
    jobs = [a_job("backup", control=until), a_job("report"), a_job("old", enabled=False)]
    for revision, job in enumerate([*jobs, a_job("gone", enabled=False, removed=True)]):
        shard.learn(job, revision)

    assert [job.name for job in shard.paused(at(59))] == ["backup", "old"]
    assert [job.name for job in shard.paused(at(60))] == ["old"]


def test_of_jobs_that_nobody_has_paused_nothing_is_said() -> None:
    assert pauses_of([a_job()]) == []
