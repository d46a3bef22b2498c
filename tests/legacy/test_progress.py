"""What people are told about the move, and when."""

import logging

import pytest

from cronstream.legacy.progress import QUIET_S, Counts, Progress


@pytest.fixture
def progress(caplog: pytest.LogCaptureFixture) -> Progress:
    caplog.set_level(logging.INFO)
    return Progress("old", 100.0)


def test_it_says_how_far_it_is(progress: Progress, caplog: pytest.LogCaptureFixture) -> None:
    progress.add(Counts(moved=2, left=1), 100)
    progress.add(Counts(moved=3, refused=4, tombstones=5, moved_before=6), 101)
    progress.report({0: 7, 2: 0}, 102)

    [line] = caplog.messages
    assert line == (
        "old topic old: 5 moved, 1 left to the new schedule, 4 refused, 6 moved before, "
        "5 tombstones skipped; lag 7"
    )


def test_it_repeats_nothing(progress: Progress, caplog: pytest.LogCaptureFixture) -> None:
    for now_s in (101, 111, 121):
        progress.report({0: 0, 2: 0}, now_s)
    assert len(caplog.messages) == 1


def test_once_nobody_has_written_for_a_minute_it_says_once_that_the_topic_can_be_emptied(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    progress.report({0: 0, 2: 0}, 100 + QUIET_S - 1)
    assert not any("empty it" in line for line in caplog.messages)
    for more_s in (0, 10, 20):
        progress.report({0: 0, 2: 0}, 100 + QUIET_S + more_s)
    told = [line for line in caplog.messages if "empty it with kafka-delete-records" in line]
    assert len(told) == 1
    assert "nobody has written for 60 s and nothing is left in partitions 0, 2;" in told[0]


def test_it_says_so_again_if_somebody_has_written_meanwhile(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    progress.report({0: 0, 2: 0}, 200)
    progress.add(Counts(moved=1), 300)
    progress.report({0: 0, 2: 0}, 301)
    progress.report({0: 0, 2: 0}, 300 + QUIET_S)
    assert sum("empty it" in line for line in caplog.messages) == 2


def test_a_topic_with_something_left_cannot_be_emptied(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    progress.report({0: 1, 2: 0}, 100 + 2 * QUIET_S)
    assert not any("empty it" in line for line in caplog.messages)


def test_a_scheduler_that_stands_by_without_a_partition_does_not_say_that_nothing_is_left(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    progress.report({}, 100 + 2 * QUIET_S)
    assert caplog.messages == []


def test_a_reason_to_wait_is_said_once_until_it_goes_on(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    progress.say_waiting("no crontab")
    progress.say_waiting("no crontab")
    progress.add(Counts(moved=1), 101)
    progress.say_waiting("no crontab")
    assert caplog.messages == ["old topic old: waiting: no crontab"] * 2
