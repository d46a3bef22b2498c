"""What the executor is told, and what its reports become."""

from cronstream.core.protocol.actions import Cancel, End, Go, Hand, Lease
from cronstream.core.wire.enumerations import Background, Outcome, Verdict
from cronstream.core.wire.runs import Previous
from cronstream.core.wire.sizes import MAX_NOTE
from cronstream.executor import protocol
from cronstream.worker.commands import to_command, to_finished
from tests.builders import NOON, a_run, at


def test_an_attempt_is_handed_over_with_its_time_and_its_names() -> None:
    run = a_run(env={"PGHOST": "db"}, max_attempts=3, timeout_s=60.0, cwd="/srv")

    hold = to_command(Hand(f"{run.id}#7", 3, run, go=True))

    assert isinstance(hold, protocol.Hold)
    assert (hold.at, hold.partition, hold.cwd, hold.timeout_s) == (
        NOON.timestamp(),
        "3",
        "/srv",
        60,
    )
    assert hold.env == {
        "PGHOST": "db",
        "CRONSTREAM_RUN_ID": "backup@2026-01-01T12:00:00Z",
        "CRONSTREAM_JOB": "backup",
        "CRONSTREAM_CLUSTER": "cluster-a",
        "CRONSTREAM_ATTEMPT": "1",
        "CRONSTREAM_MAX_ATTEMPTS": "3",
        "CRONSTREAM_SCHEDULED_AT": "2026-01-01T12:00:00Z",
    }


def test_a_command_learns_what_became_of_the_run_that_its_own_follows() -> None:
    previous = Previous("a@2026-01-01T12:00:00Z", Verdict.DISCARDED, 3, "attempt 3 failed")
    hold = to_command(Hand("x#7", 3, a_run(previous=previous), go=True))

    assert isinstance(hold, protocol.Hold)
    assert {name: text for name, text in hold.env.items() if "PREVIOUS" in name} == {
        "CRONSTREAM_PREVIOUS_RUN_ID": "a@2026-01-01T12:00:00Z",
        "CRONSTREAM_PREVIOUS_JOB": "a",
        "CRONSTREAM_PREVIOUS_VERDICT": "discarded",
        "CRONSTREAM_PREVIOUS_ATTEMPT": "3",
        "CRONSTREAM_PREVIOUS_REASON": "attempt 3 failed",
    }


def test_an_attempt_is_made_alone_and_waits_for_its_background_if_it_is_to() -> None:
    run = a_run(background=Background.WAIT)

    hold = to_command(Hand(f"{run.id}#7", 3, run, go=True, alone=True))

    assert isinstance(hold, protocol.Hold)
    assert (hold.background, hold.alone) == ("wait", True)


def test_a_job_cannot_pass_itself_off_as_another_run() -> None:
    run = a_run(env={"CRONSTREAM_RUN_ID": "other@2026-01-01T12:00:00Z"})

    hold = to_command(Hand(f"{run.id}#7", 3, run, go=True))

    assert isinstance(hold, protocol.Hold)
    assert hold.env["CRONSTREAM_RUN_ID"] == run.id


def test_the_other_actions_have_their_orders() -> None:
    assert to_command(Go("k#1")) == protocol.Go("k#1")
    assert to_command(Cancel("k#1")) == protocol.Cancel("k#1")
    assert to_command(Lease(2, 5.5)) == protocol.Lease("2", 5.5)
    assert to_command(End("k#1", "why")) == protocol.End("k#1", "why")


def test_a_note_has_nothing_in_it_that_no_message_may_have_and_is_no_longer_than_it_may_be() -> (
    None
):
    report = protocol.Finished("k#7", "failed", None, 0.0, 127, None, "", "", 0, "\0" + "x" * 9_000)

    note = to_finished(report, "w1").note

    assert note is not None
    assert note.startswith("␀xxx")
    assert len(note) == MAX_NOTE


def test_a_report_becomes_an_entry_that_names_the_claim() -> None:
    report = protocol.Finished(
        key="backup@2026-01-01T12:00:00Z#7",
        outcome="failed",
        started_at=at(0).timestamp(),
        ended_at=at(2).timestamp(),
        exit_status=3,
        signal=None,
        head="a\0b",
        tail="",
        omitted=0,
        note=None,
    )

    entry = to_finished(report, "w1")

    assert (entry.run, entry.claim, entry.worker) == ("backup@2026-01-01T12:00:00Z", 7, "w1")
    assert (entry.outcome, entry.exit_status, entry.ended_at) == (Outcome.FAILED, 3, at(2))
    assert entry.head == "a␀b"
