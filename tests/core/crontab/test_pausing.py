"""What a crontab says of pauses, and that it undoes none of a person's."""

import pytest

from cronstream.core.crontab.change import (
    by_whom_paused,
    compare,
    describe,
    differences,
    pause_words,
)
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.wire.control import NEVER, Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError
from tests.builders import at


def a_job(**fields: object) -> Job:
    given = {"name": "backup", "cluster": "a", "schedule": "@daily", "timezone": "UTC"}
    return Job(**{**given, "command": "true", **fields})  # type: ignore[arg-type]  # a builder takes any field


def a_pause(**fields: object) -> Control:
    given = {"action": ControlAction.PAUSE, "cluster": "a", "by": "ada", "at": at(0)}
    return Control(**{**given, "job": "backup", **fields})  # type: ignore[arg-type]  # likewise


def parsed(line: str) -> Job:
    text = f"""
version: 1
clusters: [a]
jobs:
  - name: backup
    cluster: a
    schedule: "@daily"
    command: "true"
    {line}
"""
    [job] = parse_crontab(text).jobs
    return job


def test_a_job_is_enabled_and_never_pauses_itself_unless_it_says_so() -> None:
    job = parsed("description: nothing")

    assert (job.enabled, job.pause_after, job.paused_to) == (True, None, None)


def test_a_job_may_be_paused_in_the_file() -> None:
    assert parsed("enabled: false").paused_to == NEVER


@pytest.mark.parametrize("line", ["pause_after: 0", "pause_after: x", "enabled: 1"])
def test_what_is_no_number_of_runs_or_no_truth_value_is_refused(line: str) -> None:
    with pytest.raises(CrontabError):
        parsed(line)


def test_an_edit_does_not_undo_a_pause() -> None:
    before, after = a_job(control=a_pause()), a_job(command="false")

    assert compare([before], [after]).changed == (after.derive(control=a_pause()),)
    assert not compare([before], [a_job()])


def test_a_change_says_that_a_job_is_paused_now() -> None:
    change = compare([a_job()], [a_job(control=a_pause(reason="disk full"))])

    assert describe(change) == [
        "job backup: paused no → by ada since 2026-01-01T12:00:00Z (disk full)"
    ]


def test_a_change_says_that_a_job_is_disabled() -> None:
    [found] = differences(a_job(), a_job(enabled=False))

    assert str(found) == "enabled true → false"


@pytest.mark.parametrize(("control", "words"), [
    (None, "no"),
    (a_pause(action=ControlAction.RESUME), "no (resumed by ada)"),
    (a_pause(until=at(60)), "by ada since 2026-01-01T12:00:00Z until 2026-01-01T12:01:00Z"),
    (a_pause(job=None), "by ada since 2026-01-01T12:00:00Z with its cluster a"),
    (a_pause(retries=True), "by ada since 2026-01-01T12:00:00Z, with its later attempts"),
])  # fmt: skip
def test_a_pause_is_said_in_words(control: Control | None, words: str) -> None:
    assert pause_words(control) == words


@pytest.mark.parametrize(("job", "words"), [
    (a_job(), None),
    (a_job(enabled=False), "by the crontab (enabled: false)"),
    (a_job(control=a_pause(reason="disk full")), "by ada since 2026-01-01T12:00:00Z (disk full)"),
    (a_job(control=a_pause(until=at(60))), None),
    (a_job(control=a_pause(action=ControlAction.RESUME)), None),
])  # fmt: skip
def test_a_definition_says_by_whom_it_is_paused_while_it_is(job: Job, words: str | None) -> None:
    assert by_whom_paused(job, at(60)) == words
