"""The systemd units are what systemd takes, and end our processes as these want to be ended."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cronstream.settings import Settings

FOLDER = Path(__file__).parents[2] / "ops" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
INSTALLED = "/opt/cronstream/bin"
#: Seconds beyond the drain time after which a process that cannot stop ends itself.
STUCK_S = 45


def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # names as they are written
    parser.read(unit)
    return parser["Service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace(INSTALLED, str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)

    answer = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.glob("*.service"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.stem))
def test_term_is_for_our_process_alone_and_it_has_the_time_that_it_may_take(unit: Path) -> None:
    settings = service(unit)

    assert settings["KillMode"] == "mixed"
    assert settings["Restart"] == "always"
    if "faust" in settings["ExecStart"]:
        assert int(settings["TimeoutStopSec"]) > Settings().drain_s + STUCK_S


def test_a_command_that_runs_out_of_memory_does_not_end_its_worker() -> None:
    assert service(FOLDER / "cronstream-worker@.service")["OOMPolicy"] == "continue"


def test_there_is_a_unit_for_each_role_and_for_the_broker() -> None:
    commands = {service(unit)["ExecStart"].removeprefix(f"{INSTALLED}/") for unit in UNITS}

    assert commands == {
        "cronstream broker $BROKER_OPTIONS",
        "faust --quiet -A cronstream worker",
        "faust --quiet -A cronstream worker --cluster %i",
        "faust --quiet -A cronstream worker --cluster %i --retry",
    }
