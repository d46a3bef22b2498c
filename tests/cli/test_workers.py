"""``cronstream workers``, over a broker of lists."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from cronstream import clock
from cronstream.cli.main import main
from cronstream.core.health.presence import Presence
from cronstream.settings import settings
from tests.builders import NAMES
from tests.cli.fake_broker import FakeBroker
from tests.core.health.test_presence import a_process, a_scheduler


class Installation(FakeBroker):
    def __init__(self) -> None:
        super().__init__("cluster-a")
        self.create(NAMES.workers, 1)

    def told(self, who: Presence, ago_s: float = 0.0, value: bytes | None = b"") -> None:
        when = clock.now() - timedelta(seconds=ago_s)
        offset = len(self.topics[NAMES.workers][0])
        self.put(NAMES.workers, who.name, who.encode(), when)
        if value is None:
            message = self.topics[NAMES.workers][0][offset]
            self.topics[NAMES.workers][0][offset] = type(message)(
                message.topic, 0, offset, when, who.name.encode(), None
            )

    def ask(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["workers", *arguments], obj=self.connections)

    def examine(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["doctor", *arguments], obj=self.connections)


@pytest.fixture
def installation() -> Installation:
    return Installation()


def test_each_process_is_a_line_with_what_it_does(installation: Installation) -> None:
    installation.told(a_scheduler(owns="0"))
    installation.told(a_process(slots=64, running=3, waiting=2, owns="0-11", clock_s=0.3))

    answer = installation.ask()

    assert answer.exit_code == 0
    header, worker, scheduler = answer.stdout.splitlines()
    assert header.split()[:4] == ["PROCESS", "ROLE", "STATE", "VERSION"]
    assert worker.split()[:4] == ["node1.a", "cluster-a", "here", "0.1.0"]
    assert worker.split()[4:7] == ["3/64", "2", "0-11"]
    assert worker.endswith("+0.3 s")
    assert scheduler.split()[:3] == ["node1.s", "scheduler", "here"]
    assert scheduler.endswith("unknown")
    assert answer.stderr == ""


def test_those_that_were_killed_or_have_stopped_are_shown_as_gone(
    installation: Installation,
) -> None:
    installation.told(a_process("node1.forgotten"), 700)
    installation.told(a_process("node1.killed", owns="0"), 60)
    installation.told(a_process("node1.left"), 30)
    installation.told(a_process("node1.left"), 20, value=None)
    installation.told(a_process("node1.here", clock_s=0.01))

    answer = installation.ask("--json")

    states = {x["name"]: x["state"] for x in map(json.loads, answer.stdout.splitlines())}
    assert states == {"node1.killed": "gone", "node1.left": "stopped", "node1.here": "here"}
    assert "0-11" not in installation.ask().stdout
    assert "  right\n" in installation.ask().stdout


def test_what_differs_is_said_beside_the_list(installation: Installation) -> None:
    installation.told(a_process("node1.a"))
    installation.told(a_process("node2.b", lease_s=20.0, clock_s=600.0))

    answer = installation.ask("--json")

    assert "CRONSTREAM_LEASE_S is not the same everywhere: 20 in node2.b" in answer.stderr
    assert "the clock of node2 is 600.0 s ahead" in answer.stderr
    assert len(answer.stdout.splitlines()) == 2


def test_only_a_cluster_is_shown_and_one_that_has_nobody_is_not_found(
    installation: Installation,
) -> None:
    installation.told(a_process("node1.a"))
    installation.told(a_scheduler())

    assert [
        x["name"]
        for x in map(
            json.loads, installation.ask("--cluster", "cluster-a", "--json").stdout.splitlines()
        )
    ] == ["node1.a"]
    answer = installation.ask("--cluster", "cluster-b")
    assert answer.exit_code == 3
    assert "no process of cluster 'cluster-b' is there, or was lately" in answer.stderr
    assert "cluster-a" in answer.stderr


def test_a_broker_on_which_nobody_has_told_is_an_empty_list() -> None:
    answer = CliRunner().invoke(main, ["workers"], obj=FakeBroker("cluster-a").connections)

    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "no process is running" in answer.stderr


def test_a_clock_here_that_is_not_the_brokers_takes_nobody_for_gone(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for somebody to tell of itself, which says what time it is."""
    installation.told(a_process(), 600.0)

    async def meanwhile(_: float) -> None:
        installation.told(a_process(), 597.0)

    monkeypatch.setattr("cronstream.cli.workers_command.asyncio.sleep", meanwhile)
    assert json.loads(installation.ask("--json").stdout)["state"] == "here"


