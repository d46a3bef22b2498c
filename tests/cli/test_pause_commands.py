"""``pause`` and ``resume``: what they put on ``jobs``, what they say, and what they refuse."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronstream import clock
from cronstream.cli import pause_commands
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.messages import Message
from tests.builders import NAMES, NOON, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.core.health.test_presence import a_scheduler

PAUSE, RESUME = ControlAction.PAUSE, ControlAction.RESUME


class Installation(FakeBroker):
    """A broker with jobs on two clusters, and a scheduler that puts in force what is asked."""

    def __init__(self) -> None:
        super().__init__("cluster-a", "cluster-b")
        self.create(NAMES.jobs, PARTITIONS)
        self.jobs = {
            name: a_job(name, cluster=cluster)
            for name, cluster in (("backup", "a"), ("import", "a"), ("mail", "b"))
            for cluster in [f"cluster-{cluster}"]
        }
        for job in self.jobs.values():
            self.job(job, NOON)
        self.after_publish = self.steer

    def steer(self, record: Message) -> None:
        """Say of each job what was asked of it, as a scheduler does."""
        assert isinstance(record, Control)
        for name, job in self.jobs.items():
            if record.job == name or (record.job is None and record.cluster == job.cluster):
                self.say(name, record)

    def say(self, name: str, control: Control, **fields: Any) -> None:
        self.jobs[name] = self.jobs[name].derive(control=control, **fields)
        self.job(self.jobs[name], clock.now())

    @property
    def controls(self) -> list[Control]:
        return [record for record in self.published if isinstance(record, Control)]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(pause_commands, "_IN_FORCE_S", 0.0)
    monkeypatch.setattr(pause_commands, "_LOOK_S", 0.0)
    return Installation()


def a_word(action: ControlAction = PAUSE, at_s: float = 0.0, **fields: Any) -> Control:
    given: dict[str, Any] = {"cluster": "cluster-a", "by": "bob", "job": "backup", **fields}
    return Control(action=action, at=at(at_s), **given)


def test_a_pause_is_a_word_on_the_partition_of_its_job(
    broker: Installation, command: Command
) -> None:
    result = command("pause", "backup", "--reason", "disk full", "--by", "ada", "--retries")

    assert result.exit_code == 0, result.stderr
    [control] = broker.controls
    assert (control.action, control.job, control.cluster) == (PAUSE, "backup", "cluster-a")
    assert (control.by, control.reason, control.retries) == ("ada", "disk full", True)
    assert control.until is None
    assert result.stdout.startswith("job backup is paused by ada since ")


def test_a_pause_of_a_cluster_is_a_word_on_each_partition_and_a_line_for_each_job(
    broker: Installation, command: Command
) -> None:
    result = command("pause", "--cluster", "cluster-a", "--by", "ada")

    assert result.exit_code == 0, result.stderr
    assert [control.job for control in broker.controls] == [None] * PARTITIONS
    assert len({control.at for control in broker.controls}) == 1
    assert [line.split()[:4] for line in result.stdout.splitlines()] == [
        ["job", "backup", "is", "paused"],
        ["job", "import", "is", "paused"],
    ]
    assert broker.jobs["mail"].control is None


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_job_is_an_error_with_the_nearest_name(
    broker: Installation, command: Command, verb: str
) -> None:
    result = command(verb, "bakcup")

    assert (result.exit_code, result.stdout, broker.published) == (3, "", [])
    assert "did you mean 'backup'?" in result.stderr


@pytest.mark.parametrize(
    ("cluster", "hint"),
    [("clutser-a", "did you mean 'cluster-a'?"), ("zz", "there are: cluster-a, cluster-b")],
)
def test_an_unknown_cluster_is_an_error_that_names_those_there_are(
    broker: Installation, command: Command, cluster: str, hint: str
) -> None:
    result = command("pause", "--cluster", cluster)

    assert (result.exit_code, result.stdout, broker.published) == (3, "", [])
    assert f"no job of a cluster '{cluster}' is in force; " in result.stderr
    assert hint in result.stderr


@pytest.mark.parametrize("given", [(), ("backup", "--cluster", "cluster-a")])
def test_a_job_or_a_cluster_is_named_and_not_both(
    broker: Installation, command: Command, given: tuple[str, ...]
) -> None:
    result = command("pause", *given)

    assert (result.exit_code, broker.published) == (2, [])
    assert "name a job, or a cluster with --cluster" in result.stderr


def test_a_reason_that_is_too_long_is_refused_and_a_long_name_is_cut(
    broker: Installation, command: Command
) -> None:
    result = command("pause", "backup", "--reason", "x" * 501)
    assert (result.exit_code, broker.published) == (2, [])
    assert "reason is longer than 500 characters" in result.stderr
    command("pause", "backup", "--by", "y" * 201)

    assert broker.controls[0].by == "y" * 200


@pytest.mark.parametrize(
    ("until", "problem"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z is over"),
        ("2020-01-01", "2020-01-01 is over"),
        ("0s", "0s is over"),
        ("soon", "'soon' is neither like 30m, 2h or 1d nor an ISO time"),
        ("5x", "'5x' is neither like"),
        ("2m1h", "'2m1h' is neither like"),
        ("999999d", "'999999d' is neither like"),
        ("", "'' is neither like"),
    ],
)
def test_an_end_that_is_over_or_no_time_is_refused(
    broker: Installation, command: Command, until: str, problem: str
) -> None:
    result = command("pause", "backup", "--until", until)

    assert (result.exit_code, broker.published) == (2, [])
    assert problem in result.stderr


def test_a_pause_ends_after_a_while_or_at_a_time_in_utc(
    broker: Installation, command: Command
) -> None:
    before = clock.now()
    command("pause", "backup", "--until", "1h30m")
    command("pause", "backup", "--until", "2999-01-01T02:00:00+02:00")
    command("pause", "backup", "--until", "2999-01-01")
    first, second, third = (control.until for control in broker.controls)

    assert first is not None
    assert first.microsecond == 0
    assert timedelta(seconds=-1) < first - before - timedelta(minutes=90) < timedelta(minutes=1)
    assert second == third == datetime(2999, 1, 1, tzinfo=UTC)


def test_to_resume_what_is_not_paused_says_that_it_goes_on(
    broker: Installation, command: Command
) -> None:
    result = command("resume", "backup", "--by", "ada")

    assert (result.exit_code, result.stdout) == (0, "job backup goes on\n"), result.stderr
    assert [control.action for control in broker.controls] == [RESUME]


def test_a_job_stays_paused_as_long_as_its_cluster_is(
    broker: Installation, command: Command
) -> None:
    of_cluster = a_word(job=None)
    broker.say("backup", of_cluster)
    broker.after_publish = lambda said: broker.say(
        "backup", of_cluster.derive(resumed_at=vars(said)["at"])
    )
    result = command("resume", "backup")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("job backup stays paused by bob since ")
    assert " with its cluster cluster-a, though resumed at " in result.stdout


def test_a_resume_that_no_scheduler_has_noted_is_not_in_force_though_the_cluster_is_paused(
    broker: Installation, command: Command
) -> None:
    broker.say("backup", a_word(job=None, resumed_at=at(0)))
    broker.after_publish = lambda _: None
    result = command("resume", "backup")

    assert (result.exit_code, result.stdout) == (
        1,
        "what was asked of job backup is not in force\n",
    )


def test_a_pause_of_the_cluster_that_has_ended_is_no_answer_to_a_resume(
    broker: Installation, command: Command
) -> None:
    broker.say("backup", a_word(job=None, until=at(60)))
    broker.after_publish = lambda _: None
    result = command("resume", "backup")

    assert result.exit_code == 1
    assert "no scheduler has taken it up" in result.stderr


def test_a_longer_pause_of_the_cluster_stands_for_a_shorter_one_of_the_job(
    broker: Installation, command: Command
) -> None:
    broker.say("backup", a_word(job=None))
    broker.after_publish = lambda _: None

    assert command("pause", "backup", "--until", "1h").exit_code == 0


def test_a_job_that_the_file_pauses_stays_so(broker: Installation, command: Command) -> None:
    broker.say("backup", a_word(), enabled=False)
    result = command("resume", "backup")

    assert (result.exit_code, result.stdout) == (
        0,
        "job backup stays paused: the crontab says enabled: false\n",
    )


def test_a_word_that_no_scheduler_takes_up_is_said_and_the_status_is_1(
    broker: Installation, command: Command
) -> None:
    broker.after_publish = lambda _: None
    result = command("pause", "backup")

    assert (result.exit_code, result.stdout) == (
        1,
        "what was asked of job backup is not in force\n",
    )
    assert "no scheduler has taken it up within" in result.stderr


@pytest.mark.parametrize("was_paused", [False, True])
def test_as_json_such_a_job_is_as_it_was(
    broker: Installation, command: Command, was_paused: bool
) -> None:
    if was_paused:
        broker.say("backup", a_word())
    broker.after_publish = lambda _: None
    told = json.loads(command("resume" if was_paused else "pause", "backup", "--json").stdout)

    assert (told["in_force"], told["paused"]) == (False, was_paused)


@pytest.mark.parametrize(
    ("there", "problem"),
    [
        ({"level": 3}, "is of level 3, and a pause needs 4: upgrade it first"),
        ({"level": 4, "requires_signatures": True}, "runs only what is signed"),
    ],
)
def test_what_a_scheduler_would_not_heed_is_not_published(
    broker: Installation, command: Command, there: dict[str, Any], problem: str
) -> None:
    broker.create(NAMES.workers, 1)
    who = a_scheduler(**there)
    broker.put(NAMES.workers, who.name, who.encode(), clock.now())
    result = command("pause", "backup")

    assert (result.exit_code != 0, broker.published) == (True, [])
    assert problem in result.stderr


@pytest.mark.usefixtures("broker")
def test_as_json_a_job_is_an_object(command: Command) -> None:
    given = ("--until", "2999-01-01", "--by", "ada", "--reason", "r", "--retries", "--json")
    [told] = json_lines(command("pause", "backup", *given))

    assert told == {
        "job": "backup",
        "cluster": "cluster-a",
        "paused": True,
        "by": "ada",
        "reason": "r",
        "until": "2999-01-01T00:00:00Z",
        "retries": True,
        "in_force": True,
    }


def test_of_jobs_that_are_taken_out_meanwhile_nothing_is_waited_for(
    broker: Installation, command: Command
) -> None:
    broker.after_publish = lambda _: broker.job(broker.jobs["backup"].derive(removed=True), NOON)

    result = command("pause", "backup")

    assert (result.exit_code, result.stderr) == (0, "")
