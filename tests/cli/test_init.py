"""``cronstream init``: what it writes, and what it leaves alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cronstream.cli.main import main
from cronstream.crontab_file import read_crontab

ROOT = Path(__file__).parents[2]


def init(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["init", *arguments])


def test_it_writes_an_example_that_is_right_and_says_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = init()

    assert result.exit_code == 0
    assert result.stdout == "crontab.yaml\n"
    assert "next: cronstream up" in result.stderr
    assert "cronstream import FILE" in result.stderr
    assert read_crontab(tmp_path / "crontab.yaml").jobs


def test_a_folder_that_is_not_there_is_made_and_the_next_step_goes_there(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "one"

    result = init(str(folder))

    assert result.exit_code == 0
    assert f"next: cd {folder} && cronstream up" in result.stderr
    assert (folder / "crontab.yaml").is_file()


def test_a_crontab_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "crontab.yaml"
    mine.write_text("mine")

    result = init(str(tmp_path))

    assert result.exit_code == 1
    assert "is there already, and stays as it is" in result.stderr
    assert mine.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = init(str(tmp_path / "file" / "below"))

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "cannot be written (not a directory): name a folder" in result.stderr


def test_the_schema_that_the_example_names_stands_beside_it_and_one_that_is_there_stays(
    tmp_path: Path,
) -> None:
    init(str(tmp_path / "a"))
    schema = json.loads((tmp_path / "a" / "crontab.schema.json").read_text())
    assert schema["properties"]["jobs"]

    (tmp_path / "crontab.schema.json").write_text("mine")
    assert init(str(tmp_path)).exit_code == 0
    assert (tmp_path / "crontab.schema.json").read_text() == "mine"


def test_a_clone_begins_with_the_same_example() -> None:
    assert (ROOT / "crontab.yaml").read_text() == (ROOT / "cronstream/example.yaml").read_text()
