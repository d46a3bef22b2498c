"""``run-now``: from the jobs in force to the verdict."""

import subprocess

import pytest

from cronstream import clock
from cronstream.cli.who import somebody
from cronstream.core.wire.entries import Claimed, Finished, Started
from cronstream.core.wire.enumerations import Cause, Outcome
from cronstream.core.wire.levels import needed_level
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Discarded, Run
from cronstream.errors import BrokerError
from cronstream.settings import Settings
from cronstream.steering.running import run_of
from cronstream.topology.reaching import probe
from tests.builders import NAMES, NOON, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import FakeBroker


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker("cluster-a", "cluster-b")
    broker.create(NAMES.jobs, 1)
    return broker


def test_the_job_is_published_as_it_was_last_defined(broker: FakeBroker, command: Command) -> None:
    broker.job(a_job(command="old"), NOON)
    broker.job(a_job(command="new", max_attempts=3, timeout_s=9.0), at(1))
    before = clock.now()
    result = command("run-now", "backup")
    assert result.exit_code == 0, result.stderr
    [run] = broker.published
    assert isinstance(run, Run)
    assert result.stdout == f"{run.id}\n"
    assert (run.command, run.timeout_s, run.cause) == ("new", 9.0, Cause.RUN_NOW)
    assert (run.attempts_left, run.max_attempts, run.cluster) == (3, 3, "cluster-a")
    assert run.scheduled_at.microsecond == 0
    assert run.not_before >= before


def test_the_run_says_who_asked_for_it_and_needs_no_higher_level_for_that(
    broker: FakeBroker, command: Command
) -> None:
    broker.job(a_job(), NOON)
    command("run-now", "backup", "--by", "ada")
    command("run-now", "backup")
    first, second = broker.published
    assert isinstance(first, Run)
    assert isinstance(second, Run)
    assert (first.by, needed_level(first)) == ("ada", 1)
    assert second.by == somebody()


HARMFUL = "$(touch /tmp/harm); \"'`"


@pytest.mark.parametrize(
    ("command_", "expected"),
    [
        (["make", "-k"], ["make", "-k", HARMFUL, "2"]),
        ('printf %s "$1"', ["/bin/sh", "-c", 'printf %s "$1"', "/bin/sh", HARMFUL, "2"]),
    ],
)
def test_an_argument_is_one_word_of_the_command_whatever_is_in_it(
    broker: FakeBroker, command: Command, command_: str | list[str], expected: list[str]
) -> None:
    broker.job(a_job(command=command_, allow_args=True, allow_env=["DRY"], env={"A": "1"}), NOON)
    given = ("--arg", HARMFUL, "--arg", "2", "--env", f"DRY={HARMFUL}=")
    result = command("run-now", "backup", *given)
    assert result.exit_code == 0, result.stderr
    [run] = broker.published
    assert isinstance(run, Run)
    assert (run.command, run.env) == (expected, {"A": "1", "DRY": f"{HARMFUL}="})
    if command_ != ["make", "-k"]:
        said = subprocess.run(run.command, capture_output=True, text=True, check=True)
        assert said.stdout == HARMFUL


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("--arg", "x"), "job 'backup' takes no arguments: its crontab has to say 'allow_args: tr"),
        (("--env", "B=1"), "takes no variable B: its crontab has to say 'allow_env: [A, B]'"),
        (("--env", "A"), "--env 'A' is not a variable; write it like NAME=VALUE"),
        (("--env", "=1"), "--env '=1' is not a variable"),
        (("--env", "A=\0"), "a NUL can be in no argument and no variable"),
        (("--env", f"A={'x' * 500_000}"), "what is given is too large; put it in a file"),
    ],
)
def test_what_a_job_does_not_allow_is_refused_with_the_line_that_is_lacking(
    broker: FakeBroker, command: Command, given: tuple[str, ...], problem: str
) -> None:
    broker.job(a_job(allow_env=["A"]), NOON)
    result = command("run-now", "backup", *given)
    assert (result.exit_code, broker.published) == (2, [])
    assert problem in result.stderr


def test_two_runs_within_one_second_are_two() -> None:
    first = run_of(a_job(), None, at(0.1))
    second = run_of(a_job(), None, at(0.2))
    assert first.scheduled_at == second.scheduled_at
    assert first.id != second.id


def test_another_cluster_can_be_chosen(broker: FakeBroker, command: Command) -> None:
    broker.job(a_job(), NOON)
    command("run-now", "backup", "--cluster", "cluster-b")
    [run] = broker.published
    assert isinstance(run, Run)
    assert run.cluster == "cluster-b"


def test_a_cluster_without_a_log_is_an_error(broker: FakeBroker, command: Command) -> None:
    broker.job(a_job(), NOON)
    result = command("run-now", "backup", "--cluster", "nowhere")
    assert result.exit_code == 3
    assert "no cluster 'nowhere'" in result.stderr
    assert broker.published == []


def test_an_unknown_job_is_an_error_with_the_nearest_name(
    broker: FakeBroker, command: Command
) -> None:
    broker.job(a_job(), NOON)
    result = command("run-now", "bakcup")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "did you mean 'backup'?" in result.stderr


def test_a_job_that_was_removed_is_unknown(broker: FakeBroker, command: Command) -> None:
    broker.job(a_job(), NOON)
    broker.job(a_job(removed=True), at(1))
    assert command("run-now", "backup").exit_code == 3


def test_without_a_schedulers_jobs_it_says_what_to_start(
    broker: FakeBroker, command: Command
) -> None:
    del broker.topics[NAMES.jobs]
    result = command("run-now", "backup")
    assert result.exit_code == 3
    assert "no scheduler has published its jobs" in result.stderr


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.SUCCEEDED, 0), (Outcome.FAILED, 1)])
def test_waiting_ends_with_the_verdict_as_exit_status(
    broker: FakeBroker, command: Command, outcome: Outcome, status: int
) -> None:
    broker.job(a_job(), NOON)

    def work(run: Message) -> None:
        """Make the run at once, as a worker would."""
        assert isinstance(run, Run)
        now = clock.now()
        version = max(len(p) for p in broker.topics[NAMES.log("cluster-a")]) - 1
        claim = Claimed(run=run.id, version=version, worker="w1", number=1)
        start = Started(run=run.id, claim=version, worker="w1", started_at=now)
        end = Finished(
            run=run.id,
            claim=version,
            worker="w1",
            outcome=outcome,
            started_at=now,
            ended_at=now,
            exit_status=status,
        )
        broker.log("backup", claim, start, end, when=now)
        if outcome is Outcome.FAILED:
            broker.discard(Discarded(run=run, reason="1 of 1 failures", discarded_at=now))

    broker.after_publish = work
    result = command("run-now", "backup", "--wait")
    assert result.exit_code == status, result.stderr
    [run] = broker.published
    assert isinstance(run, Run)
    assert result.stdout == f"{run.id}\n"
    assert ("succeeded" if status == 0 else "discarded") in result.stderr.splitlines()[-1]


def test_the_run_is_named_in_json(broker: FakeBroker, command: Command) -> None:
    broker.job(a_job(), NOON)
    [fields] = json_lines(command("run-now", "backup", "--json"))
    [run] = broker.published
    assert isinstance(run, Run)
    assert fields == {"run": run.id, "job": "backup", "cluster": "cluster-a"}


async def test_a_broker_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(BrokerError, match="no Kafka answers") as raised:
        await probe(Settings(broker="127.0.0.1:1;[::1]:1"))
    assert "cronstream up" in str(raised.value)
    assert "\n" not in str(raised.value)
