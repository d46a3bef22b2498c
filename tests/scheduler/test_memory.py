"""What a scheduler remembers of the installations that its crontab belongs to."""

from pathlib import Path

import pytest

from cronstream.scheduler.memory import DataFolder
from cronstream.settings import Settings

ID = "0123456789abcdef" * 2


def a_folder(folder: Path, crontab: str) -> DataFolder:
    return DataFolder(Settings(crontab=Path(crontab), given_data_dir=folder))


def test_each_crontab_is_remembered_by_itself(tmp_path: Path) -> None:
    ours, others = a_folder(tmp_path, "/etc/a.yaml"), a_folder(tmp_path, "/etc/b.yaml")
    assert not ours.knows(ID)
    ours.remember(ID)
    ours.remember(ID)
    assert ours.knows(ID)
    assert not ours.knows(ID[::-1])
    assert not others.knows(ID)
    others.remember(ID)
    assert a_folder(tmp_path, "/etc/a.yaml").knows(ID)
    assert (tmp_path / "installations" / ID).read_text() == "/etc/a.yaml\n/etc/b.yaml\n"


def test_a_folder_that_cannot_be_written_is_told_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    folder = a_folder(tmp_path / "file", "/etc/a.yaml")
    folder.remember(ID)
    assert not folder.knows(ID)
    assert "may need --adopt" in caplog.text


def test_a_file_that_is_damaged_is_as_if_there_was_none(tmp_path: Path) -> None:
    (tmp_path / "installations").mkdir()
    (tmp_path / "installations" / ID).write_bytes(b"\xff\xfe")
    assert not a_folder(tmp_path, "/etc/a.yaml").knows(ID)
