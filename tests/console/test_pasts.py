"""The revisions of jobs: who has changed what, and when."""

from contextlib import suppress

from cronstream.console.pasts import Pasts
from cronstream.core.crontab.revisions import Kind
from cronstream.core.wire.runs import Job
from tests.builders import NAMES, at
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.console.readers import EndingReader, OverError


def a_job(name: str, second: float, **fields: object) -> Job:
    values = {"schedule": "@daily", "timezone": "UTC", "command": "true", **fields}
    return Job(name=name, cluster="cluster-a", effective_from=at(second), **values)  # type: ignore[arg-type]


async def _read(broker: FakeBroker, pasts: Pasts) -> Pasts:
    with suppress(OverError):
        await pasts.follow(EndingReader(broker, at_once=2))
    return pasts


def a_broker() -> FakeBroker:
    broker = FakeBroker("cluster-a")
    broker.create(NAMES.jobs, PARTITIONS)
    for n, name in enumerate(("backup", "report", "mail")):
        broker.job(a_job(name, n), at(n))
    broker.job(a_job("backup", 60, max_attempts=3, by="node1.s1 abc"), at(60))
    broker.job(a_job("mail", 70, removed=True), at(70))
    return broker


async def test_each_revision_is_there_with_what_it_changes_the_newest_first() -> None:
    pasts = await _read(a_broker(), Pasts())
    kinds = [(edit.job.name, edit.kind) for edit in pasts.of(None, 9)]
    assert kinds[:2] == [("mail", Kind.REMOVED), ("backup", Kind.CHANGED)]
    assert sorted(kinds[2:]) == [(name, Kind.ADDED) for name in ("backup", "mail", "report")]
    [newest] = pasts.of("backup", 1)
    assert [str(one) for one in newest.differences] == ["max_attempts 1 → 3"]
    assert pasts.of("nothing", 9) == []
    assert pasts.gone_before is None


async def test_what_is_not_believed_and_what_is_gone_are_said_to_be() -> None:
    broker = a_broker()
    for partition in range(PARTITIONS):
        broker.delete_before(NAMES.jobs, partition, 1)
    pasts = await _read(broker, Pasts(lambda job: not job.removed))
    assert {edit.kind for edit in pasts.of("mail", 9)} <= {Kind.REFUSED, Kind.KNOWN}
    assert pasts.gone_before is not None


async def test_without_the_topic_nothing_is_known() -> None:
    assert (await _read(FakeBroker("cluster-a"), Pasts())).of(None, 9) == []
