"""``runs`` and ``show`` over logs that a test has written."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from cronstream import clock
from cronstream.cli.main import main
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Forwarded,
    Heartbeat,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Cause, Outcome, Overlap, SkipReason
from cronstream.core.wire.runs import Discarded, Run
from cronstream.history.loading import follow
from cronstream.history.scope import Scope
from cronstream.history.story import RunState
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker, FakeReader

RUN, OLD = "backup@2026-01-01T12:00:00Z", "backup@2026-01-01T09:30:00Z"
SINCE = ("--since", "2026-01-01T00:00:00")


def announce(broker: FakeBroker, job: str = "backup", cluster: str = "cluster-a") -> None:
    entry = Withdrawal(job=job, revision=1, effective_from=at(-86_400))
    broker.log(job, entry, when=at(-3600), cluster=cluster)


def make(
    broker: FakeBroker, run: Run, *, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any
) -> int:
    """Let the first attempt of a run be made; return the offset at which it ended."""
    due, end = run.scheduled_at, fields.pop("end", run.scheduled_at + timedelta(seconds=2))
    version = broker.log(run.job, run, when=due, cluster=run.cluster)
    claim = Claimed(run=run.id, version=version, worker="w1.1", number=1)
    started = Started(run=run.id, claim=version, worker="w1.1", started_at=due, pid=4)
    values: dict[str, Any] = {"started_at": due, "ended_at": end, "exit_status": 0, **fields}
    finished = Finished(run=run.id, claim=version, worker="w1.1", outcome=outcome, **values)
    broker.log(run.job, claim, started, when=due, cluster=run.cluster)
    return broker.log(run.job, finished, when=end, cluster=run.cluster)


def test_runs_are_listed_with_the_newest_last(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    make(broker, a_run(max_attempts=3))
    make(broker, a_run(scheduled_at=at(60)), outcome=Outcome.FAILED, exit_status=3)
    result = command("runs", *SINCE)
    assert result.exit_code == 0, result.stderr
    title, first, second = result.stdout.splitlines()
    assert title.split() == ["RUN", "STATE", "ATTEMPTS", "DELAY", "TOOK", "EXIT", "WORKER"]
    assert first.split("  ")[0] == RUN
    assert [cell.strip() for cell in first.split("  ") if cell][1:] == [
        "succeeded",
        "1 of 3",
        "0 ms",
        "2.0 s",
        "0",
        "w1.1",
    ]
    assert "deciding" in second
    assert result.stderr == ""


def test_a_list_in_json_has_the_documented_fields(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    make(broker, a_run(max_attempts=3))
    [fields] = json_lines(command("runs", *SINCE, "--json"))
    assert fields == {
        "run": RUN,
        "job": "backup",
        "cluster": "cluster-a",
        "scheduled_at": "2026-01-01T12:00:00Z",
        "cause": None,
        "by": None,
        "cancelled_by": None,
        "follows": None,
        "state": "succeeded",
        "reason": None,
        "attempt": 1,
        "max_attempts": 3,
        "failures": 0,
        "not_before": None,
        "late_s": None,
        "waits_for": None,
        "start_delay_s": 0.0,
        "duration_s": 2.0,
        "outcome": "succeeded",
        "exit_status": 0,
        "signal": None,
        "note": None,
        "worker": "w1.1",
        "published_at": "2026-01-01T12:00:00Z",
        "changed_at": "2026-01-01T12:00:02Z",
        "partial": False,
        "count": 1,
        "to_at": None,
    }


def test_a_run_that_is_late_is_told_with_what_it_waits_for(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(broker)
    run = a_run()
    version = broker.log("backup", run, when=NOON)
    claim = Claimed(run=run.id, version=version, worker="w1.1", number=1)
    broker.log("backup", claim, when=NOON)
    broker.log("backup", a_run(scheduled_at=at(30)), when=NOON)
    waiting = a_run(scheduled_at=at(36), overlap=Overlap.QUEUE)
    broker.log("backup", waiting, a_run(scheduled_at=at(39)), when=NOON)
    broker.log("backup", Heartbeat(worker="w1.1", number=2), when=at(39))
    monkeypatch.setattr(clock, "now", lambda: at(40))

    rows = command("runs", *SINCE).stdout.splitlines()[1:]
    late = json_lines(command("runs", *SINCE, "--json"))
    shown = command("show", run.id).stdout

    assert "claimed (late by 40.0 s, waits for a slot)" in rows[0]
    assert "queued (late by 10.0 s, waits for a worker)" in rows[1]
    assert "queued (late by 4.0 s, waits for its turn)" in rows[2]
    assert "late" not in rows[3]
    assert [(row["late_s"], row["waits_for"]) for row in late] == [
        (40.0, "a slot"),
        (10.0, "a worker"),
        (4.0, "its turn"),
        (None, None),
    ]
    assert "claimed (late by 40.0 s, waits for a slot), since " in shown


def test_a_claimed_run_whose_worker_is_silent_waits_for_that_worker_and_not_for_a_slot(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(broker)
    version = broker.log("backup", a_run(), when=NOON)
    claim = Claimed(run=RUN, version=version, worker="w1.1", number=1)
    broker.log("backup", claim, when=NOON)
    broker.log("backup", Heartbeat(worker="w1.1", number=2), when=at(20.5))
    monkeypatch.setattr(clock, "now", lambda: at(30))
    assert "claimed (late by 30.0 s, waits for a slot)" in command("runs", *SINCE).stdout

    monkeypatch.setattr(clock, "now", lambda: at(80))

    expected = (
        "claimed (late by 1 min 20 s, waits for its worker w1.1, last heard at "
        "2026-01-01T12:00:20Z)"
    )
    assert expected in command("runs", *SINCE).stdout
    assert expected in command("show", RUN).stdout
    [row] = json_lines(command("runs", *SINCE, "--json"))
    assert row["waits_for"] == "its worker"


def test_a_run_that_was_made_up_for_is_told_with_how_late_it_was(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    start = at(55)
    run = a_run(not_before=start, as_of=at(50))
    version = broker.log("backup", run, when=at(50))
    claim = Claimed(run=RUN, version=version, worker="w1.1", number=1)
    broker.log("backup", claim, when=at(50))
    broker.log(
        "backup", Started(run=RUN, claim=version, worker="w1.1", started_at=start), when=start
    )

    assert "(55.0 s after it was due, made up for)" in command("show", RUN).stdout
    [row] = json_lines(command("runs", *SINCE, "--json"))
    assert row["start_delay_s"] == 55.0


def test_a_run_that_was_asked_for_is_late_by_when_it_was_to_start(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    run = a_run(cause=Cause.BACKFILL, number=0, revision=None, not_before=at(3600), as_of=at(3600))
    version = broker.log("backup", run, when=at(3600))
    claim = Claimed(run=run.id, version=version, worker="w1.1", number=1)
    started = Started(run=run.id, claim=version, worker="w1.1", started_at=at(3601))
    broker.log("backup", claim, started, when=at(3601))

    assert "(1.0 s after it was due)" in command("show", run.id).stdout


def test_runs_are_chosen_by_job_state_and_number(broker: FakeBroker, command: Command) -> None:
    for job in ("backup", "report"):
        announce(broker, job)
        for minute in range(3):
            make(broker, a_run(job=job, scheduled_at=at(60 * minute)))
    broker.log("report", a_run(job="report", scheduled_at=at(300)), when=at(290))

    def chosen(*options: str) -> list[str]:
        return [line["run"] for line in json_lines(command("runs", *SINCE, "--json", *options))]

    assert len(chosen()) == 7
    assert len(chosen("--job", "backup")) == 3
    assert chosen("--state", "queued") == ["report@2026-01-01T12:05:00Z"]
    assert chosen("--job", "backup", "--limit", "1") == ["backup@2026-01-01T12:02:00Z"]


def test_only_what_the_ledgers_say_since_then_is_listed(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run())
    result = command("runs", "--since", "5m")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no such runs since" in result.stderr


def test_a_run_that_begins_long_before_the_window_is_marked(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run(), end=at(2 * 86_400))
    result = command("runs", "--since", "2026-01-03T11:59:00Z")
    [row] = result.stdout.splitlines()[1:]
    assert row.startswith(f"{RUN} ~  unknown (it begins before what was read)")
    assert row.split()[-2:] == ["0", "w1.1"]
    assert "~ begins before what was read; look further back with --since" in result.stderr
    [fields] = json_lines(command("runs", "--since", "2026-01-03T11:59:00Z", "--json"))
    assert (fields["state"], fields["partial"], fields["outcome"]) == ("unknown", True, "succeeded")
    shown = command("show", RUN, "--since", "2026-01-03T11:59:00Z").stdout
    assert "It begins before what was read: something is missing; see --since." in shown


def test_a_skipped_span_is_one_row(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    skip = Skip(
        job="backup", revision=1, reason=SkipReason.MISSED, from_at=NOON, to_at=at(120), count=3
    )
    broker.log("backup", skip, when=at(500))
    assert "skipped (missed, 3 due times)" in command("runs", *SINCE).stdout
    shown = command("show", "backup@2026-01-01T12:01:00Z")
    assert "state      skipped (missed, 3 due times), since" in shown.stdout
    assert "scheduled  2026-01-01T12:00:00Z to 2026-01-01T12:02:00Z" in shown.stdout


def test_a_run_that_was_skipped_for_another_says_so(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    version = broker.log("backup", a_run(), when=at(-30))
    skipped = Skipped(run=RUN, version=version, reason=SkipReason.OVERLAP)
    broker.log("backup", skipped, when=at(0))
    assert "skipped (overlap)" in command("runs", *SINCE).stdout
    shown = command("show", RUN).stdout
    assert "state      skipped (overlap), since" in shown
    assert "scheduled  2026-01-01T12:00:00Z\n" in shown


def test_a_broker_on_which_nothing_has_run_is_no_error() -> None:
    result = CliRunner().invoke(main, ["runs"], obj=FakeBroker().connections)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing has run on this broker yet" in result.stderr


@pytest.mark.parametrize("words", [("show", RUN), ("show", "backup@latest"), ("replay", RUN)])
def test_a_run_on_a_broker_on_which_nothing_has_run_is_not_looked_for_further_back(
    words: tuple[str, ...],
) -> None:
    result = CliRunner().invoke(main, words, obj=FakeBroker().connections)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("cronstream: nothing has run on this broker yet")
    assert len(result.stderr.splitlines()) == 1


def test_a_cluster_that_is_not_there_is_an_error_with_the_nearest_name(command: Command) -> None:
    result = command("runs", "--cluster", "cluster-b")
    assert result.exit_code == 3
    assert "did you mean 'cluster-a'?" in result.stderr


def test_a_time_that_is_none_is_wrong_usage(command: Command) -> None:
    result = command("runs", "--since", "yesterday")
    assert result.exit_code == 2
    assert "neither like 15m" in result.stderr


def test_following_prints_each_change_from_now_on_until_ctrl_c(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run())
    soon = clock.now() + timedelta(minutes=1)
    late = a_run(scheduled_at=soon.replace(microsecond=0))
    version = broker.log("backup", late, when=soon)
    broker.log("backup", Claimed(run=late.id, version=version, worker="w1", number=1), when=soon)
    result = command("runs", "--follow")
    assert result.exit_code == 130
    queued, claimed = result.stdout.splitlines()
    assert queued.split()[1:3] == [late.id, "queued"]
    assert claimed.endswith("claimed  attempt 1 of 1 by w1")


def test_what_began_before_is_known_when_its_first_change_is_told(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run(), end=at(1800))
    times: dict[str, Any] = {"started_at": at(-9000), "ended_at": at(1900)}
    old = Finished(run=OLD, claim=-1, worker="w1.1", outcome=Outcome.TIMED_OUT, **times)
    broker.log("backup", old, when=at(1900))
    lines = command("runs", "--follow", "--since", "2026-01-01T12:20:00Z").stdout.splitlines()
    assert [line.split("Z  ", 1)[1] for line in lines] == [
        f"{RUN}  succeeded  took 30 min 00 s",
        f"{OLD}  unknown (it begins before what was read)  attempt ? ended (timed out)",
    ]


def test_following_in_json_says_what_it_was_before(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    make(broker, a_run())
    lines = command("runs", "--follow", "--json", *SINCE).stdout.splitlines()
    changes = [json.loads(line) for line in lines]
    assert [(change["before"], change["state"]) for change in changes] == [
        (None, "queued"),
        ("queued", "claimed"),
        ("claimed", "running"),
        ("running", "succeeded"),
    ]


class PatientReader(FakeReader):
    """Has nothing for a while; meanwhile a cluster comes into being."""

    polls = 0

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        self.polls += 1
        if self.polls == 3:
            for topic in FakeBroker("cluster-b").topics:
                self._broker.create(topic, PARTITIONS)
            announce(self._broker, cluster="cluster-b")
            make(self._broker, a_run(cluster="cluster-b"))
        return [] if self.polls < 25 else await super().poll(timeout_s)


def test_a_cluster_that_comes_later_is_followed_too() -> None:
    seen = []

    async def watch() -> None:
        async for change in follow(PatientReader(FakeBroker()), Scope()):
            seen.append((change.story.cluster, change.story.state))  # noqa: PERF401 - never ends

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(watch())
    assert seen[-1] == ("cluster-b", RunState.SUCCEEDED)


def test_show_tells_every_attempt_with_its_output(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: at(5))
    announce(broker)
    run = a_run(max_attempts=2, command=["tar", "-c", "a b"])
    decided = make(
        broker,
        run,
        outcome=Outcome.FAILED,
        exit_status=3,
        head="begin\n\x1b[31mred\n",
        tail="end\n",
        omitted=5000,
    )
    broker.log("backup", Forwarded(run=RUN, version=decided), when=at(3))
    second = run.derive(attempt=2, attempts_left=1, not_before=at(60))
    broker.retry("backup", second, when=at(3))
    result = command("show", RUN)
    assert result.exit_code == 0, result.stderr
    for expected in (
        f"run        {RUN}",
        "state      retryable, since",
        "command    tar -c 'a b'",
        "next       not before 2026-01-01T12:01:00Z",
        "attempt 1: failed (exit 3), by w1.1",
        "  started  2026-01-01T12:00:00Z (0 ms after it was due)",
        "  ended    2026-01-01T12:00:02Z (took 2.0 s)",
        "  | begin",
        "  | \\x1b[31mred",
        "  | … 5,000 bytes are left out here …",
        "  | end",
    ):
        assert expected in result.stdout
    assert "\x1b" not in result.stdout


def test_show_in_json_has_the_attempts(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    make(broker, a_run(), head="hi\n")
    [fields] = json_lines(command("show", RUN, "--json"))
    [attempt] = fields["attempts"]
    assert (fields["state"], fields["command"], fields["revision"]) == ("succeeded", "true", 1)
    assert (attempt["attempt"], attempt["role"], attempt["output_head"]) == (1, "first", "hi\n")
    assert attempt["topic"] == "cronstream.cluster-a"
    assert attempt["offsets"] == {"claimed": 2, "started": 2, "ended": 3}


def test_show_takes_the_beginning_of_an_id_if_there_is_one_such_run(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run())
    make(broker, a_run(scheduled_at=at(3600)))
    assert RUN in command("show", "backup@2026-01-01T12").stdout
    several = command("show", "backup@2026-01-01")
    assert several.exit_code == 2
    assert "may be any of 2 runs" in several.stderr


def test_show_latest_is_the_run_of_the_job_that_started_last(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    make(broker, a_run())
    make(broker, a_run(scheduled_at=at(60)))
    ahead = a_run(scheduled_at=at(120))
    version = broker.log("backup", ahead, when=at(90))
    claim = Claimed(run=ahead.id, version=version, worker="w1.1", number=2)
    broker.log("backup", claim, when=at(91))
    result = command("show", "backup@latest", *SINCE)
    assert "backup@2026-01-01T12:01:00Z" in result.stdout


def test_show_latest_of_a_job_that_has_not_started_says_so_and_what_comes_next(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    broker.log("backup", a_run(), when=at(-20))
    result = command("show", "backup@latest", *SINCE)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "cronstream: no run of job 'backup' has started since 2026-01-01T00:00:00Z; "
        f"the next is {RUN}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        ("runs", "--job", "bakcup"),
        ("show", "bakcup@latest"),
        ("show", "bakcup@2026-01-01T12:00:00Z"),
        ("show", "bakcup"),
        ("discarded", "--job", "bakcup"),
        ("replay", "--job", "bakcup"),
    ],
)
def test_a_job_that_never_was_is_not_found_and_the_nearest_is_named(
    broker: FakeBroker, command: Command, line: tuple[str, ...]
) -> None:
    broker.create(NAMES.jobs, 1)
    broker.job(a_job(), NOON)
    announce(broker)
    result = command(*line)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "cronstream: there is no job 'bakcup', and there never was one; did you mean 'backup'?\n"
    )


def test_a_job_that_has_had_no_runs_is_no_error(broker: FakeBroker, command: Command) -> None:
    broker.create(NAMES.jobs, 1)
    broker.job(a_job(), NOON)
    result = command("runs", "--job", "backup")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("state", "hint"),
    [("succeede", "did you mean 'succeeded'?"), ("x", "there are: queued, claimed, running")],
)
def test_a_state_that_is_none_is_wrong_usage_with_the_nearest(
    command: Command, state: str, hint: str
) -> None:
    result = command("runs", "--state", state)
    assert result.exit_code == 2
    assert f"there is no state '{state}'; {hint}" in " ".join(result.stderr.split())


@pytest.mark.parametrize("since", ["0001-01-01T00:00+14:00", "999999w", "1960-01-01"])
def test_a_time_before_all_calendars_is_no_stack_trace(command: Command, since: str) -> None:
    result = command("runs", "--since", since)
    assert result.exit_code in (0, 2)
    assert "fault" not in result.stderr


def test_show_of_an_unknown_run_says_where_to_look(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    result = command("show", "backup@2026-01-02T00:00:00Z")
    assert result.exit_code == 3
    assert "there is no run" in result.stderr
    assert "cronstream runs" in result.stderr


def test_show_of_a_discarded_run_gives_the_reason(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    run = a_run()
    decided = make(broker, run, outcome=Outcome.FAILED, exit_status=3)
    broker.discard(Discarded(run=run, reason="1 of 1 failures", discarded_at=at(2)))
    broker.log("backup", Forwarded(run=RUN, version=decided), when=at(3))
    assert "state      discarded, since" in command("show", RUN).stdout
    assert "1 of 1 failures" in command("show", RUN).stdout


def test_a_message_that_cannot_be_read_does_not_hide_the_others(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    broker.put("cronstream.cluster-a", "backup", b"\xff not json", NOON)
    broker.put("cronstream.cluster-a.discarded", "backup", b"{}", NOON)
    make(broker, a_run())
    assert RUN in command("runs", *SINCE).stdout


@pytest.mark.parametrize("line", [("runs", *SINCE), ("show", RUN), ("discarded", *SINCE)])
def test_however_many_clusters_a_handful_of_questions_answers_a_command(
    command: Command, broker: FakeBroker, line: tuple[str, ...]
) -> None:
    for name in ("cluster-b", "cluster-c"):
        for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
            broker.create(topic(name), PARTITIONS)
        announce(broker, cluster=name)
    announce(broker)
    make(broker, a_run())
    assert command(*line).exit_code == 0
    assert broker.questions <= 6, "each is a round trip, and one of each cluster's a second or more"
