"""A folder that is listened in: what happens there is heard, together with what comes with it."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from cronstream import folder_watch
from cronstream.folder_watch import Folder, FolderWatch

WITHIN_S = 5.0


class Heard:
    def __init__(self) -> None:
        self.times = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._event.set()

    async def wait(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self._event.wait()
        self._event.clear()


def folder(path: Path) -> Folder:
    return str(path), path.stat().st_ino


async def test_a_folder_in_which_much_happens_is_reported_ten_times_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_watch, "_TOGETHER_S", 0.5)
    heard = Heard()
    watch = FolderWatch(heard)
    try:
        watch.keep_to([folder(tmp_path)])
        for number in range(200):
            (tmp_path / f"{number}").write_text("")
            await asyncio.sleep(0)
        await heard.wait()
        assert heard.times == 1
    finally:
        watch.close()


async def test_a_folder_of_two_names_is_heard_of_until_none_of_them_is_listened_in(
    tmp_path: Path,
) -> None:
    heard, real, link = Heard(), tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    watch = FolderWatch(heard)
    try:
        watch.keep_to([folder(real), folder(link)])
        watch.keep_to([folder(real)])
        (real / "file").touch()
        await heard.wait()
        watch.keep_to([])
        (real / "other").touch()
        await asyncio.sleep(3 * folder_watch._TOGETHER_S)
        assert heard.times == 1
    finally:
        watch.close()


async def test_a_folder_that_was_made_anew_with_its_number_is_listened_in_again(
    tmp_path: Path,
) -> None:
    heard, path = Heard(), tmp_path / "folder"
    same = str(path), 1
    path.mkdir()
    watch = FolderWatch(heard)
    try:
        watch.keep_to([same])
        path.rmdir()
        await heard.wait()
        path.mkdir()
        watch.keep_to([same])
        (path / "file").touch()
        await heard.wait()
    finally:
        watch.close()


async def test_a_folder_that_cannot_be_listened_in_and_a_system_that_cannot_are_borne(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = FolderWatch(Heard())
    watch.keep_to([(str(tmp_path / "gone"), 1)])
    watch.close()
    watch.close()
    watch.keep_to([folder(tmp_path)])
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    elsewhere = FolderWatch(Heard())
    elsewhere.keep_to([folder(tmp_path)])
    elsewhere.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "crontab.yaml"
    path.touch()
    return path


def reports(monkeypatch: pytest.MonkeyPatch, *, all_of_it: bool = True) -> None:
    """Say of each file system whether it reports what happens in it."""
    monkeypatch.setattr(FolderWatch, "_reports", lambda *_: all_of_it)


async def test_of_a_file_in_a_folder_that_is_listened_in_all_is_heard(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports(monkeypatch)
    with closing(FolderWatch(Heard())) as watch:
        assert not watch.hears_of(file)
        watch.keep_to([folder(file.parent)])
        assert watch.hears_of(file)


async def test_not_all_is_heard_of_a_file_with_another_name_or_that_is_gone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports(monkeypatch)
    with closing(FolderWatch(Heard())) as watch:
        watch.keep_to([folder(file.parent)])
        await asyncio.to_thread(file.with_name("other").hardlink_to, file)
        assert not watch.hears_of(file)
        await asyncio.to_thread(file.unlink)
        assert not watch.hears_of(file)


async def test_not_all_is_heard_where_a_folder_cannot_be_listened_in(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports(monkeypatch)
    with closing(FolderWatch(Heard())) as watch:
        watch.keep_to([folder(file.parent), (str(file.parent / "gone"), 1)])
        assert not watch.hears_of(file)


async def test_not_all_is_heard_of_a_file_that_is_mounted_on_its_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports(monkeypatch)
    monkeypatch.setattr(folder_watch, "_mount_of", lambda path: f"mnt_id: {path}")
    with closing(FolderWatch(Heard())) as watch:
        watch.keep_to([folder(file.parent)])
        assert not watch.hears_of(file)


async def test_a_file_system_that_is_not_known_to_report_is_not_relied_on(file: Path) -> None:
    with closing(FolderWatch(Heard())) as watch:
        watch.keep_to([folder(Path("/proc"))])
        assert not watch.hears_of(Path("/proc/uptime"))
        assert not watch.hears_of(file.parent / "gone")
