"""A crontab that would take out much of what is in force is held back until it means it."""

import logging
from dataclasses import replace

import pytest

from cronstream.core.crontab.change import compare
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.removals import unmeant_removal
from cronstream.scheduler import following
from tests.scheduler.fakes import Bench, a_job, until
from tests.scheduler.test_following import a_crontab, followed, published

FIVE = [a_job(name) for name in "abcde"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    bench = Bench()
    bench.define(*FIVE)
    return bench


def mark_of(crontab: Crontab) -> str:
    removal = unmeant_removal(FIVE, compare(FIVE, crontab.jobs), "")
    assert removal is not None
    return removal.mark


def reloads(bench: Bench, result: str) -> float | None:
    return bench.metrics.registry.get_sample_value(
        "cronstream_crontab_reloads_total", {"result": result}
    )


async def test_what_lacks_most_jobs_is_held_back_as_a_whole_and_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    half = a_crontab(a_job("a"), a_job("b", "@every 9s"), a_job("new", cluster="b"))
    async with followed(bench):
        for times in (1, 2):
            bench.files.put_nowait(half)
            await until(lambda: reloads(bench, "success") == times)  # noqa: B023 - used at once
            await until(lambda: bench.scheduler.held_back)
        assert "3 of the 5 jobs in force (c, d, e)" in bench.scheduler.held_back
        assert f"'allow_removals: {mark_of(half)}'" in bench.scheduler.held_back
        assert bench.counts.is_held_back
        bench.scheduler.assigned(set())
        assert bench.scheduler.held_back == ""
        await until(lambda: not bench.counts.is_held_back)
    assert (published(bench), bench.declared) == ([], [])
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1
    assert (reloads(bench, "held_back"), bench.counts.is_valid) == (1, True)
    assert bench.scheduler.held_back == "", "nothing is followed any more"


async def test_a_file_that_means_just_that_removal_is_put_in_force(bench: Bench) -> None:
    almost, half = a_crontab(a_job("a")), a_crontab(a_job("a"), a_job("b"))
    async with followed(bench):
        bench.files.put_nowait(replace(half, allow_removals=mark_of(almost)))
        await until(lambda: bench.scheduler.held_back)
        bench.files.put_nowait(replace(half, allow_removals=mark_of(half)))
        await until(lambda: len(published(bench)) == 3)
        await until(lambda: not bench.scheduler.held_back)
    assert {job.name for job in published(bench) if job.removed} == set("cde")
    assert not bench.counts.is_held_back


async def test_a_file_that_is_mended_is_put_in_force_and_what_it_held_back_with_it(
    bench: Bench,
) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("a"), a_job("x", cluster="b")))
        await until(lambda: "4 of the 5 jobs" in bench.scheduler.held_back)
        bench.files.put_nowait(a_crontab(*FIVE[:4], a_job("new")))
        await until(lambda: len(published(bench)) == 2)
        await until(lambda: not bench.scheduler.held_back)
    assert {job.name: job.removed for job in published(bench)} == {"e": True, "new": False}


async def test_who_adopts_replaces_all_that_is_in_force_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    bench = Bench(adopt=True)
    bench.define(*FIVE)
    mine = [a_job(f"mine-{name}") for name in "abcd"]
    async with followed(bench):
        bench.files.put_nowait(a_crontab(*mine))
        await until(lambda: len(published(bench)) == 9)
        bench.files.put_nowait(a_crontab(mine[0]))
        await until(lambda: bench.scheduler.held_back)
    assert len(published(bench)) == 9


async def test_a_file_that_is_held_back_is_no_reason_to_say_that_others_put_jobs_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "LOOK_S", 0.001)
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("a")))
        await until(lambda: bench.scheduler.held_back)
        for _ in range(5):
            reads = bench.readers[0].reads
            bench.define(a_job("a"))
            bench.scheduler.apply_again()
            await until(lambda: bench.readers[0].reads > reads)  # noqa: B023 - used at once
    assert "somebody else" not in caplog.text


async def test_what_an_edit_means_for_due_times_is_logged_where_jobs_were_in_force(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    edited = [*FIVE[:4], a_job("e", "@daily"), a_job("f", "@hourly")]
    async with followed(bench):
        bench.files.put_nowait(a_crontab(*edited))
        await until(lambda: "due times of the next 24 h" in caplog.text)
    assert "crontab.yaml: due times of the next 24 h: 24 added, 8639 removed" in caplog.messages


async def test_of_a_first_crontab_nothing_is_said_of_due_times(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    caplog.set_level(logging.INFO)
    bench = Bench()
    async with followed(bench):
        bench.files.put_nowait(a_crontab(*FIVE))
        await until(lambda: bench.memory.known)
        bench.files.put_nowait(a_crontab(*FIVE, a_job("f", "@hourly")))
        await until(lambda: caplog.text.count("due times") == 1)
    assert "24 added" in caplog.text
