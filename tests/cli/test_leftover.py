"""What ``up`` keeps of clusters that were taken out of the crontab."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cronstream.cli import leftover
from cronstream.cli.leftover import Wanted, unfinished
from cronstream.core.wire.entries import Claimed, Finished, Level, Started, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError
from cronstream.supervisor import parts
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import a_job
from tests.cli.fake_broker import PARTITIONS, FakeBroker, FakeReader

CRONTAB = "version: 1\nclusters: [{}]\njobs: []\n"


async def test_only_runs_without_a_verdict_of_clusters_that_nobody_names_count() -> None:
    broker = FakeBroker("kept", "gone", "done")
    for cluster in ("kept", "gone", "done"):
        word = Withdrawal(job="backup", revision=0, effective_from=at(0))
        broker.log("backup", Level(level=2, version="1"), word, when=at(0), cluster=cluster)
        run = a_run(job="backup", cluster=cluster, scheduled_at=at(60), revision=0)
        version = broker.log("backup", run, when=at(30), cluster=cluster)
        if cluster == "done":
            named: dict[str, Any] = {"run": run.id, "worker": "w1.1"}
            claimed = Claimed(version=version, number=1, **named)
            started = Started(claim=version, started_at=at(60), **named)
            ended = Finished(
                claim=version,
                outcome=Outcome.SUCCEEDED,
                started_at=at(60),
                ended_at=at(61),
                **named,
            )
            broker.log("backup", claimed, when=at(31), cluster=cluster)
            broker.log("backup", started, ended, when=at(61), cluster=cluster)
    broker.create(NAMES.ticks, PARTITIONS)

    assert await unfinished(FakeReader(broker), ["kept"]) == {"gone": 1}


async def test_a_cluster_whose_jobs_are_in_force_is_kept_for_its_crontab_may_be_held_back() -> None:
    broker = FakeBroker("kept", "gone", "held")
    broker.create(NAMES.jobs, PARTITIONS)
    broker.job(a_job("one", cluster="held"), at(0))
    broker.job(a_job("two", cluster="gone"), at(0))
    broker.job(a_job("two", cluster="gone", removed=True), at(1))
    broker.job(a_job("three", cluster="kept"), at(0))

    assert await unfinished(FakeReader(broker), ["kept"]) == {"held": 0}
    assert await unfinished(FakeReader(broker), ["elsewhere"]) == {}, "another installation's"


class Kafka:
    """Says how many runs are left, and is away at times."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.is_away = False

    async def look(self, named: Iterable[str]) -> dict[str, int]:
        if self.is_away:
            raise BrokerError("no answer")
        return {name: runs for name, runs in self.left.items() if name not in named}


async def test_workers_go_on_until_the_runs_of_their_cluster_have_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftover, "LOOK_S", 0.01)
    path, kafka, said = tmp_path / "crontab.yaml", Kafka(), list[str]()
    path.write_text(CRONTAB.format("a, b"))
    kafka.left, kafka.is_away = {"old": 1, "b": 2}, True
    seen: list[tuple[Role, ...]] = []

    async with aclosing(Wanted(path, kafka.look, said.append).roles()) as roles:

        async def until(*clusters: str) -> None:
            async with asyncio.timeout(20):
                async for found in roles:
                    seen.append(found)
                    if found == parts(clusters):
                        return

        await until("a", "b")  # Kafka is not there yet.
        kafka.is_away = False
        await until("a", "b", "old")
        kafka.left.pop("old")
        await until("a", "b")
        kafka.is_away = True
        path.write_text(CRONTAB.format("a"))
        await until("a", "b")
        kafka.is_away = False
        while len(said) < 2:
            await until("a", "b")
        kafka.left.clear()
        await until("a")

    assert all(Role.of("b", retry=True) in found for found in seen[:-1])
    assert said == [
        f"{name} is not in the crontab, and runs of it have no verdict ({runs}): its workers go on "
        "until they have"
        for name, runs in (("old", 1), ("b", 2))
    ]