def test_the_doctor_finds_nothing_where_all_agree(installation: Installation) -> None:
    installation.told(a_scheduler())
    installation.told(a_process(), 0)
    installation.told(a_process("node1.r", role="retry-worker"))

    answer = installation.examine()

    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "nothing is wrong: 3 processes are there" in answer.stderr
    assert "of the processes that are there: 0.1.0 (level 2)" in answer.stderr
    assert (
        "Kafka abc of 3 brokers; topics have 3 copies, min.insync.replicas 2, and messages of at "
        "most 1,048,588 bytes" in answer.stderr
    )


def test_the_doctor_tells_of_settings_and_clocks_that_differ_and_of_roles_that_nobody_has(
    installation: Installation,
) -> None:
    installation.told(a_scheduler())
    installation.told(a_process("node1.gone", lease_s=9.0), 60)
    installation.told(a_process("node2.b", lease_s=20.0, clock_s=600.0))

    answer = installation.examine("--json")

    assert answer.exit_code == 1
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [one["kind"] for one in found] == ["process", "settings", "clock", "facts"]
    assert found[-1]["kafka"]["copies_in_sync"] == 2
    assert "no retry-worker is there" in found[0]["text"]
    assert "clock: the clock of node2 is 600.0 s ahead" in installation.examine().stdout


def test_the_doctor_tells_of_a_crontab_that_is_broken_or_held_back(
    installation: Installation,
) -> None:
    held = "crontab.yaml is held back: it would take out 7 of the 10 jobs in force; mend the file"
    installation.told(
        a_scheduler(
            crontab="3f9a12c4d5e6",
            crontab_file="/etc/crontab.yaml",
            crontab_problems=["teams/a.yaml: is gone; bring it back"],
        )
    )
    installation.told(a_scheduler("node2.s", crontab="3f9a12c4d5e6", crontab_held=held))
    installation.told(a_scheduler("node3.s", crontab_problems=["line 1: no YAML", "line 2: no"]))
    installation.told(a_process())
    installation.told(a_process("node1.r", role="retry-worker"))

    answer = installation.examine()

    assert answer.exit_code == 1
    assert answer.stdout.splitlines() == [
        (
            "crontab: node1.s (scheduler): /etc/crontab.yaml has a problem: teams/a.yaml: is gone; "
            "bring it back; mend it ('cronstream check' there names all), until then what was last "
            "good stays in force"
        ),
        f"crontab: node2.s (scheduler): {held}",
        (
            "crontab: node3.s (scheduler): its crontab has 2 problems, the first of them: line 1: "
            "no YAML; mend it ('cronstream check' there names all), until then it waits for a good "
            "one"
        ),
    ]
    assert "nothing is wrong" not in answer.stderr


def test_the_doctor_tells_what_this_user_may_not_do_and_which_topics_are_wrong(
    installation: Installation,
) -> None:
    installation.refused = {NAMES.log("cluster-a")}
    installation.wrong_topics = ["topic cronstream.ticks is not there"]

    answer = installation.examine("--role", "worker", "--cluster", "cluster-a")

    assert answer.exit_code == 1
    right, topic, *_ = answer.stdout.splitlines()
    assert right.startswith("right: this user may not Read and Write and DescribeConfigs topic ")
    assert right.endswith("'cronstream acls --role worker --cluster cluster-a' prints all")
    assert topic == "topic: topic cronstream.ticks is not there"


def test_the_doctor_tells_who_may_not_look_only_that(installation: Installation) -> None:
    installation.refused = {NAMES.jobs}

    answer = installation.examine()

    assert answer.exit_code == 1
    [line] = answer.stdout.splitlines()
    assert line.startswith(f"right: this user may not Read and DescribeConfigs topic {NAMES.jobs}")


def test_who_may_not_look_is_told_so_and_not_that_nothing_is_there(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "CRONSTREAM_BROKER": "kafka://127.0.0.1:9093",
        "CRONSTREAM_BROKER_SECURITY": "tls",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    installation.refused = {NAMES.jobs}

    answer = CliRunner().invoke(main, ["runs"], obj=installation.connections)

    assert answer.exit_code == 1
    assert f"Kafka does not allow this user to Read and DescribeConfigs topic {NAMES.jobs}" in (
        answer.stderr
    )
    assert "'cronstream acls --role reader' prints all" in answer.stderr
