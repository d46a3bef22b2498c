"""The programs that rules are tried with are found, or fetched, or missed in a sentence."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from chaos import programs
from chaos.programs import PACKAGES, ProgramMissingError, program
from tests.prometheus.installed import installed


@pytest.mark.parametrize("name", PACKAGES)
def test_each_program_is_there_and_runs(name: str) -> None:
    assert Path(installed(name)).is_file()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt to fetch them with")
def test_what_is_not_on_the_path_is_fetched_and_runs(tmp_path: Path) -> None:
    found = programs._fetched("promtool", tmp_path / "cache")

    assert found == str(tmp_path / "cache" / "prometheus" / "usr" / "bin" / "promtool")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert "promtool" in said.stdout + said.stderr


def test_without_any_of_it_the_failure_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only(tmp_path, monkeypatch)

    with pytest.raises(ProgramMissingError, match="install them, or apt to fetch them"):
        program("promtool", tmp_path / "cache")


def test_a_program_that_does_not_run_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only(tmp_path, monkeypatch)
    broken = tmp_path / "bin" / "promtool"
    broken.write_text("#!/bin/sh\necho of another machine\nexit 8\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)

    with pytest.raises(ProgramMissingError, match=r"does not run here: .*of another machine"):
        program("promtool")


def _only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have a PATH with nothing but these programs on it."""
    there = tmp_path / "bin"
    there.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (there / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(there))
