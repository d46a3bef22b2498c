"""What a scheduler logs of an edit."""

import logging

import pytest

from cronstream.core.crontab.change import Change
from cronstream.scheduler import edit_log
from cronstream.scheduler.edit_log import log_applied
from tests.scheduler.fakes import a_job


def test_of_very_many_edits_the_first_are_said_and_how_many_there_are_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edit_log, "_MOST_SAID", 2)
    caplog.set_level(logging.INFO)
    log_applied("crontab.yaml", Change(added=tuple(a_job(name) for name in "abcd")), 4)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "crontab.yaml: jobs 4 added; 4 in all"
    assert [line.split(" added")[0] for line in said[1:]] == ["job a", "job b", "and 2 edits more"]
