"""How commands find the Kafka of what runs here."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cronstream.running import RunningNote, running_at
from cronstream.settings import given_broker, settings

DIES = """
import os, sys
from pathlib import Path
from cronstream.running import RunningNote
note = RunningNote(Path(sys.argv[1]))
note.write("kafka://127.0.0.1:1")
os._exit(9)
"""


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.cache_clear()
    monkeypatch.delenv("CRONSTREAM_BROKER", raising=False)
    monkeypatch.setenv("CRONSTREAM_DATA_DIR", str(tmp_path))


def test_what_runs_here_is_found_while_it_runs(tmp_path: Path) -> None:
    assert running_at(tmp_path) is None
    with closing(RunningNote(tmp_path)) as note:
        assert running_at(tmp_path) is None
        note.write("kafka://127.0.0.1:9093")
        assert running_at(tmp_path) == "kafka://127.0.0.1:9093"
        note.write("kafka://127.0.0.1:94")
        assert running_at(tmp_path) == "kafka://127.0.0.1:94"
    assert running_at(tmp_path) is None


def test_who_died_does_not_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert (tmp_path / "running").read_text()
    assert running_at(tmp_path) is None


def test_the_first_to_run_with_a_folder_is_found_and_the_second_says_nothing(
    tmp_path: Path,
) -> None:
    with closing(RunningNote(tmp_path)) as first, closing(RunningNote(tmp_path)) as second:
        first.write("kafka://127.0.0.1:1")
        second.write("kafka://127.0.0.1:2")
        assert running_at(tmp_path) == "kafka://127.0.0.1:1"


def test_settings_find_what_runs_here_unless_a_broker_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(RunningNote(tmp_path)) as note:
        note.write("kafka://127.0.0.1:9093")
        assert settings().broker == "kafka://127.0.0.1:9093"
        assert given_broker() is None
        monkeypatch.setenv("CRONSTREAM_BROKER", "kafka://there:9092")
        settings.cache_clear()
        assert settings().broker == given_broker() == "kafka://there:9092"
