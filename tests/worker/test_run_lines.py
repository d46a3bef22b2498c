"""Each change of a run's state is one line, whichever worker has the partition by then."""

import logging
from typing import Any

import pytest

from cronstream.core.wire.entries import Forwarded
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run
from cronstream.worker.run_lines import RunLines
from tests.builders import a_run, at
from tests.ledger_builders import Told, a_skip, finished, started


class Watched:
    """A worker's lines of partition 0, and a ledger that tells them what has changed."""

    def __init__(self, caplog: pytest.LogCaptureFixture, *, retry: bool = False) -> None:
        caplog.set_level(logging.DEBUG, "cronstream.worker.folding")
        self.caplog, self.lines = caplog, RunLines()
        self.told = Told(retry=retry)
        self.seen = 0

    def read(self) -> None:
        """Have it fold what the log has, message by message, once more from the start."""
        again = Told(retry=self.told.ledger.book.retry, revision=False)
        for number, (_, when, entries) in enumerate(self.told.messages):
            again.ledger.fold(number, when, entries)
            if number >= self.seen:
                self.lines.log(0, number, entries, [*again.ledger.book.news])
            again.ledger.book.news.clear()
        self.seen = len(self.told.messages)

    @property
    def said(self) -> list[dict[str, Any]]:
        return [vars(record)["fields"] for record in self.caplog.records]

    @property
    def actions(self) -> list[str]:
        return [line["action"] for line in self.said]

    def line(self, action: str) -> dict[str, Any]:
        [found] = [line for line in self.said if line["action"] == action]
        return found


def entered(watched: Watched, **fields: Any) -> Run:
    run = a_run(**fields)
    watched.told.tell(run)
    return run


def test_an_end_says_how_and_after_how_long(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(caplog)
    run = entered(watched)
    watched.told.finish(run)
    watched.read()
    assert watched.actions == ["queued", "claimed", "running", "succeeded"]
    assert "outcome" not in watched.line("running")
    assert watched.line("succeeded") == {
        "action": "succeeded",
        "job": "backup",
        "run": run.id,
        "cluster": run.cluster,
        "attempt": 1,
        "reason": "attempt 1",
        "outcome": "succeeded",
        "worker": "w1",
        "seconds": 1.0,
        "partition": 0,
        "offset": 4,
    }


def test_an_attempt_that_begins_and_ends_in_one_message_says_how_long_it_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog)
    run = entered(watched)
    claim = watched.told.claim(run)
    watched.told.tell(started(run, claim), finished(run, claim))
    watched.read()
    assert watched.actions[-2:] == ["running", "succeeded"]
    assert watched.line("succeeded")["seconds"] == 1.0


def test_a_verdict_that_comes_after_an_end_says_how_that_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog)
    run = entered(watched)
    watched.told.finish(run, Outcome.FAILED)
    watched.told.forward(run)
    watched.read()
    for action in ("finished", "discarded"):
        line = watched.line(action)
        assert (line["outcome"], line["seconds"]) == ("failed", 1.0)


def test_what_is_made_again_has_no_outcome_yet(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(caplog)
    run = entered(watched)
    claim = watched.told.start(run)
    ended = finished(run, claim, Outcome.INTERRUPTED).derive(started_at=None)
    watched.told.tell(ended)
    watched.read()
    assert watched.line("interrupted")["outcome"] == "interrupted"
    assert "seconds" not in watched.line("interrupted")
    assert watched.said[-1]["action"] == "queued"
    assert "outcome" not in watched.said[-1]


def test_the_end_of_another_claim_says_nothing_of_how_long_it_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog)
    run = entered(watched)
    claim = watched.told.start(run)
    watched.told.tell(finished(run, claim + 7))
    watched.told.lose()
    watched.read()
    assert "seconds" not in watched.line("lost")


def test_what_comes_of_retries_has_its_outcome_where_they_are_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog, retry=True)
    run = entered(watched, attempt=2, attempts_left=1, max_attempts=2)
    watched.told.finish(run)
    version = watched.told.live.version
    watched.told.tell(Forwarded(run=run.id, version=version))
    watched.read()
    assert watched.line("succeeded")["seconds"] == 1.0


def test_due_times_that_are_skipped_without_a_run_are_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog)
    watched.told.tell(a_skip(0, 60, count=2))
    watched.told.tell(a_skip(120, 120))
    watched.read()
    assert watched.actions == ["skipped", "skipped"]
    assert "to 2026-01-01T12:01:00Z, 2 due times: skipped (" in caplog.messages[0]
    assert "job backup: 2026-01-01T12:02:00Z: skipped (" in caplog.messages[1]


def test_each_of_very_many_ends_is_remembered_for_a_while_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cronstream.worker.run_lines._TAKEN", 1)
    watched = Watched(caplog)
    first, second = (entered(watched, scheduled_at=at(n), not_before=at(n)) for n in (0, 60))
    for run in (first, second):
        watched.told.finish(run, Outcome.FAILED)
    for run in (first, second):
        watched.told.forward(run)
    watched.read()
    verdicts = [line for line in watched.said if line["action"] == "discarded"]
    assert ["seconds" in line for line in verdicts] == [False, True]


def test_a_start_and_its_end_in_one_message_say_how_long_it_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(caplog, retry=True)
    run = entered(watched, attempt=2, attempts_left=1, max_attempts=2)
    claim = watched.told.claim(run)
    watched.told.tell(started(run, claim), finished(run, claim, Outcome.FAILED))
    watched.told.forward(run)
    watched.read()
    assert watched.line("discarded")["seconds"] == 1.0
