"""The file of the projection: what is written is found again, and the whole of it or nothing."""

import re
import resource
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cronstream.console.answers import Wanted
from cronstream.console.store import Batch, Place, Store
from cronstream.core.wire.enumerations import Cause, Outcome
from cronstream.errors import StoreError
from cronstream.history.story import AttemptStory, LogKind, RunState, RunStory
from tests.builders import NOON, at

PLACE = Place(7, 3, at(1))


def a_story(job: str = "backup", minute: int = 0, state: RunState = RunState.SUCCEEDED) -> RunStory:
    due = NOON + timedelta(minutes=minute)
    attempt = AttemptStory(
        1,
        LogKind.FIRST,
        "w1",
        due,
        due,
        due + timedelta(seconds=2),
        Outcome.SUCCEEDED,
        exit_status=0,
        head="what it wrote",
        topic="cronstream.cluster-a",
        partition=2,
        offsets=(("claimed", 5), ("ended", 6)),
    )
    return RunStory(
        f"{job}@{due:%Y-%m-%dT%H:%M:%SZ}",
        job,
        "cluster-a",
        due,
        state,
        due + timedelta(seconds=2),
        cause=Cause.RUN_NOW,
        command=["tar", "-c", "a b"],
        revision=4,
        attempts=(attempt,),
        attempt=1,
        max_attempts=3,
        published_at=due,
        due_at=due,
    )


def a_batch(*stories: RunStory) -> Batch:
    return Batch({story.id: story for story in stories}, {("log", 0): PLACE})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "console.sqlite")


def test_a_story_is_found_as_it_was_but_for_what_was_written(store: Store) -> None:
    story = a_story()
    store.write(a_batch(story))
    bare = replace(story, attempts=tuple(one._replace(head="") for one in story.attempts))
    assert store.get(story.id) == bare
    assert store.get("backup") is None
    assert store.places() == {("log", 0): PLACE}


def test_an_attempt_whose_number_nobody_knows_is_found_again(store: Store) -> None:
    story = a_story()
    attempt = story.attempts[0]._replace(number=None, head="")
    store.write(a_batch(replace(story, attempts=(attempt,), partial=True)))
    found = store.get(story.id)
    assert found is not None
    assert found.attempts == (attempt,)


def test_all_of_a_batch_is_written_or_nothing(store: Store) -> None:
    bad = Batch({"x": a_story()}, {("log", 0): replace(PLACE, next=None)})  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        store.write(bad)
    assert store.places() == {}
    assert store.runs(Wanted()) == []


def test_a_file_that_is_opened_again_has_what_it_had(tmp_path: Path) -> None:
    first = Store(tmp_path / "console.sqlite")
    first.write(a_batch(a_story()))
    first.close()
    assert Store(tmp_path / "console.sqlite").get(a_story().id) is not None


