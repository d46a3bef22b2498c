"""The crontab's way to the ``jobs`` topic."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream.core.crontab.change import Change, compare
from cronstream.core.crontab.clusters import Cluster
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import PartlyGoodError
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.installation import Installation
from cronstream.core.wire.runs import Job
from cronstream.errors import BrokerError, CrontabError, Place, Problem, TopologyError
from cronstream.scheduler import (
    Scheduler,
    firing,
    following,
    learning,
    putting,
    scheduler,
    standing_by,
)
from cronstream.scheduler.firing import Firing
from cronstream.scheduler.foreign import ForeignJobs
from cronstream.scheduler.recalling import Recollection
from cronstream.topology import jobs
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, FakeReader, a_job, turns, until


def a_crontab(*jobs: Job) -> Crontab:
    clusters = tuple(Cluster(name) for name in dict.fromkeys(job.cluster for job in jobs))
    return Crontab(clusters, tuple(job.derive(effective_from=None) for job in jobs))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    return Bench()


@asynccontextmanager
async def followed(bench: Bench, scheduler: Scheduler | None = None) -> AsyncIterator[None]:
    """Let a scheduler that has shard 0, and a measured clock, follow the file meanwhile."""
    scheduler = scheduler or bench.scheduler
    scheduler.assigned({0})
    await scheduler.tick()
    task = asyncio.create_task(scheduler.follow_crontab(asyncio.Event()))
    await turns()
    try:
        yield
    finally:
        bench.files.put_nowait(None)
        with contextlib.suppress(asyncio.CancelledError):
            await task


def published(bench: Bench) -> list[Job]:
    return [m for m in bench.broker.on(NAMES.jobs) if isinstance(m, Job)]


async def until_published(bench: Bench, count: int) -> None:
    await until(lambda: len(published(bench)) == count)


async def test_a_crontab_is_put_on_the_topic_with_one_moment_for_all(bench: Bench) -> None:
    bench.clock.passed = 5
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job(), a_job("other", cluster="b")))
        await until(lambda: len(published(bench)) == 2)
    assert [(job.name, job.effective_from) for job in published(bench)] == [
        ("backup", at(5)),
        ("other", at(5)),
    ]
    assert {job.by for job in published(bench)} == {None}


async def test_what_is_published_of_a_job_is_the_one_of_the_file_and_not_a_copy(
    bench: Bench,
) -> None:
    crontab = a_crontab(a_job())
    async with followed(bench):
        bench.files.put_nowait(crontab)
        await until(lambda: published(bench))
    assert published(bench)[0] is crontab.jobs[0]


async def test_a_job_that_could_not_be_put_on_the_topic_holds_from_when_it_could(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    bench.broker.too_large = {"Job"}
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await turns()
        assert published(bench) == []
        bench.broker.too_large, bench.clock.passed = set(), 7
        await until(lambda: published(bench))
    assert [job.effective_from for job in published(bench)] == [at(7)]


async def test_a_job_that_comes_back_with_the_same_file_leaves_what_was_in_force_as_it_was(
    bench: Bench,
) -> None:
    other = a_job("other")
    crontab = a_crontab(a_job(), other)
    async with followed(bench):
        for passed, file in enumerate((crontab, a_crontab(other), crontab)):
            bench.clock.passed = passed
            bench.files.put_nowait(file)
            await until_published(bench, 2 + passed)
    seen = [(j.effective_from, j.removed) for j in published(bench) if j.name == "backup"]
    assert seen == [(at(0), False), (at(1), True), (at(2), False)]


async def test_a_definition_says_which_scheduler_has_put_it_there_and_of_which_file(
    bench: Bench,
) -> None:
    bench.scheduler.name = "node7.c0326647"
    async with followed(bench):
        bench.files.put_nowait(replace(a_crontab(a_job()), digest="3f9a12c4d5e6"))
        await until(lambda: published(bench))
    assert published(bench)[0].by == "node7.c0326647 3f9a12c4d5e6"


async def test_the_file_is_read_once_what_is_in_force_was_however_long_that_takes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_READ_FIRST_S", 0.0)
    monkeypatch.setattr(jobs, "TURN", 1)  # So it takes a while, and gets on all the time.
    bench.define(*(a_job(f"job-{number}") for number in range(100)))
    known = bench.scheduler.jobs.known.of[0]
    async with followed(bench):
        await until(lambda: bench.has_watched)
        assert known.position == 100


async def test_the_topics_of_its_clusters_are_declared_before(bench: Bench) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job(cluster="b")))
        await until(lambda: published(bench))
    assert bench.declared == ["cronstream.b", "cronstream.b.retry", "cronstream.b.discarded"]


async def test_only_what_differs_is_published_and_each_change_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job("same"), a_job("edited"), a_job("gone"))
    crontab = a_crontab(a_job("same"), a_job("edited", "@every 5s"), a_job("new"))
    async with followed(bench):
        bench.files.put_nowait(crontab)
        await until(lambda: len(published(bench)) == 3)
        await until(lambda: any("in all" in m for m in caplog.messages))
    assert {job.name: job.removed for job in published(bench)} == {
        "new": False,
        "edited": False,
        "gone": True,
    }
    said = "crontab.yaml: jobs 1 added, 1 changed, 1 removed; 3 in all"
    at_line = caplog.messages.index(said)
    assert len([m for m in caplog.messages[at_line + 1 :] if m]) >= 3


async def test_an_unchanged_file_publishes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with followed(bench):
        for count in (1, 2):
            bench.files.put_nowait(a_crontab(a_job()))
            await until(lambda: caplog.text.count("crontab.yaml:") == count)  # noqa: B023 - used at once
    assert len(published(bench)) == 1
    assert "crontab.yaml: 1 jobs, nothing changed" in caplog.messages


async def test_a_broken_file_is_told_with_every_problem_and_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await until(lambda: published(bench))
        problems = [Problem("one", Place(3, 1)), Problem("two")]
        bench.files.put_nowait(CrontabError("crontab.yaml", problems))
        await turns()
        assert bench.scheduler.crontab_news["crontab_problems"] == [str(one) for one in problems]
        await until(lambda: "stays in force" in caplog.text)
    assert len(published(bench)) == 1
    assert "crontab.yaml: line 3, column 1: one" in caplog.messages
    assert "crontab.yaml: two" in caplog.messages


async def test_a_job_says_where_it_stood_and_one_whose_line_has_moved_is_no_new_revision(
    bench: Bench,
) -> None:
    def written(line: int) -> Crontab:
        return replace(a_crontab(a_job()), places={"backup": Place(line, 5)})

    async with followed(bench):
        bench.files.put_nowait(written(7))
        await until(lambda: published(bench))
        bench.files.put_nowait(written(8))
        await turns()
        changed = a_job("report")
        other = a_crontab(a_job(), changed)
        parts = {"": written(8), "/srv/teams/b.yaml": replace(a_crontab(changed), places={})}
        parts["/srv/teams/b.yaml"] = replace(
            parts["/srv/teams/b.yaml"], places={"report": Place(3, 5)}
        )
        bench.files.put_nowait(replace(other, parts=parts))
        await until(lambda: len(published(bench)) == 2)
    first, second = published(bench)
    assert (first.name, first.file, first.line) == ("backup", "crontab.yaml", 7)
    assert (second.name, second.line) == ("report", 3)
    assert second.file is not None
    assert second.file.endswith("teams/b.yaml")


def partly_good(*jobs: Job, is_partial: bool) -> PartlyGoodError:
    problems = [Problem("wrong", Place(3, 1), file="teams/b.yaml")]
    crontab = replace(a_crontab(*jobs), is_partial=is_partial, digest="3f9a12c4d5e6")
    return PartlyGoodError("crontab.yaml", problems, crontab)


async def test_where_a_file_that_it_includes_is_broken_all_else_is_put_in_force(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job("kept"), a_job("gone"))
    async with followed(bench):
        bench.files.put_nowait(partly_good(a_job("kept"), a_job("new"), is_partial=False))
        await until(lambda: len(published(bench)) == 2)
    assert {job.name: job.removed for job in published(bench)} == {"new": False, "gone": True}
    assert "crontab.yaml: teams/b.yaml: line 3, column 1: wrong" in caplog.messages
    assert (
        "crontab.yaml: teams/b.yaml: the jobs of these files stay as they were, and all else is "
        "put in force"
    ) in caplog.messages
    assert bench.scheduler.digest == "3f9a12c4d5e6"
    assert bench.scheduler._world.counts.is_valid is False


async def test_where_nothing_is_known_of_a_broken_file_no_job_is_removed(bench: Bench) -> None:
    bench.define(a_job("may-be-its"), a_job("known"))
    async with followed(bench):
        bench.files.put_nowait(partly_good(a_job("known"), a_job("new"), is_partial=True))
        await until(lambda: published(bench))
        bench.scheduler.apply_again()
        await turns()
        names = ("known", "new", "may-be-its", "last")
        bench.files.put_nowait(a_crontab(*map(a_job, names)))
        await until(lambda: len(published(bench)) == 2)
    assert [(job.name, job.removed) for job in published(bench)] == [
        ("new", False),
        ("last", False),
    ]


async def test_a_first_start_without_a_good_file_waits_and_removes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    async with followed(bench):
        bench.files.put_nowait(CrontabError("crontab.yaml", [Problem("there is no such file")]))
        await until(lambda: "waiting for a good one" in caplog.text)
    assert published(bench) == []


async def test_the_crontab_is_put_in_force_when_shard_0_comes_here(bench: Bench) -> None:
    async with followed(bench):
        bench.scheduler.assigned({1})
        bench.files.put_nowait(a_crontab(a_job()))
        await turns()
        assert published(bench) == []
        bench.scheduler.assigned({0, 1})
        await until(lambda: published(bench))


async def test_what_another_scheduler_has_published_meanwhile_is_compared_with(
    bench: Bench,
) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await until(lambda: published(bench))
        bench.scheduler.assigned(set())
        bench.define(a_job(schedule="@every 99s", effective_from=at(2)))
        bench.scheduler.assigned({0})
        await until(lambda: len(published(bench)) == 2)
    assert published(bench)[-1].schedule == "@every 10s"


async def test_nothing_is_put_in_force_by_a_clock_that_has_not_been_measured(
    bench: Bench,
) -> None:
    bench.broker.held = True
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await turns()
        assert published(bench) == []
        bench.broker.release()
        await until(lambda: published(bench))


async def test_a_broker_that_fails_is_told_once_and_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(bench):
        bench.readers[0].failing = [KafkaConnectionError(), KafkaConnectionError()]
        bench.files.put_nowait(a_crontab(a_job()))
        await until(lambda: published(bench))
    assert len([m for m in caplog.messages if "is not in force yet" in m]) == 1


async def test_topics_that_are_wrong_hold_up_the_jobs_of_their_cluster_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "HELD_UP_S", 0.0)
    bench.define(a_job("edited"), a_job("same", cluster="b"))
    bench.wrong["cronstream.a"] = TopologyError("topic cronstream.a takes too little: give it more")
    async with followed(bench):
        edits = a_job("edited", "@every 5s"), a_job("new"), a_job("other", cluster="b")
        bench.files.put_nowait(a_crontab(*edits, a_job("same", cluster="b")))
        await until(lambda: bench.scheduler.set_aside)
        held_up = [job.name for job in published(bench)]
        [sentence] = bench.scheduler.set_aside
        del bench.wrong["cronstream.a"]
        await until(lambda: len(published(bench)) == 3)
        await until(lambda: not bench.scheduler.set_aside)

    assert held_up == ["other"]
    assert sentence == (
        "crontab.yaml: cluster a is held up, and 2 edits of its jobs with it; all else is in force "
        "(topic cronstream.a takes too little: give it more)"
    )
    assert caplog.messages.count(sentence) == 1
    assert {job.name for job in published(bench)} == {"other", "edited", "new"}


async def test_an_edit_is_taken_at_once_while_a_cluster_is_held_up(bench: Bench) -> None:
    bench.wrong["cronstream.a"] = BrokerError("topic cronstream.a cannot be created")
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job(), a_job("one", cluster="b")))
        await until(lambda: published(bench))
        await turns()
        bench.files.put_nowait(a_crontab(a_job(), a_job("two", cluster="b")))
        await until(lambda: len(published(bench)) == 3)

    assert [(job.name, job.removed) for job in published(bench)[1:]] == [
        ("two", False),
        ("one", True),
    ]


async def test_jobs_go_to_the_partition_of_their_name() -> None:
    bench = Bench(shards=4)
    names = [f"job-{n}" for n in range(12)]
    async with followed(bench):
        bench.files.put_nowait(a_crontab(*(a_job(name) for name in names)))
        await until(lambda: len(published(bench)) == 12)
    used = {p for (topic, p), log in bench.broker.topics.items() if topic == NAMES.jobs and log}
    assert len(used) > 1
    assert used <= {0, 1, 2, 3}


async def test_the_readers_are_closed_at_the_end(bench: Bench) -> None:
    async with followed(bench):
        pass
    assert not bench.readers[0].is_open


def _has_looked(reader: FakeReader, times: int) -> bool:
    return reader.looks > times


async def _look_around(bench: Bench, times: int) -> None:
    """Let a scheduler that stands by look so often, and wait for all looks but the last."""
    reader = bench.readers[0]
    for look in range(reader.looks, reader.looks + times):
        bench.clock.passed += standing_by.LOOK_S
        await until(partial(_has_looked, reader, look))


async def test_a_scheduler_that_stands_by_says_once_that_its_file_is_not_in_force(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job("in-force"))
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job("elsewhere")))
        await _look_around(bench, 4)
    warned = [r.getMessage() for r in caplog.records if "differs from the crontab" in r.message]
    assert [text.partition(", which")[0] for text in warned] == [
        "crontab.yaml differs from the crontab in force (1 added, 1 removed)"
    ]
    assert published(bench) == []


async def test_a_scheduler_announces_what_would_change_with_its_file_while_it_stands_by(
    bench: Bench,
) -> None:
    def announced() -> list[str] | None:
        found: list[str] | None = bench.scheduler.crontab_news["crontab_differs"]
        return found

    bench.define(a_job("gone"), a_job("kept"))
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job("kept", env={"KEY": "secret"}), a_job("new")))
        assert announced() is None
        await _look_around(bench, 3)
        assert announced() == [
            "job new added (a, @every 10s)",
            "job gone removed",
            "job kept: env changed (KEY)",
        ]
        bench.files.put_nowait(a_crontab(a_job("gone"), a_job("kept")))
        await turns()
        await _look_around(bench, 3)
        assert announced() == []
        bench.scheduler.assigned({0})
        bench.files.put_nowait(a_crontab(a_job("gone"), a_job("kept"), a_job("new")))
        await until(lambda: published(bench))
        assert announced() is None


async def test_a_scheduler_that_stands_by_with_the_same_file_says_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job()))
        await _look_around(bench, 4)
    assert "differs" not in caplog.text


async def test_a_scheduler_that_stands_by_compares_only_what_is_new(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def counted(old: list[Job], new: tuple[Job, ...]) -> Change:
        compared.append(new)
        return compare(old, new)

    monkeypatch.setattr(standing_by, "compare", counted)
    bench.define(a_job())
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job()))
        await _look_around(bench, 4)
        assert len(compared) == 1
        bench.files.put_nowait(a_crontab(a_job("new")))
        await turns()
        await _look_around(bench, 4)
        assert len(compared) == 2


@pytest.mark.parametrize("many", [1, 2])
async def test_a_scheduler_that_stands_by_gives_back_what_reading_many_jobs_took(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    given_back = list[bool]()
    monkeypatch.setattr(standing_by, "give_memory_back", lambda: given_back.append(True))
    monkeypatch.setattr(standing_by, "_MANY", many)
    bench.define(a_job())
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job()))
        await _look_around(bench, 4)
    assert given_back == ([True] if many == 1 else [])


async def test_a_job_that_is_in_force_is_kept_once(bench: Bench) -> None:
    crontab = a_crontab(a_job(), a_job("other"))
    async with followed(bench):
        bench.files.put_nowait(crontab)
        await until(lambda: len(published(bench)) == 2)
        bench.scheduler.apply_again()
        known = bench.scheduler.jobs.known
        await until(lambda: all(any(job is j for j in known.jobs) for job in crontab.jobs))


async def test_shards_wait_while_their_scheduler_puts_very_many_jobs_in_force(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(putting, "_MANY", 3)
    waits = bench.scheduler.firing.learning.waits
    assert not waits()
    async with followed(bench):
        waits = bench.scheduler.firing.learning.waits
        bench.broker.held = True
        bench.files.put_nowait(a_crontab(*(a_job(f"job-{n}") for n in range(3))))
        await until(lambda: len(published(bench)) == 3)
        assert waits()
        bench.broker.release()
        await until(lambda: not waits())
        bench.scheduler.firing.learning.waits = lambda: True
    assert not bench.scheduler.firing.learning.waits(), "it puts nothing any more"


async def test_memory_is_given_back_once_the_shards_are_through_with_what_was_put_in_force(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back, asked, whole = list[bool](), list[bool](), Firing.has_all_in_force

    def is_whole(firing: Firing) -> bool:
        asked.append(whole(firing))
        return asked[-1]

    monkeypatch.setattr(Firing, "has_all_in_force", is_whole)
    monkeypatch.setattr(following, "give_memory_back", lambda: given_back.append(True))
    monkeypatch.setattr(following, "LOOK_S", 0.01)
    monkeypatch.setattr(learning, "PART", 2)
    monkeypatch.setattr(firing, "GO_ON_S", -1.0)
    async with followed(bench):
        await bench.fire()
        bench.files.put_nowait(a_crontab(*(a_job(f"job-{n}") for n in range(3))))
        await until(lambda: len(published(bench)) == 3)
        await bench.tick()
        asked.clear()
        await until(lambda: asked)
        assert not any(asked), "one job is not in force yet"
        assert not given_back
        await bench.tick()
        await until(lambda: any(asked))
        assert not given_back, "its own edits are news to this look"
        await until(lambda: given_back)
        assert asked.count(True) == 1


async def test_the_file_that_is_in_force_is_noted_and_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, entered, may_go_on = list[str](), asyncio.Event(), asyncio.Event()
    differ = ForeignJobs.differ

    async def note(_: Recollection, crontab: Crontab, __: object) -> None:
        noted.append(crontab.digest)

    async def slowly(others: ForeignJobs, crontab: Crontab) -> bool:
        found = await differ(others, crontab)
        entered.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(Recollection, "note", note)
    monkeypatch.setattr(ForeignJobs, "differ", slowly)
    monkeypatch.setattr(following, "LOOK_S", 0.01)
    async with followed(bench):
        bench.files.put_nowait(replace(a_crontab(a_job()), digest="first"))
        await until(lambda: len(published(bench)) == 1)
        await bench.tick()
        entered.clear()
        await entered.wait()
        bench.files.put_nowait(replace(a_crontab(a_job(), a_job("other")), digest="second"))
        await turns()
        may_go_on.set()
        await until(lambda: len(published(bench)) == 2)
        await bench.tick()
        await until(lambda: noted)
        bench.files.put_nowait(
            PartlyGoodError(
                "crontab.yaml", [Problem("wrong")], a_crontab(a_job("third"), a_job("other"))
            )
        )
        await until(lambda: "third" in {job.name for job in published(bench)})
        await bench.tick()
        await asyncio.sleep(0.2)  # Some looks: nothing is to come of them.
    assert noted == ["second"]


async def test_nothing_is_in_force_before_a_shard_has_published_by_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, known = bench.scheduler.firing, bench.scheduler.jobs
    bench.scheduler.assigned({0})
    bench.define(a_job())
    await bench.tick()
    await known.read_on()
    assert shards.has_all_in_force()
    bench.define(a_job("backup", "@every 20s", effective_from=at(1)))
    await known.read_on()
    assert not shards.has_all_in_force()
    monkeypatch.setattr(firing, "LIMIT_S", 0.1)
    bench.broker.held = True
    await bench.tick()
    assert not shards.has_all_in_force(), "the log has not heard of it"
    bench.broker.release()
    await bench.tick()
    assert shards.has_all_in_force()


async def test_a_scheduler_that_has_not_heard_whose_turn_it_is_says_nothing_of_its_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job("in-force"))
    async with followed(bench):
        bench.scheduler.revoked()
        bench.files.put_nowait(a_crontab(a_job("elsewhere")))
        for _ in range(4):
            bench.clock.passed += standing_by.LOOK_S
            await turns()
    assert "differs" not in caplog.text
    assert bench.readers[0].looks == 1  # Before it has looked at the file.


async def test_whatever_happens_to_a_scheduler_that_stands_by_it_applies_when_its_turn_comes(
    bench: Bench,
) -> None:
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.readers[0].failing += [BrokerError("no answer"), RuntimeError("seen by nobody yet")]
        bench.files.put_nowait(a_crontab(a_job()))
        await _look_around(bench, 3)
        bench.scheduler.assigned({0})
        await until(lambda: published(bench))


# -- two installations on one Kafka ---------------------------------------------------------------


def ids(bench: Bench) -> list[str]:
    return [m.id for m in bench.broker.on(NAMES.jobs) if isinstance(m, Installation)]


async def test_the_first_scheduler_gives_the_installation_an_id_and_remembers_it(
    bench: Bench,
) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await until(lambda: bench.memory.known)
    assert bench.memory.known == set(ids(bench))
    other = bench.another()
    async with followed(bench, other):
        bench.files.put_nowait(a_crontab(a_job(schedule="@every 9s")))
        await until(lambda: len(published(bench)) == 2)
    assert len(ids(bench)) == 1


async def test_a_crontab_without_any_of_the_jobs_in_force_leaves_them_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job("in-force"), a_job("too"))
    async with followed(bench):
        for _ in range(2):
            bench.files.put_nowait(a_crontab(a_job("elsewhere", cluster="b")))
            await until(lambda: bench.scheduler.foreign)
        assert "--adopt" in bench.scheduler.foreign
        assert "none of the 2 jobs that are in force" in bench.scheduler.foreign
        bench.scheduler.assigned(set())
        assert bench.scheduler.foreign == ""
    assert published(bench) == []
    assert ids(bench) == []
    assert bench.declared == []
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1
    assert bench.scheduler.foreign == "", "nothing is followed any more"


async def test_a_crontab_that_was_refused_is_put_in_force_once_it_shares_a_job(
    bench: Bench,
) -> None:
    bench.define(a_job("in-force"))
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("elsewhere")))
        await until(lambda: bench.scheduler.foreign)
        bench.files.put_nowait(a_crontab(a_job("elsewhere"), a_job("in-force")))
        await until(lambda: published(bench))
        assert bench.scheduler.foreign == ""


async def test_who_is_told_to_adopt_replaces_what_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    bench = Bench(adopt=True)
    bench.define(a_job("in-force"))
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("elsewhere")))
        await until(lambda: len(published(bench)) == 2)
    assert {job.name: job.removed for job in published(bench)} == {
        "elsewhere": False,
        "in-force": True,
    }


async def test_a_scheduler_replaces_all_jobs_of_its_own_installation(bench: Bench) -> None:
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("first")))
        await until(lambda: bench.memory.known)
        bench.files.put_nowait(a_crontab(a_job("second")))
        await until(lambda: len(published(bench)) == 3)
    again = bench.another(bench.memory)
    async with followed(bench, again):
        bench.files.put_nowait(a_crontab(a_job("third")))
        await until(lambda: len(published(bench)) == 5)
    stranger = bench.another()
    async with followed(bench, stranger):
        bench.files.put_nowait(a_crontab(a_job("fourth")))
        await until(lambda: stranger.foreign)
    assert len(published(bench)) == 5


async def test_a_scheduler_that_stands_by_with_the_same_jobs_belongs_to_them(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job("in-force"))
    async with followed(bench):
        bench.scheduler.assigned(set())
        bench.files.put_nowait(a_crontab(a_job("in-force")))
        await _look_around(bench, 3)
        bench.files.put_nowait(a_crontab(a_job("all-new")))
        await _look_around(bench, 3)
        bench.scheduler.assigned({0})
        await until(lambda: len(published(bench)) == 2)
    assert "does not take over without --adopt" in caplog.text


async def test_what_a_clock_that_was_ahead_has_put_off_holds_from_now_once_the_cursor_is_right(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = at(7200)
    bench.define(a_job(effective_from=ahead), a_job("gone", effective_from=ahead, removed=True))
    bench.cursors["0"] = Cursor(0, ahead, taken=2).to_row()
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await turns()
        assert published(bench) == []
        await bench.tick()
        await bench.tick()
        await until(lambda: len(published(bench)) == 2)
        await turns()
    found = [(job.name, job.removed, job.effective_from) for job in published(bench)]
    assert found == [("backup", False, at(2)), ("gone", True, at(2))]
    assert "2 definitions hold from now" in caplog.text
