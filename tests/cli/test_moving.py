"""``cronstream export`` and ``import``, over a broker of lists."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream import clock
from cronstream.cli import moving_commands
from cronstream.cli.main import main
from cronstream.core.moving.file import from_lines
from cronstream.core.wire import naming
from cronstream.core.wire.codec import encode
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from cronstream.core.wire.runs import Discarded
from cronstream.moving import leaving
from tests.builders import NOON
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import FakeBroker
from tests.core.health.test_presence import a_process


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker("cluster-a")
    broker.create(naming.JOBS, 2)
    broker.create(naming.TICKS, 2)
    broker.job(a_job(), NOON)
    return broker


def _words(broker: FakeBroker) -> list[HouseState]:
    return [record.state for record in broker.published if isinstance(record, House)]


def test_an_export_is_a_file_and_closes_the_installation(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "shop.export"
    [told] = json_lines(command("export", str(file), "--json"))

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
    command("export", str(tmp_path / "shop.export"))
    broker.published.clear()
    answer = command(*line)
    if line[0] == "run-now":
        assert answer.exit_code == 1
        assert "this installation has moved: it was exported as" in answer.stderr
    assert not broker.published


def test_an_export_that_is_taken_back_opens_it_again(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    refused = command("export", "--take-back")
    assert (refused.exit_code, "was not exported" in refused.stderr) == (1, True)

    id_ = command("export", str(tmp_path / "shop.export")).stdout
    assert command("export", "--take-back").stdout == id_
    assert _words(broker)[-1] is HouseState.OPEN
    assert command("run-now", "backup").exit_code == 0
    command("export", str(tmp_path / "again.export"))
    assert json_lines(command("export", "--take-back", "--json"))[0]["state"] == "open"


def test_an_export_during_which_somebody_writes_is_none(
    broker: FakeBroker, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def surprising(*_: object) -> list[Discarded]:
        broker.put(naming.TICKS, "0", b"{}", clock.now())
        return []

    monkeypatch.setattr(leaving, "discarded_runs", surprising)
    answer = command("export", str(tmp_path / "shop.export"))

    assert answer.exit_code == 1
    assert f"somebody has written to {naming.TICKS} meanwhile" in answer.stderr
    assert _words(broker)[-1] is HouseState.OPEN
    assert not list(tmp_path.iterdir())


def test_an_export_names_those_that_are_still_there(
    broker: FakeBroker, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_commands, "_GONE_WITHIN_S", 0.0)
    broker.create(naming.WORKERS, 1)
    who = a_process("node1.a")
    broker.put(naming.WORKERS, who.name, who.encode(), clock.now())
    file = tmp_path / "shop.export"

    answer = command("export", str(file))
    assert answer.exit_code == 1
    assert "still there: node1.a (cluster-a); stop every scheduler and worker" in answer.stderr
    assert not broker.published
    assert command("export", str(file), "--force").exit_code == 0
    assert "processes are there already: node1.a" in command("import", str(file)).stderr


def test_a_file_that_is_there_stays_as_it_is(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    file.write_text("mine")
    answer = command("export", str(file))
    assert (answer.exit_code, file.read_text()) == (2, "mine")
    assert command("export").exit_code == 2
    assert command("export", str(file), "--take-back").exit_code == 2


def test_without_an_installation_there_is_nothing_to_export(tmp_path: Path) -> None:
    broker = FakeBroker()
    answer = CliRunner().invoke(main, ["export", str(tmp_path / "x")], obj=broker.connections)
    assert answer.exit_code == 3


def test_what_is_in_a_file_is_told_without_a_kafka(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    command("export", str(file))
    answer = command("import", str(file), "--dry-run")
    assert answer.exit_code == 0
    assert "in the file: 1 jobs, 0 live runs, 0 discarded runs" in answer.stderr


def test_what_is_no_export_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.export"
    file.write_text("hello\n")
    answer = command("import", str(file))
    assert (answer.exit_code, answer.stderr) == (
        1,
        f"cronstream: {file} is not an export of cronstream\n",
    )
    assert command("import", str(tmp_path / "none")).exit_code == 1


def test_what_was_imported_in_part_is_not_exported(
    broker: FakeBroker, command: Command, tmp_path: Path
) -> None:
    word = House(state=HouseState.FILLING, export="e" * 32)
    broker.put(naming.JOBS, "backup", encode(word), NOON)
    broker.put(naming.JOBS, "x", encode(word), NOON)
    answer = command("export", str(tmp_path / "x"))
    assert answer.exit_code == 1
    assert "has been imported here in part" in answer.stderr
