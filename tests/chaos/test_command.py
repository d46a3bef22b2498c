"""What ``python -m chaos`` prints, and what it refuses, without starting anything."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chaos import command
from chaos.report import Circumstances, make_report
from chaos.session import Wish
from tests.chaos.evidence import a_story, an_execution, an_incident, evidence


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """Let chaos end at once; a start is 3 s late, after a fault only if the seed is 1."""
    seen: list[Wish] = []

    async def run(wish: Wish, *_: Any) -> Any:
        seen.append(wish)
        incidents = (an_incident(at_s=-1.0),) if wish.seed == 1 else ()
        known = evidence(an_execution(start_s=3.0), story=a_story(), incidents=incidents)
        ended = ("scheduler-1.1 ended by itself with status 70",)
        return make_report(known, Circumstances(wish.seed, 60.0, 2, 2, ended=ended))

    monkeypatch.setattr(command, "run", run)
    return seen


def chaos(*options: str) -> Result:
    return CliRunner().invoke(command.main, list(options))


def test_options_become_what_is_asked_for(wishes: list[Wish], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    options = ["--duration", "2m", "--faults", "kill, broker", "--brokers", "3", "--herd", "0"]
    result = chaos("--seed", "1", *options, "--keep", str(kept))
    assert result.exit_code == 0, result.output
    [wish] = wishes
    assert (wish.duration_s, wish.brokers, wish.herd, wish.seed) == (120.0, 3, 0, 1)
    assert {str(kind) for kind in wish.kinds} == {"kill", "broker"}
    assert wish.folder == kept


def test_the_table_says_what_is_blamed_and_how_it_ended(wishes: list[Wish]) -> None:
    result = chaos("--seed", "1")
    assert "1 faults in 60 s (seed 1); 1 runs due, 1 starts" in result.stdout
    assert "kill worker" in result.stdout
    assert "note: scheduler-1.1 ended by itself with status 70" in result.stdout
    assert result.stdout.endswith("all targets met\n")
    assert not wishes[0].folder.exists(), "what went well leaves nothing behind"


def test_a_missed_target_is_named_and_everything_is_kept(wishes: list[Wish]) -> None:
    result = chaos("--seed", "2")
    assert result.exit_code == 1
    assert (
        "target missed: 1 late starts, such as job@2026-01-01T12:00:10Z, 3.00 s late"
        in result.stdout
    )
    assert f"logs, truth and data are in {wishes[0].folder}" in result.stderr
    wishes[0].folder.rmdir()


def test_json_is_one_object_with_every_figure(wishes: list[Wish]) -> None:
    report = json.loads(chaos("--seed", "1", "--json").stdout)
    assert report["missed"] == []
    assert {row["label"] for row in report["rows"]} >= {"kill worker"}
    assert len(wishes) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--faults", "kill,flood"], "must be some of kill,pause,term,broker,hang,scale"),
        (["--duration", "soon"], "'soon' is not a length of time"),
        (["--brokers", "2"], "'2' is not one of '1', '3'"),
    ],
)
def test_wrong_usage_says_what_is_right(options: list[str], said: str) -> None:
    result = chaos(*options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_that_has_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    result = chaos("--keep", str(tmp_path))
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
