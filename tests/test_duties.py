"""Each role has its duty, which declares what it needs, and nothing of another's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from cronstream.application import Cronstream
from cronstream.core.wire.naming import Role
from cronstream.errors import KeysError
from cronstream.fitted.to_faust.configuration import COMMON
from cronstream.scheduler import SchedulerDuty
from cronstream.settings import settings
from cronstream.trust.signer import new_key
from cronstream.worker import WorkerDuty
from tests.builders import NAMES
from tests.core.trust.test_judging import a_job
from tests.signing import a_key
from tests.signing import trusted as trusted_as


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cronstream]:
    monkeypatch.setenv("CRONSTREAM_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield Cronstream("cronstream", **COMMON)
    settings.cache_clear()


def declared(app: Cronstream) -> tuple[set[str], set[str]]:
    return set(app.agents), set(app.tables)


def test_a_scheduler_reads_ticks_and_shows_what_it_fires(app: Cronstream) -> None:
    app.configure_for(Role.of(None, retry=False))

    assert isinstance(app.duty, SchedulerDuty)
    assert declared(app) == ({"cronstream.ticks", "cronstream.chains"}, {"cursors", "jobs"})
    assert (app.conf.id, app.duty.subject.topic) == ("cronstream-scheduler", "cronstream.ticks")


@pytest.mark.parametrize("retry", [False, True])
def test_a_worker_reads_the_log_of_its_role_and_shows_its_runs(
    app: Cronstream, retry: bool
) -> None:
    role = Role.of("a", retry=retry)
    app.configure_for(role)

    assert isinstance(app.duty, WorkerDuty)
    assert declared(app) == ({NAMES.log_of(role)}, {"ledgers", "runs"})
    assert app.duty.subject.topic == NAMES.log_of(role)


def test_slots_that_are_given_to_a_worker_are_what_it_claims_for(app: Cronstream) -> None:
    app.configure_for(Role.of("a", retry=False), slots=3)

    assert isinstance(app.duty, WorkerDuty)
    assert app.duty.worker.member.timing.slots == 3
    assert app.duty.peer.news()["slots"] == 3


async def test_each_duty_takes_of_an_assignment_what_its_topic_has(app: Cronstream) -> None:
    app.configure_for(Role.of(None, retry=False))
    assert isinstance(app.duty, SchedulerDuty)
    own = app.duty.subject.topic

    app.duty.assigned({TP(own, 0), TP("cronstream.jobs", 0), TP("cronstream.a", 5)})
    taken = app.duty.scheduler.firing.shards
    app.duty.revoked()

    assert (taken, app.duty.scheduler.firing.shards) == (frozenset({0}), frozenset())


def test_a_scheduler_that_has_no_key_does_not_begin_where_all_has_to_be_signed(
    app: Cronstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted"
    trusted.touch()
    monkeypatch.setenv("CRONSTREAM_TRUSTED_KEYS", str(trusted))
    monkeypatch.setenv("CRONSTREAM_SIGNATURES", "require")
    settings.cache_clear()

    with pytest.raises(KeysError, match=r"a scheduler .* needs CRONSTREAM_SIGNING_KEY"):
        app.configure_for(Role.of(None, retry=False))


def test_a_scheduler_doubts_what_it_signs_by_a_key_that_it_does_not_trust(
    app: Cronstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted, key = tmp_path / "trusted", tmp_path / "key"
    trusted.write_text(trusted_as(a_key(1)).line())
    new_key(key)
    monkeypatch.setenv("CRONSTREAM_TRUSTED_KEYS", str(trusted))
    monkeypatch.setenv("CRONSTREAM_SIGNATURES", "require")
    monkeypatch.setenv("CRONSTREAM_SIGNING_KEY", str(key))
    settings.cache_clear()
    app.configure_for(Role.of(None, retry=False))

    assert isinstance(app.duty, SchedulerDuty)
    assert app.duty.scheduler.doubt(a_job()) == "it is not signed"
    app.duty.peer._signer.heed([])  # Nobody is there who does not trust it.
    assert "is not among the trusted ones" in app.duty.scheduler.doubt(a_job())
