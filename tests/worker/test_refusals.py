"""What was refused for good is told: in the log, not too often, and for as long as it matters."""

import logging

import pytest

from cronstream.core.ledger.mark import OUTDATED, SUPERSEDED, UNKNOWN
from cronstream.core.ledger.state import TOO_OLD, Refusal
from cronstream.worker.refusals import REMEMBERED_S, RefusalWatch
from tests.builders import at


def a_refusal(why: str = UNKNOWN, job: str = "backup", revision: int | None = 12) -> Refusal:
    return Refusal(job, f"{job}@2026-01-01T12:00:00Z", revision, why, at(0), at(0))


def test_each_job_and_reason_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    watch = RefusalWatch()
    with caplog.at_level(logging.WARNING):
        watch.note([a_refusal(), a_refusal(OUTDATED)], 0.0)
        watch.note([a_refusal()], 1.0)
        watch.note([a_refusal(TOO_OLD, "other", None)], 2.0)

    assert [record.message.split(" refused")[0] for record in caplog.records] == [
        "a run of job 'backup' was",
        "a run of job 'backup' was",
        "a run of job 'other' was",
    ]
    assert [sentence.partition(";")[0] for sentence in watch.sentences(3.0)] == [
        "a run of job 'backup' was refused: their revision, 12, is older than the one in force",
        "2 runs of job 'backup' were refused: their revision, 12, is not known here",
        "a run of job 'other' was refused: they came more than ten minutes after they were judged",
    ]


def test_what_goes_on_is_logged_again_later_and_what_is_over_is_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = RefusalWatch()
    with caplog.at_level(logging.WARNING):
        for minute in range(20):
            watch.note([a_refusal()], 60.0 * minute)

    assert [record.message.split()[0] for record in caplog.records] == ["a", "12"]
    assert watch.sentences(19 * 60.0 + REMEMBERED_S)
    assert not watch.sentences(19 * 60.0 + REMEMBERED_S + 1)


def test_what_is_to_be_expected_after_an_edit_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = RefusalWatch()
    with caplog.at_level(logging.INFO):
        watch.note([a_refusal(SUPERSEDED)], 0.0)

    assert (caplog.records, watch.sentences(1.0)) == ([], ())
