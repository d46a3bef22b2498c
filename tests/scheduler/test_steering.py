"""What people ask of jobs is put into their definitions, by the scheduler whose turn it is."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import pytest

from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.wire.codec import encode
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.scheduler import following, foreign, news, standing_by
from cronstream.scheduler.health import SchedulerSubject
from cronstream.scheduler.steering import holds_from, log_asked
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, a_job, turns, until
from tests.scheduler.test_following import a_crontab, followed, published
from tests.signing import a_judge, a_key, trusted


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(following, "LOOK_S", 0.001)
    monkeypatch.setattr(news, "_FRESH_S", 0.0)  # Here no tick comes after what is put there.
    bench = Bench()
    bench.define(a_job())
    return bench


@asynccontextmanager
async def in_charge(bench: Bench) -> AsyncIterator[None]:
    """Let a scheduler that has shard 0, and hears its ticks, look at the topic meanwhile."""
    async with followed(bench):
        await bench.tick()
        yield


def a_pause(at_s: float = 0.0, **more: Any) -> Control:
    values = {"action": ControlAction.PAUSE, "cluster": "a", "by": "ada", "job": "backup"}
    return Control(**{**values, "at": at(at_s), **more})


def a_resume(at_s: float, **more: Any) -> Control:
    return a_pause(at_s, action=ControlAction.RESUME, **more)


def ask(bench: Bench, *controls: Control) -> None:
    """Put words where a command puts them: a job's on its partition, a cluster's on each."""
    shards = bench.settings.shards
    for control in controls:
        of = control.job
        places = range(shards) if of is None else [partition_of(of, shards)]
        for place in places:
            bench.broker.put(NAMES.jobs, place, encode(control))


async def looked() -> None:
    """Let the scheduler look some times."""
    for _ in range(5):
        await asyncio.sleep(0.005)
        await turns()


def words(bench: Bench) -> list[tuple[str, Control | None]]:
    return [(job.name, job.control) for job in published(bench)]


async def test_a_word_is_put_into_the_definition_once_without_any_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with in_charge(bench):
        ask(bench, a_pause(reason="disk full"))
        await until(lambda: published(bench))
        await looked()

    assert words(bench) == [("backup", a_pause(reason="disk full"))]
    assert "job backup is paused by ada since 2026-01-01T12:00:00Z (disk full)" in caplog.messages


async def test_of_two_words_in_one_go_the_last_is_put_in_force(bench: Bench) -> None:
    async with in_charge(bench):
        ask(bench, a_pause(), a_resume(1))
        await until(lambda: published(bench))
        await looked()

    assert words(bench) == [("backup", a_resume(1))]


async def test_nobody_is_blamed_for_a_pause_and_its_end_of_a_job_of_the_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    crontab = a_crontab(a_job())
    async with in_charge(bench):
        bench.files.put_nowait(crontab)
        await looked()
        ask(bench, a_pause())
        await until(lambda: published(bench))
        await looked()
        bench.scheduler.apply_again()
        await until(lambda: crontab.jobs[0].control is not None)
        bench.clock.passed += 10
        ask(bench, a_resume(12))
        await until(lambda: len(published(bench)) == 2)
        for _ in range(3):
            await bench.tick()
            await looked()

    assert words(bench) == [("backup", a_pause()), ("backup", a_resume(12))]
    assert "somebody else" not in caplog.text


async def test_nobody_is_blamed_for_a_pause_that_is_asked_between_two_looks_of_the_scheduler(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_early(_: object) -> None:
        """Look before the word is there."""

    monkeypatch.setattr(following.CrontabFollower, "_steer", too_early)
    crontab = a_crontab(a_job(), a_job("other"))
    bench.define(a_job("other"))
    async with in_charge(bench):
        bench.files.put_nowait(crontab)
        await looked()
        ask(bench, a_pause())
        for _ in range(3):
            await bench.tick()
            await looked()
        assert "somebody else" not in caplog.text
        bench.define(a_job("other", command="of another"))
        for _ in range(3):
            await bench.tick()
            await looked()
    [warned] = [text for text in caplog.messages if "somebody else" in text]
    assert "(other): the file is put in force again (1 changed)" in warned


async def test_whoever_stands_by_says_nothing_of_a_pause_and_its_end_of_a_job_of_its_file(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    bench.define(a_job(control=a_pause()))
    crontab = a_crontab(a_job())
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(crontab)
        await stood_by(bench)
        assert crontab.jobs[0].control == a_pause()
        ask(bench, a_resume(12))
        bench.define(a_job(control=a_resume(12)))
        await stood_by(bench)
        assert bench.scheduler.crontab_news["crontab_differs"] == []

    assert "differs" not in caplog.text


async def stood_by(bench: Bench) -> None:
    """Let a scheduler that stands by compare its file some times."""
    for _ in range(4):
        bench.clock.passed += standing_by.LOOK_S
        await looked()


async def test_a_word_on_a_cluster_is_about_each_job_of_it_and_no_other(bench: Bench) -> None:
    bench.define(a_job("other"), a_job("elsewhere", cluster="b"))
    async with in_charge(bench):
        ask(bench, a_pause(job=None))
        await until(lambda: len(published(bench)) == 2)
        await looked()

    assert sorted(name for name, _ in words(bench)) == ["backup", "other"]


async def test_a_job_that_is_paused_itself_stays_so_when_its_cluster_is_resumed(
    bench: Bench,
) -> None:
    bench.define(a_job("other"))
    async with in_charge(bench):
        ask(bench, a_pause(), a_pause(1, job=None, until=at(60)))
        await until(lambda: len(published(bench)) == 2)
        ask(bench, a_resume(2, job=None))
        await until(lambda: len(published(bench)) == 4)
        await looked()

    paused = a_pause(resumed_at=at(2))
    assert dict(words(bench)) == {"backup": paused, "other": a_resume(2, job=None)}
    assert len(words(bench)) == 4


async def test_a_job_that_is_resumed_while_its_cluster_is_paused_is_said_to_be_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with in_charge(bench):
        ask(bench, a_pause(job=None, until=at(60)))
        await until(lambda: published(bench))
        ask(bench, a_resume(2))
        await until(lambda: len(published(bench)) == 2)
        await looked()

    [_, (_, said)] = words(bench)
    assert said == a_pause(job=None, until=at(60), resumed_at=at(2))
    assert "job backup stays paused by ada since 2026-01-01T12:00:00Z until " in caplog.text


async def test_a_job_is_resumed_though_a_pause_of_its_cluster_had_ended_by_itself(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with in_charge(bench):
        ask(bench, a_pause(job=None, until=at(60)))
        await until(lambda: published(bench))
        ask(bench, a_resume(90))
        await until(lambda: len(published(bench)) == 2)
        await looked()

    assert words(bench)[-1] == ("backup", a_resume(90))
    assert "job backup goes on (ada)" in caplog.messages


async def test_a_word_on_a_job_that_is_not_there_does_nothing(bench: Bench) -> None:
    async with in_charge(bench):
        ask(bench, a_pause(job="stranger"), a_pause(cluster="b"))
        await looked()

    assert published(bench) == []


async def test_whoever_has_not_the_turn_puts_nothing_in_force(bench: Bench) -> None:
    async with in_charge(bench):
        bench.scheduler.assigned({1})
        ask(bench, a_pause())
        await looked()

    assert published(bench) == []


@pytest.mark.parametrize("how", ["unsigned", "changed", "another cause", "a stranger's"])
async def test_a_word_that_is_not_signed_as_it_should_be_counts_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    key, schedule = a_key(1), a_key(2)
    judge = a_judge(trusted(key, "control"), trusted(schedule, "schedule"), requires=True)
    bench.define(schedule.sign(a_job()))
    bench.scheduler.jobs.judge = judge.judge
    good = key.sign(a_pause())
    bad = {
        "unsigned": a_pause(),
        "changed": good.derive(until=at(60)),
        "another cause": schedule.sign(a_pause()),
        "a stranger's": a_key(3).sign(a_pause()),
    }[how]
    async with in_charge(bench):
        ask(bench, bad)
        await looked()
        assert published(bench) == []
        ask(bench, good)
        await until(lambda: published(bench))

    assert [m for m in caplog.messages if "what ada asks of backup on" in m]


async def test_a_scheduler_puts_nothing_in_force_that_would_not_count(bench: Bench) -> None:
    doubt = "it is not signed"
    bench.scheduler.doubt = lambda _: doubt
    async with in_charge(bench):
        ask(bench, a_pause())
        await looked()
        assert published(bench) == []
        doubt = ""
        await until(lambda: published(bench))


async def test_health_says_which_jobs_of_its_shards_are_paused(bench: Bench) -> None:
    subject = SchedulerSubject(bench.scheduler, cast("Any", None), bench.settings)
    async with in_charge(bench):
        ask(bench, a_pause())
        await until(lambda: published(bench))
        await bench.tick()

        assert subject.pauses() == ["job backup is paused by ada since 2026-01-01T12:00:00Z"]


def test_no_more_than_twenty_jobs_are_named_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_asked(a_job(f"job{n}", control=a_pause(job=None)) for n in range(30))

    assert (len(caplog.messages), caplog.messages[-1]) == (21, "and so are more")


def test_a_job_that_left_a_paused_cluster_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_asked([a_job()])

    assert caplog.messages == ["job backup goes on (its cluster)"]


@pytest.mark.parametrize(
    ("job", "since"),
    [
        (a_job(), at(0)),
        (a_job(control=a_resume(0)), at(0)),
        (a_job(control=a_pause()), at(35)),
        (a_job(control=a_pause(-60, until=at(1))), at(35)),
        (a_job(control=a_pause(-60, until=at(-1))), at(0)),
        (a_job(enabled=False), at(35)),
        (a_job(enabled=False, removed=True), at(0)),
    ],
)
def test_only_what_pauses_a_job_holds_from_beyond_what_is_published(
    job: Job, since: datetime
) -> None:
    assert holds_from(job, at(0), 30.0) == since


async def test_jobs_are_looked_through_only_when_something_has_come(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    look = foreign.in_force_of

    def counted(known: JobsKnown) -> Sequence[Job]:
        looks.append(known)
        return look(known)

    monkeypatch.setattr(foreign, "in_force_of", counted)
    async with in_charge(bench):
        ask(bench, a_pause())
        await until(lambda: len(published(bench)) == 1)
        await looked()
        before = len(looks)
        await looked()
        assert len(looks) == before > 0
        ask(bench, a_resume(1))
        await until(lambda: len(published(bench)) == 2)
        assert len(looks) > before
