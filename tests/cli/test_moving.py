"""``cronstream move-out`` and ``move-in``, over a broker of lists."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream import clock
from cronstream.cli import connection, moving_commands
from cronstream.cli.main import main
from cronstream.core.moving.file import from_lines
from cronstream.core.wire.codec import encode
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from cronstream.core.wire.runs import Discarded, Run
from cronstream.moving import leaving
from cronstream.settings import Settings
from cronstream.trust.signer import new_key
from tests.builders import NAMES, NOON, a_run
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import FakeBroker, FakePublisher
from tests.core.health.test_presence import a_process
from tests.signing import a_key, trusted


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker("cluster-a")
    broker.create(NAMES.jobs, 2)
    broker.create(NAMES.ticks, 2)
    broker.job(a_job(), NOON)
    return broker


def _words(broker: FakeBroker) -> list[HouseState]:
    return [record.state for record in broker.published if isinstance(record, House)]


def test_an_export_is_a_file_and_closes_the_installation(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "shop.export"
    [told] = json_lines(command("move-out", str(file), "--json"))

    export = from_lines("x", file.read_bytes())
    assert told == {
        "export": export.id,
        "state": "exported",
        "published_up_to": None,
        "jobs": 1,
        "live_runs": 0,
        "discarded_runs": 0,
    }
    assert _words(broker)[-1] is HouseState.CLOSED
    assert [path.name for path in tmp_path.iterdir()] == ["shop.export"]


@pytest.mark.parametrize("line", [("run-now", "backup"), ("replay", "--all", "--yes")])
def test_commands_put_nothing_where_nobody_works_any_more(
    broker: FakeBroker, command: Command, tmp_path: Path, line: tuple[str, ...]
) -> None:
    command("move-out", str(tmp_path / "shop.export"))
    broker.published.clear()
    answer = command(*line)
    if line[0] == "run-now":
        assert answer.exit_code == 1
        assert "this installation has moved: it was exported as" in answer.stderr
    assert not broker.published


def test_an_export_that_is_taken_back_opens_it_again(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    refused = command("move-out", "--take-back")
    assert (refused.exit_code, "was not exported" in refused.stderr) == (1, True)

    id_ = command("move-out", str(tmp_path / "shop.export")).stdout
    assert command("move-out", "--take-back").stdout == id_
    assert _words(broker)[-1] is HouseState.OPEN
    assert command("run-now", "backup").exit_code == 0
    command("move-out", str(tmp_path / "again.export"))
    assert json_lines(command("move-out", "--take-back", "--json"))[0]["state"] == "open"


def test_an_export_during_which_somebody_writes_is_none(
    broker: FakeBroker, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def surprising(*_: object) -> list[Discarded]:
        broker.put(NAMES.ticks, "0", b"{}", clock.now())
        return []

    monkeypatch.setattr(leaving, "discarded_runs", surprising)
    answer = command("move-out", str(tmp_path / "shop.export"))

    assert answer.exit_code == 1
    assert f"somebody has written to {NAMES.ticks} meanwhile" in answer.stderr
    assert _words(broker)[-1] is HouseState.OPEN
    assert not list(tmp_path.iterdir())


def test_an_export_names_those_that_are_still_there(
    broker: FakeBroker, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_commands, "_GONE_WITHIN_S", 0.0)
    broker.create(NAMES.workers, 1)
    who = a_process("node1.a")
    broker.put(NAMES.workers, who.name, who.encode(), clock.now())
    file = tmp_path / "shop.export"

    answer = command("move-out", str(file))
    assert answer.exit_code == 1
    assert "still there: node1.a (cluster-a); stop every scheduler and worker" in answer.stderr
    assert not broker.published
    assert command("move-out", str(file), "--force").exit_code == 0
    assert "processes are there already: node1.a" in command("move-in", str(file)).stderr


def test_a_file_that_is_there_stays_as_it_is(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    file.write_text("mine")
    answer = command("move-out", str(file))
    assert (answer.exit_code, file.read_text()) == (2, "mine")
    assert command("move-out").exit_code == 2
    assert command("move-out", str(file), "--take-back").exit_code == 2


def test_without_an_installation_there_is_nothing_to_export(tmp_path: Path) -> None:
    broker = FakeBroker()
    answer = CliRunner().invoke(main, ["move-out", str(tmp_path / "x")], obj=broker.connections)
    assert answer.exit_code == 3


def test_what_is_in_a_file_is_told_without_a_kafka(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    command("move-out", str(file))
    answer = command("move-in", str(file), "--dry-run")
    assert answer.exit_code == 0
    assert "in the file: 1 jobs, 0 live runs, 0 discarded runs" in answer.stderr


def test_what_is_no_export_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    file.write_text("hello\n")
    answer = command("move-in", str(file))
    assert (answer.exit_code, answer.stderr) == (
        1,
        f"cronstream: {file} is not an export of cronstream\n",
    )
    assert command("move-in", str(tmp_path / "none")).exit_code == 1


def test_what_was_imported_in_part_is_not_exported(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    word = House(state=HouseState.FILLING, export="e" * 32)
    broker.put(NAMES.jobs, "backup", encode(word), NOON)
    broker.put(NAMES.jobs, "x", encode(word), NOON)
    answer = command("move-out", str(tmp_path / "x"))
    assert answer.exit_code == 1
    assert "has been imported here in part" in answer.stderr


def test_what_is_imported_is_signed_only_if_it_was_signed_by_a_key_that_is_trusted(
    tmp_path: Path,
) -> None:
    mine, theirs = new_key(tmp_path / "key"), a_key(2)
    file = tmp_path / "trusted"
    file.write_text(trusted(mine).line())
    resign = moving_commands.resigning(
        Settings(trusted_keys=file, signing_key=tmp_path / "key", signatures="require")
    )

    def moved(former: Run) -> Run:
        return resign(former, former.derive(revision=7))

    assert moved(mine.sign(a_run())) == mine.sign(a_run(revision=7))
    assert moved(a_run()).signature is None
    assert moved(theirs.sign(a_run())).signature == theirs.sign(a_run()).signature


async def test_what_is_imported_is_published_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_key(tmp_path / "key")
    found: list[Settings] = []

    def publisher(chosen: Settings) -> FakePublisher:
        found.append(chosen)
        return FakePublisher(FakeBroker(), chosen)

    chosen = Settings(trusted_keys=tmp_path / "trusted", signing_key=tmp_path / "key")
    monkeypatch.setattr(connection, "settings", lambda: chosen)
    fakes = replace(FakeBroker().connections, publisher=publisher)
    monkeypatch.setattr(connection, "connections", lambda: fakes)

    async with connection.publishing_as_it_is():
        pass

    assert [one.signing_key for one in found] == [None]
