"""What is put on Kafka of the output of a run that is followed: bounded, numbered, in order."""

from typing import Any

import pytest

from cronstream.core.protocol.holder import Holding
from cronstream.core.wire.live_output import MOST_TEXT, SHOWN_S, Follow, Written
from cronstream.executor.protocol import Show, SoFar, Wrote
from cronstream.worker.live_output import MOST_FOLLOWERS, MOST_RUNS, LiveOutput
from tests.builders import a_run, at

RUN = a_run()
KEY = f"{RUN.id}#7"


class Watched:
    """A worker that holds one run, which has started unless a test says otherwise."""

    def __init__(self, *, started: bool = True) -> None:
        self.mono = 100.0
        self.shows: list[Show] = []
        self.put: list[Written] = []
        self.room = 1_000
        self.holding = {KEY: Holding(0, RUN, go=True, started=started)}
        self.live = LiveOutput("w1", self.holding, self.shows.append, self._put)

    def _put(self, written: Written) -> bool:
        if len(self.put) < self.room:
            self.put.append(written)
            return True
        return False

    def follow(self, run: str = RUN.id, follower: str = "me") -> None:
        self.live.follow(Follow(run=run, follower=follower), self.mono)

    def wrote(self, text: str, left_out: int = 0) -> None:
        self.live.wrote(Wrote(KEY, text, left_out), self.mono)

    def so_far(self, head: str = "", tail: str = "", omitted: int = 0) -> None:
        self.live.so_far(SoFar(KEY, head, tail, omitted))

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.put]


def test_who_follows_is_shown_what_was_kept_and_then_what_comes() -> None:
    watched = Watched()
    watched.follow()
    watched.wrote("before it was asked for")
    watched.so_far("head", "tail", 5)
    watched.wrote("next", 2)
    watched.live.ended(KEY)
    assert watched.shows == [Show(KEY, watched.mono + SHOWN_S, from_start=True)]
    about: dict[str, Any] = {"run": RUN.id, "attempt": 1, "worker": "w1"}
    assert watched.put == [
        Written(**about, number=1, text="head", left_out=5, so_far=1),
        Written(**about, number=2, text="tail", so_far=2),
        Written(**about, number=3, text="next", left_out=2),
        Written(**about, number=4, is_end=True),
    ]


def test_nobody_follows_and_nothing_is_put() -> None:
    watched = Watched()
    watched.follow("another@x")
    watched.live.started(KEY, watched.mono)
    watched.so_far("head")
    watched.wrote("text")
    watched.live.ended(KEY)
    watched.live.started("nobody#1", watched.mono)
    assert (watched.shows, watched.put) == ([], [])


def test_what_starts_while_it_is_followed_is_shown_from_its_start() -> None:
    watched = Watched(started=False)
    watched.follow()
    assert watched.shows == []
    watched.mono += SHOWN_S - 1
    watched.live.started(KEY, watched.mono)
    assert [show.from_start for show in watched.shows] == [True]


def test_what_starts_when_nobody_follows_any_more_is_not_shown() -> None:
    watched = Watched(started=False)
    watched.follow()
    watched.mono += SHOWN_S + 1
    watched.live.started(KEY, watched.mono)
    assert watched.shows == []


def test_who_says_again_that_he_follows_is_not_shown_the_beginning_again() -> None:
    watched = Watched()
    watched.follow()
    watched.mono += 10
    watched.follow()
    watched.follow(follower="another")
    assert [show.from_start for show in watched.shows] == [True, False, True]
    assert watched.shows[-1].until == watched.mono + SHOWN_S


def test_many_who_come_at_once_have_the_beginning_shown_once_a_second() -> None:
    watched = Watched()
    for number in range(50):
        watched.follow(follower=f"f{number}")
    assert sum(show.from_start for show in watched.shows) == 1
    watched.mono += 1
    watched.follow(follower="f7")
    watched.follow(follower="f8")
    assert sum(show.from_start for show in watched.shows) == 2


def test_more_than_some_who_follow_are_not_remembered() -> None:
    watched = Watched()
    for number in range(3 * MOST_FOLLOWERS):
        watched.mono += 1
        watched.follow(follower=f"f{number}")
    [followed] = watched.live._runs.values()
    assert len(followed.followers) == MOST_FOLLOWERS


def test_after_the_last_word_of_who_follows_nothing_is_put_until_the_next() -> None:
    watched = Watched()
    watched.follow()
    watched.so_far("a")
    watched.mono += SHOWN_S + 1
    watched.wrote("unseen")
    watched.wrote("unseen")
    watched.follow()
    watched.so_far("all")
    watched.wrote("seen")
    assert watched.texts == ["a", "all", "seen"]
    assert [show.from_start for show in watched.shows] == [True, True]


def test_who_comes_when_the_last_has_just_gone_begins_anew_with_higher_numbers() -> None:
    watched = Watched()
    watched.follow()
    watched.so_far("a")
    watched.mono += SHOWN_S + 1
    watched.follow()
    watched.so_far("b")
    assert [one.number for one in watched.put] == [1, 2]


def test_runs_that_are_nowhere_do_not_keep_one_that_is_here_from_being_shown() -> None:
    watched = Watched()
    for number in range(3 * MOST_RUNS):
        watched.follow(f"{number}@x")
    watched.follow()
    for number in range(3 * MOST_RUNS):
        watched.follow(f"more-{number}@x")
    assert len(watched.shows) == 1
    assert RUN.id in watched.live._runs
    assert len(watched.live._runs) == MOST_RUNS


def test_of_runs_that_are_all_here_some_are_shown_at_a_time() -> None:
    watched = Watched()
    runs = [a_run(scheduled_at=at(60 * n), not_before=at(60 * n)) for n in range(MOST_RUNS + 3)]
    watched.holding |= {f"{run.id}#1": Holding(0, run, go=True, started=True) for run in runs}
    for run in runs:
        watched.follow(run.id)
    assert len(watched.live._runs) == MOST_RUNS


@pytest.mark.parametrize("length", [0, 1, MOST_TEXT, MOST_TEXT + 1, 2 * MOST_TEXT + 1])
def test_text_of_any_length_goes_in_messages_that_fit(length: int) -> None:
    watched = Watched()
    watched.follow()
    watched.so_far()
    watched.wrote("x" * length, 3)
    pieces = watched.put[1:]
    assert "".join(one.text for one in pieces) == "x" * length
    assert max(len(one.text) for one in pieces) <= MOST_TEXT
    assert [one.left_out for one in pieces] == [*[0] * (len(pieces) - 1), 3]


def test_what_kafka_has_no_room_for_is_counted_where_it_is_missing() -> None:
    watched = Watched()
    watched.follow()
    watched.so_far("a")
    watched.room = 1
    watched.wrote("four", 2)
    watched.wrote("lost")
    watched.room = 9
    watched.wrote("b")
    assert [(one.text, one.left_out) for one in watched.put] == [("a", 0), ("", 10), ("b", 0)]
    assert [one.number for one in watched.put] == [1, 2, 3]