@pytest.mark.parametrize("text", [b"", b"no database at all " * 100])
def test_a_file_that_is_none_of_ours_is_made_anew(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "console.sqlite"
    path.write_bytes(text)
    store = Store(path)
    store.write(a_batch(a_story()))
    assert len(store.runs(Wanted())) == 1


def test_a_run_that_is_told_from_its_middle_does_not_replace_what_is_known(store: Store) -> None:
    story = a_story()
    store.write(a_batch(story))
    store.write(a_batch(replace(story, partial=True, attempts=(), state=RunState.DISCARDED)))
    found = store.get(story.id)
    assert found is not None
    assert (found.state, len(found.attempts)) == (RunState.SUCCEEDED, 1)


def test_a_verdict_counts_once_however_often_it_is_written(store: Store) -> None:
    running = a_story(state=RunState.RUNNING)
    store.write(a_batch(running))
    for _ in range(3):
        store.write(a_batch(a_story()))
    store.write(a_batch(a_story(minute=1, state=RunState.DISCARDED)))
    assert [(minute, state, count) for minute, _, state, count in store.minutes(NOON)] == [
        (NOON, RunState.SUCCEEDED, 1),
        (at(60), RunState.DISCARDED, 1),
    ]
    assert store.successes(["backup", "report"]) == {"backup": at(2)}


def test_lists_are_of_what_is_asked_for_the_newest_first(store: Store) -> None:
    stories = [a_story(minute=n) for n in range(5)]
    failed = a_story("report", 2, RunState.DISCARDED)
    live = a_story("report", 9, RunState.RUNNING)
    store.write(a_batch(*stories, failed, live))
    assert [one.scheduled_at for one in store.runs(Wanted(job="backup", limit=2))] == [
        at(240),
        at(180),
    ]
    older = Wanted(job="backup", before=at(180), limit=9)
    assert [one.scheduled_at for one in store.runs(older)] == [at(120), at(60), at(0)]
    assert [one.id for one in store.runs(Wanted(state=RunState.DISCARDED))] == [failed.id]
    assert len(store.runs(Wanted(cluster="cluster-a"))) == 7
    assert store.runs(Wanted(cluster="cluster-b")) == []
    assert [one.id for one in store.live()] == [live.id]
    assert store.live("cluster-b") == []
    strips = store.strips(["backup", "nothing"], 3)
    assert [one.due for one in strips["backup"]] == [at(120), at(180), at(240)]
    assert strips["nothing"] == []


def test_what_is_old_or_too_much_is_removed_but_never_what_is_live(store: Store) -> None:
    live = a_story("report", 0, RunState.RUNNING)
    store.write(a_batch(live, *(a_story(minute=n) for n in range(6))))
    assert store.forget(at(100), keep=1_000) == 2
    assert store.forget(at(100), keep=3) == 1
    left = [one.scheduled_at for one in store.runs(Wanted(job="backup"))]
    assert left == [at(300), at(240), at(180)]
    assert [one.id for one in store.live()] == [live.id]
    assert store.minutes(NOON)[0][0] == at(60)


def test_commands_go_with_the_last_run_that_has_them(store: Store) -> None:
    """However many there are: a job that takes arguments has another one for each of its runs."""
    live = replace(a_story("report", 0, RunState.RUNNING), command="of a live run")
    hours = [replace(a_story(minute=60 * n), command=["report", str(n)]) for n in range(6)]
    often = [replace(a_story("often", 60 * n), command="the same") for n in range(6)]
    store.write(a_batch(live, *hours, *often))
    store.forget(at(4 * 3600), keep=1_000)
    assert _commands(store) == {
        '"of a live run"',
        '"the same"',
        *(f'["report","{n}"]' for n in (3, 4, 5)),
    }
    for story in (live, *hours[4:], *often[4:]):
        found = store.get(story.id)
        assert found is not None
        assert found.command == story.command


def _commands(store: Store) -> set[str]:
    return {text.decode() for (text,) in store._db.execute("SELECT command FROM commands")}


@pytest.mark.parametrize("was", [None, 0o644])
def test_nobody_else_may_read_the_file_for_it_has_all_commands(
    tmp_path: Path, was: int | None
) -> None:
    path = tmp_path / "console.sqlite"
    if was is not None:
        with closing(Store(path)):
            path.chmod(was)
    with closing(Store(path)) as store:
        store.write(a_batch(a_story()))
        modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {0o600}


def test_nothing_is_asked_for_what_cannot_be(store: Store) -> None:
    """All runs that succeeded would be gone through, to find that none has a reason."""
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    assert store.runs(Wanted(state=RunState.SUCCEEDED, reason="lost")) == []
    assert not asked


def test_what_is_in_trouble_is_one_question_for_all_jobs(store: Store) -> None:
    bad, fine = RunState.DISCARDED, RunState.SUCCEEDED
    store.write(a_batch(a_story("failing", 0), a_story("failing", 1, bad)))
    store.write(a_batch(a_story("mended", 0, bad), a_story("mended", 1, fine)))
    store.write(a_batch(a_story("trying", 0, bad), a_story("trying", 1, RunState.RUNNING)))
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    assert store.failing(["failing", "mended", "trying", "new", "o'brien"]) == {"failing", "trying"}
    assert len(asked) == 1


def test_reasons_are_counted_and_what_became_of_the_same_due_time_is_found(store: Store) -> None:
    bad = RunState.DISCARDED
    gone = [replace(a_story("a", n, bad), reason="exit 1") for n in range(3)]
    other = replace(a_story("b", 9, bad), reason="lost")
    again = replace(gone[1], id=f"{gone[1].id}!replay-1", state=RunState.SUCCEEDED, reason=None)
    store.write(a_batch(*gone, other, again))
    assert [(one.reason, one.runs, one.jobs) for one in store.reasons(Wanted(), 9)] == [
        ("exit 1", 3, 1),
        ("lost", 1, 1),
    ]
    assert [one.reason for one in store.reasons(Wanted(job="b"), 9)] == ["lost"]
    assert [one.id for one in store.runs(Wanted(reason="lost"))] == [other.id]
    found = store.siblings([gone[1], other])
    assert {one.id for one in found["a", gone[1].scheduled_at]} == {gone[1].id, again.id}
    assert store.siblings([]) == {}


def test_due_times_that_were_missed_are_found(store: Store) -> None:
    skipped = a_story("a", 5, RunState.SKIPPED)
    missed = replace(skipped, reason="missed", count=4)
    store.write(a_batch(missed, replace(a_story("b", 6, RunState.SKIPPED), reason="overlap")))
    assert [one.id for one in store.missed(at(0), 9)] == [missed.id]
    assert store.missed(at(900), 9) == []


def test_threads_that_write_at_once_wait_for_each_other(store: Store) -> None:
    def write(n: int) -> None:
        for minute in range(20):
            store.write(a_batch(a_story(f"job-{n}", minute)))
            store.forget(at(-1), keep=10_000)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert len(store.runs(Wanted(limit=200))) == 80


_KINDS = [None, *(state for state in RunState if state is not RunState.SUCCEEDED)]
_SOME = [
    Wanted(job, cluster, state, reason, before)
    for job in (None, "a")
    for cluster in (None, "b")
    for state in _KINDS
    for reason in (None, "lost")
    for before in (None, NOON)
]


RARE = {"others", "others_of_job", "others_of_cluster", "others_of_reason", "runs_discarded"}


@pytest.mark.parametrize(
    "ask",
    [
        *(lambda store, wanted=wanted: store.runs(wanted) for wanted in _SOME),
        lambda store: store.get("a@b"),
        lambda store: store.siblings([a_story(), a_story("report")]),
        lambda store: store.reasons(Wanted(), 9),
        lambda store: store.reasons(Wanted(job="a", cluster="b"), 9),
        lambda store: store.missed(NOON, 9),
        lambda store: store.discards(NOON, 9),
        lambda store: store.failing(["a", "b"]),
        lambda store: store.live(),
        lambda store: store.live("b"),
        lambda store: store.live_counts(),
        lambda store: store.strips(["a"], 30),
        lambda store: store.minutes(NOON),
        lambda store: store.successes(["a"]),
    ],
)
def test_no_question_is_answered_by_going_through_all_runs(
    store: Store, ask: Callable[[Store], object]
) -> None:
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    ask(store)
    store._db.set_trace_callback(None)
    assert asked
    for question in asked:
        for *_, step in store._db.execute(f"EXPLAIN QUERY PLAN {question}"):
            of_runs = re.match(r"(SCAN|SEARCH) (?:runs|one)\b(?: USING.* INDEX (\w+))?", step)
            if of_runs is None:
                continue
            # In the order of time it ends at the limit; what is live or discarded has its own.
            in_order = {"runs_live", "runs_discarded", "runs_changed"}
            assert of_runs[1] == "SEARCH" or of_runs[2] in in_order, (step, question)
            assert "state =" not in question or of_runs[2] in RARE, (step, question)
            sorts = "ORDER BY" in step and "TEMP B-TREE" in step
            assert not sorts or "asked" in question or "count(" in question, question


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "of version 1, and not of"),
        (b"not a file of SQLite's at all" * 400, "no file of a console"),
    ],
)
def test_a_file_of_another_kind_is_made_anew_and_that_is_said(
    tmp_path: Path, content: bytes | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "console.sqlite"
    if content is None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript("CREATE TABLE runs (old); PRAGMA user_version = 1;")
    else:
        path.write_bytes(content)
    store = Store(path)
    store.write(a_batch(a_story()))
    assert store.get(a_story().id) is not None
    assert said in caplog.text


def test_a_file_that_is_damaged_is_said_to_be_and_can_be_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "console.sqlite"
    with closing(Store(path)) as store:
        store.write(a_batch(*(a_story(minute=n) for n in range(200))))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    store = Store(path)
    with pytest.raises(StoreError, match=r"console\.sqlite cannot be used") as raised:
        store.write(a_batch(a_story()))
    assert raised.value.is_spoiled
    store.empty()
    store.write(a_batch(a_story()))
    assert [one.id for one in store.runs(Wanted())] == [a_story().id]


def test_who_reads_sees_whole_transactions_and_waits_for_none(store: Store) -> None:
    store.write(a_batch(a_story()))
    with store._transaction() as db:
        db.execute("DELETE FROM runs")
        assert store.get(a_story().id) is not None
    assert store.get(a_story().id) is None


def test_a_disk_that_is_full_is_one_error_and_what_was_written_stays(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "console.sqlite")) as store:
        store.write(a_batch(a_story()))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with pytest.raises(StoreError, match=r"console\.sqlite cannot be used") as raised:
                store.write(a_batch(*(a_story(minute=n) for n in range(1, 2_000))))
            assert not raised.value.is_spoiled
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, was)
        assert len(store.runs(Wanted(limit=3_000))) == 1
        store.write(a_batch(*(a_story(minute=n) for n in range(1, 2_000))))
        assert len(store.runs(Wanted(limit=3_000))) == 2_000
