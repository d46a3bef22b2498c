"""``acls`` and ``topics``: what is printed for who sets up a Kafka."""

import json
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cronstream.cli.main import main
from cronstream.core.wire.rights import Actor, all_topics, rights
from cronstream.settings import Settings, settings
from cronstream.topology.topics import all_topics as specs_of_all
from tests.builders import NAMES

_CRONTAB = "version: 1\nclusters: {b: , a: }\njobs: []\n"


@pytest.fixture(autouse=True)
def _crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crontab.yaml").write_text(_CRONTAB)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", str(tmp_path / "crontab.yaml"))
    settings.cache_clear()


def _run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_rules_are_commands_with_one_topic_or_group_each() -> None:
    result = _run("acls", "--role", "worker", "--cluster", "a", "--principal", "User:an ox")

    lines = [shlex.split(line) for line in result.stdout.splitlines()]
    assert [line[-3] for line in lines] == [r.name for r in rights(NAMES, Actor.WORKER, ["a"])]
    for line in lines:
        assert line[0] == "kafka-acls.sh"
        assert line[line.index("--allow-principal") + 1] == "User:an ox"
        assert line[-2:] == ["--resource-pattern-type", "literal"]


def test_without_a_cluster_the_rules_are_for_all_of_the_crontab() -> None:
    result = _run("acls", "--role", "scheduler", "--format", "json")

    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {one["principal"] for one in found} == {"User:cronstream-scheduler"}
    assert {"cronstream.a", "cronstream.b"} <= {one["name"] for one in found}


def test_a_kafka_user_is_yaml_with_the_same_rules() -> None:
    result = _run("acls", "--role", "retry-worker", "--cluster", "a", "--format", "strimzi")

    user = yaml.safe_load(result.stdout)
    assert (user["kind"], user["metadata"]["name"]) == ("KafkaUser", "cronstream-a-retry")
    found = user["spec"]["authorization"]["acls"]
    wanted = rights(NAMES, Actor.RETRY_WORKER, ["a"])
    assert [(one["resource"]["name"], one["operations"]) for one in found] == [
        (right.name, [operation.value for operation in right.operations]) for right in wanted
    ]
    assert {one["resource"]["patternType"] for one in found} == {"literal"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--role", "worker"), "--role worker needs --cluster"),
        (("--role", "reader", "--cluster", "A"), "cluster name 'A' must be lower-case"),
        (("--role", "reader", "--principal", "ann"), "'ann' is no principal; write it as User:"),
        (("--role", "boss"), "'boss' is not one of"),
    ],
)
def test_what_makes_no_rules_is_a_mistake_in_the_options(words: tuple[str, ...], told: str) -> None:
    result = _run("acls", *words)

    assert result.exit_code == 2
    assert told in result.stderr


def test_topics_are_printed_as_commands_that_create_them() -> None:
    result = _run("topics", "--cluster", "a")

    lines = [shlex.split(line) for line in result.stdout.splitlines()]
    assert {line[line.index("--topic") + 1] for line in lines} == set(all_topics(NAMES, ["a"]))
    assert all(line[0] == "kafka-topics.sh" and "--create" in line for line in lines)


def test_topics_are_printed_with_all_that_they_have_for_a_program() -> None:
    result = _run("topics", "--json")

    found = {one["topic"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert set(found) == set(all_topics(NAMES, ["a", "b"]))
    assert found["cronstream.a"]["partitions"] == settings().partitions
    assert found["cronstream.a"]["config"]["message.timestamp.type"] == "LogAppendTime"


def test_the_topics_that_are_created_are_those_that_roles_are_allowed() -> None:
    specs = specs_of_all(["a", "b"], Settings())

    assert [spec.name for spec in specs] != []
    assert {spec.name for spec in specs} == set(all_topics(NAMES, ["a", "b"]))
