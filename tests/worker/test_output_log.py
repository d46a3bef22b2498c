"""What commands write is on the log as it comes, and no command can flood it."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream import clock
from cronstream.core.protocol.holder import Holding
from cronstream.executor.protocol import Wrote
from cronstream.worker.output_log import MOST_CHARACTERS, MOST_LINES, Lines, OutputLog
from tests.builders import a_run

RUN = a_run(attempt=2, attempts_left=1, max_attempts=2)
KEY = f"{RUN.id}#7"


class Watched:
    """The lines of one worker that holds one run; a second passes when a test says so."""

    def __init__(self, caplog: pytest.LogCaptureFixture, patch: pytest.MonkeyPatch) -> None:
        caplog.set_level(logging.INFO, "cronstream.output")
        self.caplog, self.mono = caplog, 100.0
        patch.setattr(clock, "monotonic", lambda: self.mono)
        self.log = OutputLog({KEY: Holding(0, RUN, go=True)})

    def wrote(self, text: str, left_out: int = 0) -> None:
        self.log.wrote(Wrote(KEY, text, left_out))

    @property
    def said(self) -> list[str]:
        return self.caplog.messages

    @property
    def fields(self) -> list[dict[str, Any]]:
        return [vars(record)["fields"] for record in self.caplog.records]


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(caplog, monkeypatch)


def test_each_line_says_whose_it_is(watched: Watched) -> None:
    watched.wrote("one\ntw")
    watched.wrote("o\r\n\nthree")
    watched.log.ended(KEY)
    assert watched.said == ["one", "two", "", "three"]
    assert watched.fields[0] == {
        "action": "output",
        "job": "backup",
        "run": RUN.id,
        "cluster": RUN.cluster,
        "attempt": 2,
        "stream": "output",
    }


def test_of_too_many_lines_in_a_second_one_says_how_many_were_left_out(watched: Watched) -> None:
    watched.wrote("x\n" * (MOST_LINES + 5))
    assert len(watched.said) == MOST_LINES
    watched.mono += 1
    watched.wrote("y\n")
    assert watched.said[MOST_LINES:] == [
        f"run {RUN.id}: 5 lines of output left out: it writes more than 100 in a second",
        "y",
    ]
    assert watched.fields[MOST_LINES]["lines"] == 5


def test_what_was_left_out_of_the_last_second_is_said_at_the_end(watched: Watched) -> None:
    watched.wrote("x\n" * (MOST_LINES + 1))
    watched.log.ended(KEY)
    assert watched.fields[-1]["action"] == "output-left-out"


def test_bytes_that_came_too_fast_are_said_where_they_are_missing(watched: Watched) -> None:
    watched.wrote("the beginning of a line", left_out=7)
    watched.wrote("the end of another\n", left_out=1)
    assert watched.said[0] == "the beginning of a line"
    assert watched.said[2] == "the end of another"
    assert [line.get("bytes") for line in watched.fields] == [None, 7, None, 1]


def test_a_line_of_any_length_is_cut_and_the_next_is_whole() -> None:
    lines = Lines()
    assert list(lines.feed("x" * MOST_CHARACTERS)) == []
    assert list(lines.feed("yy")) == []
    [cut, whole] = lines.feed("y\nfine\n")
    assert cut == "x" * MOST_CHARACTERS + " ... (3 more characters)"
    assert whole == "fine"


@given(st.lists(st.text(alphabet="ab\n", max_size=9), max_size=9))
def test_how_text_comes_makes_no_difference_to_its_lines(parts: list[str]) -> None:
    lines = Lines()
    found = [line for part in parts for line in lines.feed(part)]
    assert [*found, lines.end()] == "".join(parts).split("\n")


def test_a_command_that_this_worker_does_not_hold_is_nobodys(watched: Watched) -> None:
    watched.log.wrote(Wrote("another#1", "x\n", 0))
    watched.log.ended("another#1")
    assert watched.said == []
