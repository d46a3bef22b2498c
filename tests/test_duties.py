"""Each role has its duty, which declares what it needs, and nothing of another's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from cronstream.application import Cronstream
from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.configuration import COMMON
from cronstream.scheduler import SchedulerDuty
from cronstream.settings import settings
from cronstream.worker import WorkerDuty


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cronstream]:
    monkeypatch.setenv("CRONSTREAM_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield Cronstream("cronstream", **COMMON)
    settings.cache_clear()


def declared(app: Cronstream) -> tuple[set[str], set[str]]:
    return set(app.agents), set(app.tables)


def test_a_scheduler_reads_ticks_and_shows_what_it_fires(app: Cronstream) -> None:
    app.take_role(Role.of(None, retry=False))

    assert isinstance(app.duty, SchedulerDuty)
    assert declared(app) == ({"cronstream.ticks"}, {"cursors", "jobs"})
    assert (app.conf.id, app.duty.subject.topic) == ("cronstream-scheduler", "cronstream.ticks")


@pytest.mark.parametrize("retry", [False, True])
def test_a_worker_reads_the_log_of_its_role_and_shows_its_runs(
    app: Cronstream, retry: bool
) -> None:
    role = Role.of("a", retry=retry)
    app.take_role(role)

    assert isinstance(app.duty, WorkerDuty)
    assert declared(app) == ({role.log}, {"ledgers", "runs"})
    assert app.duty.subject.topic == role.log


def test_slots_that_are_given_to_a_worker_are_what_it_claims_for(app: Cronstream) -> None:
    app.take_role(Role.of("a", retry=False), slots=3)

    assert isinstance(app.duty, WorkerDuty)
    assert app.duty.worker.member.timing.slots == 3
    assert app.duty.peer.news()["slots"] == 3


async def test_each_duty_takes_of_an_assignment_what_its_topic_has(app: Cronstream) -> None:
    app.take_role(Role.of(None, retry=False))
    assert isinstance(app.duty, SchedulerDuty)
    own = app.duty.subject.topic

    app.duty.assigned({TP(own, 0), TP("cronstream.jobs", 0), TP("cronstream.a", 5)})
    taken = app.duty.scheduler.firing.shards
    app.duty.revoked()

    assert (taken, app.duty.scheduler.firing.shards) == (frozenset({0}), frozenset())
