"""One run that is followed: its output and its states, in an order that makes sense."""

from typing import Any

import pytest

from cronstream.cli.followed_run import FollowedRun
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.live_output import Written
from cronstream.history.story import AttemptStory, Change, LogKind, RunState, RunStory
from tests.builders import NOON

RUN = "backup@2026-01-01T12:00:00Z"


class Paper:
    """Notes what is shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def say(self, text: str) -> None:
        self.seen.append(f"- {text}")

    def wrote(self, _run: str, attempt: int, text: str, left_out: int) -> None:
        self.seen.append(f"{attempt}> {text}{left_out or ''}")

    def kept(self, _story: RunStory, attempt: AttemptStory) -> None:
        self.seen.append(f"{attempt.number}= {attempt.head}")

    def changed(self, change: Change, _text: str) -> None:
        self.seen.append(str(change.story.state))


class Followed:
    """A run that is followed, step by step."""

    def __init__(self) -> None:
        self.paper, self.mono = Paper(), 100.0
        self.run = FollowedRun(RUN, self.paper)

    def wrote(self, number: int, text: str = "", **about: Any) -> None:
        fields = {"run": RUN, "attempt": 1, "worker": "w", **about}
        self.run.wrote(Written(number=number, text=text, **fields), self.mono)

    def changed(self, state: RunState, *attempts: AttemptStory, run: str = RUN) -> None:
        story = RunStory(run, "backup", "a", NOON, state, NOON, attempts=attempts, attempt=1)
        self.run.changed(Change(story, None, NOON), self.mono)

    def look(self, seconds: float = 0.0) -> None:
        self.mono += seconds
        self.run.look(self.mono)


def an_attempt(number: int = 1, outcome: Outcome | None = None) -> AttemptStory:
    places = (("claimed", number),)
    return AttemptStory(number, LogKind.FIRST, head="kept", outcome=outcome, offsets=places)


@pytest.fixture
def followed() -> Followed:
    return Followed()


def test_output_comes_before_the_end_of_its_attempt_whichever_is_read_first(
    followed: Followed,
) -> None:
    failed = an_attempt(outcome=Outcome.FAILED)
    followed.changed(RunState.RUNNING, an_attempt())
    followed.wrote(1, "a", so_far=1)
    followed.changed(RunState.DISCARDED, failed)
    followed.wrote(2, "b")
    assert "discarded" not in followed.paper.seen
    followed.wrote(3, is_end=True)
    assert followed.paper.seen == ["running", "1> a", "1> b", "- attempt 1: failed", "discarded"]
    assert followed.run.is_over


def test_an_attempt_that_nobody_showed_is_shown_as_it_is_kept_and_once(followed: Followed) -> None:
    failed = an_attempt(outcome=Outcome.FAILED)
    followed.changed(RunState.DECIDING, failed)
    followed.changed(RunState.RETRYABLE, failed)
    followed.changed(RunState.SUCCEEDED, failed, an_attempt(2, Outcome.SUCCEEDED))
    assert followed.paper.seen == ["1= kept", "retryable", "2= kept", "succeeded"]


def test_what_its_worker_shows_after_the_end_was_shown_is_not_shown_again(
    followed: Followed,
) -> None:
    followed.changed(RunState.RETRYABLE, an_attempt(outcome=Outcome.FAILED))
    followed.wrote(1, "kept", so_far=1)
    followed.wrote(2, is_end=True)
    assert followed.paper.seen == ["1= kept", "retryable"]


def test_the_last_of_output_is_waited_for_for_a_while_only(followed: Followed) -> None:
    followed.wrote(1, "a", so_far=1)
    followed.changed(RunState.SUCCEEDED, an_attempt(outcome=Outcome.SUCCEEDED))
    followed.look(1)
    assert followed.paper.seen == ["1> a"]
    followed.look(3)
    assert followed.run.is_over
    assert followed.paper.seen[1].startswith("- the last of its output has not come")


def test_who_came_in_between_begins_with_what_was_kept_and_others_see_it_once(
    followed: Followed,
) -> None:
    followed.wrote(7, "before")
    followed.wrote(8, "head", so_far=1, left_out=5)
    followed.wrote(9, "tail", so_far=2)
    followed.wrote(10, "next")
    followed.wrote(11, "head", so_far=1)
    followed.wrote(12, "tail", so_far=2)
    followed.wrote(13, "last")
    assert followed.paper.seen == ["1> head5", "1> tail", "1> next", "1> last"]


def test_what_comes_twice_is_shown_once_and_what_is_missing_is_said(followed: Followed) -> None:
    followed.wrote(1, "a", so_far=1)
    followed.wrote(1, "a", so_far=1)
    followed.wrote(3, "c")
    followed.wrote(2, "b")
    assert followed.paper.seen == ["1> a", "- some of its output has not come", "1> c"]


def test_another_run_is_none_of_its_business(followed: Followed) -> None:
    followed.wrote(1, "a", so_far=1, run="another@x")
    followed.changed(RunState.SUCCEEDED, run="another@x")
    assert followed.paper.seen == []
    assert followed.run.story is None


def test_a_worker_that_shows_nothing_is_said_once(followed: Followed) -> None:
    followed.look(60)
    followed.changed(RunState.RUNNING, an_attempt())
    followed.look(5)
    assert followed.paper.seen == ["running"]
    followed.look(6)
    followed.look(6)
    assert len(followed.paper.seen) == 2
    assert "older version" in followed.paper.seen[1]


def test_a_command_that_is_silent_is_not_a_worker_that_shows_nothing(followed: Followed) -> None:
    followed.changed(RunState.RUNNING, an_attempt())
    followed.wrote(1, so_far=1)
    followed.look(60)
    assert followed.paper.seen == ["running"]
