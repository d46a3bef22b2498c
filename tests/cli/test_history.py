"""``cronstream history``, over a broker of lists."""

import pytest

from cronstream.core.wire.codec import encode
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import FakeBroker

BY = "node7.c0326647 3f9a12c4d5e6"


@pytest.fixture
def broker() -> FakeBroker:
    """Five revisions of two jobs, of which one was taken out."""
    broker = FakeBroker("cluster-a")
    broker.create(NAMES.jobs, 3)
    broker.job(a_job("backup", effective_from=at(0), by=BY), at(1))
    broker.job(a_job("report", effective_from=at(0), by=BY), at(2))
    changed = {"schedule": "@hourly", "env": {"KEY": "secret"}, "effective_from": at(9)}
    where = {"file": "teams/data.yaml", "line": 37}
    broker.job(a_job("backup", **changed, by=BY, **where), at(10.5))
    broker.job(a_job("report", effective_from=at(20), removed=True), at(20))
    broker.job(a_job("backup", **changed | {"effective_from": at(30)}, signature="k1:x"), at(30))
    return broker


def test_all_revisions_are_listed_the_newest_last_with_who_and_what(command: Command) -> None:
    answer = command("history")

    assert (answer.exit_code, answer.stderr) == (0, "")
    rows = [line.split("  ") for line in answer.stdout.splitlines()]
    found = [[cell.strip() for cell in row if cell.strip()] for row in rows[1:]]
    assert [row[2] for row in found] == ["backup", "report", "backup", "report", "backup"]
    assert found[0][1:] == ["2026-01-01T12:00:00Z", "backup", "added (cluster-a, @daily)", BY]
    assert found[2][3] == "schedule '@daily' → '@hourly', env changed (KEY)"
    assert found[2][4] == f"{BY} (teams/data.yaml:37)"
    assert [row[3] for row in found[3:]] == ["removed", "repeated"]
    assert "secret" not in answer.output


def test_one_job_is_listed_for_programs(command: Command) -> None:
    first, second, third = json_lines(command("history", "backup", "--json"))

    assert second == {
        "job": "backup",
        "cluster": "cluster-a",
        "change": "changed",
        "keys": [
            {"key": "schedule", "was": "'@daily'", "is": "'@hourly'"},
            {"key": "env", "variables": ["KEY"]},
        ],
        "effective_from": "2026-01-01T12:00:09Z",
        "published_at": "2026-01-01T12:00:10.500000Z",
        "by": BY,
        "file": "teams/data.yaml",
        "line": 37,
        "signed_by": None,
        "partition": second["partition"],
        "revision": second["revision"],
    }
    assert (first["change"], third["change"], third["signed_by"]) == ("added", "repeated", "k1")


def test_only_the_newest_are_shown_and_the_others_counted(command: Command) -> None:
    answer = command("history", "--limit", "2")
    assert [line.split()[-1] for line in answer.stdout.splitlines()[1:]] == ["removed", "repeated"]
    assert answer.stderr == "and 3 before: --limit shows more\n"
    answer = command("history", "--since", "2026-01-01T12:00:15Z")
    assert (len(answer.stdout.splitlines()), answer.stderr) == (3, "")
    answer = command("history", "--since", "2026-01-02")
    assert (answer.stdout, answer.stderr) == ("", "no revision was put there since then\n")


def test_how_far_back_the_topic_goes_is_said_if_its_beginning_is_gone(
    command: Command, broker: FakeBroker
) -> None:
    broker.delete_before(NAMES.jobs, partition_of("backup", 3), 1)
    answer = command("history", "backup")
    assert "known (cluster-a, @daily)" not in answer.stdout
    assert "goes back to 2026-01-01T12:00:" in answer.stderr


def test_a_job_that_never_was_is_not_found_and_without_any_it_is_said(
    command: Command, broker: FakeBroker
) -> None:
    answer = command("history", "bakcup")
    assert answer.exit_code == 3
    assert "did you mean 'backup'?" in answer.stderr
    broker.topics.clear()
    answer = command("history")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr == "no job was ever in force\n"


def test_a_definition_on_another_partition_than_its_names_does_not_count(
    command: Command, broker: FakeBroker
) -> None:
    job = a_job("backup", command="forged")
    wrong = next(n for n in range(9) if partition_of(f"k{n}", 3) != partition_of("backup", 3))
    broker.put(NAMES.jobs, f"k{wrong}", encode(job), at(40))
    assert [line["change"] for line in json_lines(command("history", "--json"))][-1] == "refused"
