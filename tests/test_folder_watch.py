"""A folder that is listened in: what happens there is heard, together with what comes with it."""

import asyncio
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
