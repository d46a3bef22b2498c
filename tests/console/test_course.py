"""The course of a run as a picture."""

from dataclasses import replace

from cronstream.console.course import course
from cronstream.core.wire.enumerations import Outcome
from cronstream.history.story import RunState
from tests.builders import NOON, at
from tests.console.test_store import a_story

FIRST = a_story().attempts[0]


def test_waits_and_attempts_are_drawn_to_one_scale() -> None:
    failed = FIRST._replace(started_at=at(5), ended_at=at(10), outcome=Outcome.FAILED)
    second = FIRST._replace(number=2, started_at=at(90), ended_at=at(100))
    found = course(replace(a_story(), attempts=(failed, second)), at(500))
    assert found is not None
    assert (found["since"], found["until"]) == (NOON, at(100))
    assert [[part["kind"] for part in row["parts"]] for row in found["rows"]] == [
        ["wait", "ran"],
        ["wait", "ran"],
    ]
    wait, ran = found["rows"][1]["parts"]
    assert (wait["x"], wait["width"], wait["seconds"]) == (100, 800, 80)
    assert (ran["x"], ran["width"]) == (900, 100)


def test_one_that_runs_goes_on_until_now_and_one_that_waits_has_a_row_of_its_own() -> None:
    runs = FIRST._replace(started_at=at(0), ended_at=None, outcome=None)
    found = course(replace(a_story(state=RunState.RUNNING), attempts=(runs,)), at(60))
    assert found is not None
    assert found["rows"][0]["parts"] == [{"kind": "ran", "x": 0, "width": 1000, "seconds": 60}]
    waits = replace(a_story(state=RunState.RETRYABLE), not_before=at(90))
    found = course(waits, at(60))
    assert found is not None
    assert found["rows"][-1]["attempt"] is None


def test_what_lasted_no_time_is_seen_all_the_same_and_nothing_is_drawn_of_nothing() -> None:
    short = FIRST._replace(started_at=at(0), ended_at=at(0))
    long = FIRST._replace(number=2, started_at=at(3000), ended_at=at(3001))
    found = course(replace(a_story(), attempts=(short, long)), at(1))
    assert found is not None
    assert all(part["width"] >= 3 for row in found["rows"] for part in row["parts"])
    assert all(part["x"] + part["width"] <= 1000 for r in found["rows"] for part in r["parts"])
    assert course(replace(a_story(), attempts=()), at(1)) is None
