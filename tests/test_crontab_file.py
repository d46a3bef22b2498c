"""The crontab's file: read once, and watched."""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cronstream import clock, crontab_file, crontab_watch
from cronstream.core.crontab.parser import MAX_BYTES, Crontab
from cronstream.crontab_file import read_crontab
from cronstream.crontab_watch import watch_crontab
from cronstream.errors import CrontabError
from cronstream.folder_watch import FolderWatch

#: A change has to be told within this.
WITHIN_S = 3.0


def text(*clusters: str) -> str:
    return f"version: 1\nclusters: {{{', '.join(f'{name}: ' for name in clusters)}}}\njobs: []\n"


def write(path: Path, content: str) -> None:
    path.write_text(content)


def remove(path: Path) -> None:
    path.unlink()


def touch(path: Path) -> None:
    path.touch()


async def logged(caplog: pytest.LogCaptureFixture, expected: str, times: int = 1) -> None:
    """Wait until something has been logged so often."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if caplog.text.count(expected) >= times:
                return
            await asyncio.sleep(0.01)


class Watching:
    """A watch that goes on beside the test, and what it tells."""

    def __init__(self) -> None:
        self._found: asyncio.Queue[Crontab | CrontabError] = asyncio.Queue()

    async def watch(self, path: Path, stop: asyncio.Event) -> None:
        async for found in watch_crontab(path, stop):
            self._found.put_nowait(found)

    async def told(self) -> str:
        """Return the next thing told: the clusters' names, or the first problem."""
        async with asyncio.timeout(WITHIN_S):
            found = await self._found.get()
        if isinstance(found, CrontabError):
            return str(found.problems[0])
        return " ".join(cluster.name for cluster in found.clusters)

    async def tells(self, expected: str) -> None:
        """Wait until it is told, whatever is told before."""
        async with asyncio.timeout(WITHIN_S):
            while await self.told() != expected:
                pass

    def is_silent(self) -> bool:
        return self._found.empty()


@asynccontextmanager
async def a_watch(path: Path) -> AsyncIterator[Watching]:
    watching, stop = Watching(), asyncio.Event()
    task = asyncio.create_task(watching.watch(path, stop))
    try:
        yield watching
    finally:
        stop.set()
        async with asyncio.timeout(WITHIN_S):
            await task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "crontab.yaml"
    path.write_text(text("a"))
    return path


@pytest.fixture(params=["heard", "looked at"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with the folder's watch alone, once with the looks alone."""
    if request.param == "looked at":
        monkeypatch.setattr(FolderWatch, "keep_to", lambda *_: None)
        monkeypatch.setattr(crontab_watch, "_POLL_S", 0.2)
    else:
        monkeypatch.setattr(crontab_watch, "_POLL_S", 60.0)


both_ways = pytest.mark.usefixtures("_way")


# -- reading -------------------------------------------------------------------------------------


def test_a_good_file_is_a_crontab(path: Path) -> None:
    assert [cluster.name for cluster in read_crontab(path).clusters] == ["a"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"version: 1\nclusters: \xff\xfe", "line 2, column 11: no UTF-8 from here on; save the"),
        (text("a").encode("utf-16"), "line 1, column 1: no UTF-8 from here on"),
        (b"", "line 1, column 1: the crontab is empty"),
        (b"x" * (MAX_BYTES + 5), "the file is larger than 64 MiB"),
    ],
)
def test_a_bad_file_is_an_error_with_its_name_and_place(
    path: Path, raw: bytes, problem: str
) -> None:
    path.write_bytes(raw)
    with pytest.raises(CrontabError) as caught:
        read_crontab(path)
    assert caught.value.source == str(path)
    assert problem in str(caught.value.problems[0])


def test_a_file_that_is_not_there_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(CrontabError, match=r"there is no such file; create it \(cronstream init\)"):
        read_crontab(tmp_path / "nowhere" / "crontab.yaml")


def test_what_is_no_file_is_an_error_and_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(CrontabError, match="is not a regular file"):
            read_crontab(path)


def test_a_link_to_itself_is_an_error_with_the_systems_words(tmp_path: Path) -> None:
    path = tmp_path / "crontab.yaml"
    path.symlink_to(path)
    with pytest.raises(CrontabError, match=r"cannot be read: .*; name another file"):
        read_crontab(path)


def test_a_file_that_may_not_be_read_is_an_error_with_a_remedy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError  # What root is never told.

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CrontabError, match="may not be read by this user; change its permissions"):
        read_crontab(path)


# -- watching ------------------------------------------------------------------------------------


@both_ways
async def test_the_file_is_told_at_once_and_an_edit_in_place_within_two_seconds(path: Path) -> None:
    async with a_watch(path) as watching:
        assert await watching.told() == "a"
        write(path, text("a", "b"))
        assert await watching.told() == "a b"


@both_ways
async def test_a_rename_over_the_file_is_told_each_time(path: Path) -> None:
    async with a_watch(path) as watching:
        await watching.told()
        for name in ("b", "c", "d"):
            fresh = path.with_suffix(".new")
            write(fresh, text(name))
            fresh.rename(path)
            assert await watching.told() == name


@both_ways
async def test_a_file_that_goes_and_comes_back_is_told_both_times(path: Path) -> None:
    async with a_watch(path) as watching:
        await watching.told()
        remove(path)
        assert "there is no such file" in await watching.told()
        write(path, text("b"))
        assert await watching.told() == "b"


@both_ways
async def test_a_link_that_points_elsewhere_is_told(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    write(other, text("other"))
    link = tmp_path / "links" / "crontab.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    async with a_watch(link) as watching:
        assert await watching.told() == "a"
        fresh = link.with_suffix(".new")
        fresh.symlink_to(other)
        fresh.rename(link)
        assert await watching.told() == "other"
        write(other, text("edited"))
        assert await watching.told() == "edited"


@both_ways
async def test_a_config_map_of_kubernetes_that_is_updated_is_told(tmp_path: Path) -> None:
    """crontab.yaml → ..data/crontab.yaml, ..data → a folder that is recreated for each update."""

    def update(number: int) -> None:
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "crontab.yaml").write_text(text(f"a{number}"))
        fresh = tmp_path / "..data_tmp"
        fresh.symlink_to(folder.name)
        fresh.rename(tmp_path / "..data")

    update(1)
    path = tmp_path / "crontab.yaml"
    path.symlink_to("..data/crontab.yaml")
    async with a_watch(path) as watching:
        assert await watching.told() == "a1"
        for number in (2, 3):
            update(number)
            assert await watching.told() == f"a{number}"


@both_ways
async def test_a_folder_that_is_a_link_and_is_swapped_is_told(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "crontab.yaml").write_text(text("other"))
    (tmp_path / "current").symlink_to(path.parent)
    async with a_watch(tmp_path / "current" / "crontab.yaml") as watching:
        assert await watching.told() == "a"
        fresh = tmp_path / "fresh"
        fresh.symlink_to(other)
        fresh.rename(tmp_path / "current")
        assert await watching.told() == "other"


async def test_a_folder_that_is_not_there_yet_is_told_once_it_is(tmp_path: Path) -> None:
    path = tmp_path / "later" / "crontab.yaml"
    async with a_watch(path) as watching:
        assert "there is no such file" in await watching.told()
        path.parent.mkdir()
        write(path, text("a"))
        assert await watching.told() == "a"


async def test_a_folder_that_is_made_anew_is_told(path: Path) -> None:
    async with a_watch(path) as watching:
        await watching.told()
        path.parent.rename(path.parent.with_name("former"))
        path.parent.mkdir()
        write(path, text("anew"))
        await watching.tells("anew")
        write(path, text("edited"))
        await watching.tells("edited")


async def test_a_broken_file_is_told_once_and_not_at_each_look(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = crontab_file.look, itertools.count()
    loop, looked_often = asyncio.get_running_loop(), asyncio.Event()

    def counted(path: Path) -> crontab_file.Content:
        if next(looks) == 10:
            loop.call_soon_threadsafe(looked_often.set)
        return look(path)

    monkeypatch.setattr(crontab_watch, "look", counted)
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.02)
    write(path, "version: 1\njobs: [")
    async with a_watch(path) as watching:
        assert "the text ends within a list" in await watching.told()
        async with asyncio.timeout(WITHIN_S):
            await looked_often.wait()
        assert watching.is_silent()
        write(path, text("good"))
        assert await watching.told() == "good"


class DeafWatch(FolderWatch):
    """One that hears of nothing."""

    def __init__(self) -> None:
        """Need no loop."""

    def keep_to(self, _: object) -> None:
        """Listen nowhere."""

    def hears_of(self, _: Path) -> bool:
        return False


async def test_a_file_that_nobody_has_touched_is_not_read_at_each_look(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = itertools.count()
    read = crontab_file.look

    def counted(path: Path) -> crontab_file.Content:
        next(reads)
        return read(path)

    monkeypatch.setattr(crontab_watch, "look", counted)
    now = 1_800_000_000.0
    monkeypatch.setattr(clock, "wall", lambda: now)
    write(path, text("a"))
    os.utime(path, (now - 60, now - 60))
    looks = crontab_watch._Looks(path, DeafWatch())
    monkeypatch.setattr(crontab_watch, "_FRESH_S", -1e12)
    first = looks.look()
    assert [looks.look() is first for _ in range(5)] == [True] * 5
    assert next(reads) == 1
    write(path, text("b"))
    assert looks.look().digest != first.digest
    monkeypatch.setattr(crontab_watch, "_FRESH_S", 1e12)
    looks.look()
    assert next(reads) == 4
    monkeypatch.setattr(crontab_watch, "_FRESH_S", -1e12)
    monkeypatch.setattr(crontab_watch, "_REREAD_S", 0.0)
    looks.look()
    assert next(reads) == 6


@pytest.mark.parametrize("much", [True, False])
async def test_what_was_read_of_a_large_file_that_has_not_changed_is_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, much: bool
) -> None:
    given_back = list[bool]()
    monkeypatch.setattr(crontab_watch, "give_memory_back", lambda: given_back.append(True))
    monkeypatch.setattr(crontab_watch, "_REREAD_S", 0.0)
    monkeypatch.setattr(crontab_watch, "_MUCH", 10 if much else 10_000)
    write(path, text("a"))
    looks = crontab_watch._Looks(path, DeafWatch())
    looks.last = looks.look().emptied()
    assert not given_back
    assert looks.look().digest == looks.last.digest
    assert given_back == ([True] if much else [])


async def test_a_file_that_cannot_be_read_by_a_fault_of_ours_is_told_and_the_next_edit_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.02)
    parse = crontab_file.parse

    def faulty(source: str, content: crontab_file.Content, *rest: Any) -> Crontab:
        if b"fault" in content.raw:
            raise IndexError("string index out of range")
        return parse(source, content, *rest)

    monkeypatch.setattr(crontab_watch, "parse", faulty)
    async with a_watch(path) as watching:
        assert await watching.told() == "a"
        write(path, text("fault"))
        assert "by a fault in cronstream itself (IndexError(" in await watching.told()
        write(path, text("b"))
        assert await watching.told() == "b"


async def test_what_a_large_file_with_a_mistake_took_is_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back = list[bool]()
    monkeypatch.setattr(crontab_watch, "give_memory_back", lambda: given_back.append(True))
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.02)
    monkeypatch.setattr(crontab_watch, "_MUCH", 10)
    async with a_watch(path) as watching:
        await watching.told()
        assert not given_back
        write(path, "jobs: nothing\n")
        await watching.told()
        assert given_back == [True]


async def test_a_file_that_is_touched_or_rewritten_the_same_is_not_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.02)
    async with a_watch(path) as watching:
        await watching.told()
        touch(path)
        write(path, text("a"))
        write(path, text("b"))
        assert await watching.told() == "b"


async def test_a_half_written_file_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = text("b").encode()
    pieces = [whole[:20], whole[:30], whole, whole]
    looks = iter([crontab_file.Content(text("a").encode())])

    def look(_: Path) -> crontab_file.Content:
        first = next(looks, None)
        return first or crontab_file.Content(pieces.pop(0) if len(pieces) > 1 else whole)

    monkeypatch.setattr(crontab_watch, "look", look)
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.01)
    monkeypatch.setattr(crontab_watch, "_SETTLE_S", 0.0)
    async with a_watch(path) as watching:
        assert await watching.told() == "a"
        assert await watching.told() == "b"


async def test_a_file_that_is_written_to_without_end_is_told_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = itertools.count()
    monkeypatch.setattr(
        crontab_watch,
        "look",
        lambda _: crontab_file.Content(text(f"a{next(names)}").encode()),
    )
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.01)
    monkeypatch.setattr(crontab_watch, "_SETTLE_S", 0.0)
    async with a_watch(path) as watching:
        assert await watching.told() == "a0"
        assert await watching.told() == f"a{1 + crontab_watch._MAX_SETTLING}"


def of_jobs(*names: str) -> str:
    """Return a crontab of these jobs, and of a cluster for each, by which a test tells them."""
    jobs = [f"  - {{name: {n}, cluster: {n}, schedule: '@daily', command: x}}\n" for n in names]
    return f"version: 1\nclusters: [{', '.join(names)}]\njobs:\n{''.join(jobs)}"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crontab_watch, "_STILL_S", 1.0)
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.1)


async def test_a_file_that_is_written_in_place_with_a_pause_removes_no_job(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(path, of_jobs("a", "b", "c", "d", "e"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b c d e"
        whole = of_jobs("a", "b", "c", "d", "e", "f")
        half = of_jobs("a")
        write(path, half)
        await logged(caplog, "crontab.yaml was written in place without 4 of its jobs (b, c, d, …)")
        write(path, of_jobs("a", "b"))
        write(path, whole)
        assert await watching.told() == "a b c d e f"
    assert caplog.text.count("written in place") == 1


@pytest.mark.usefixtures("patient")
async def test_jobs_that_stay_away_from_a_file_are_removed_once_it_is_still(path: Path) -> None:
    write(path, of_jobs("a", "b"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b"
        began = time.monotonic()
        write(path, of_jobs("a"))
        assert await watching.told() == "a"
        assert time.monotonic() - began >= 1.0


@pytest.mark.usefixtures("patient")
async def test_each_write_to_a_file_begins_the_wait_anew(path: Path) -> None:
    write(path, of_jobs("a", "b"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b"
        began = time.monotonic()
        write(path, of_jobs("a"))
        while time.monotonic() - began < 0.7:
            touch(path)
            await asyncio.sleep(0.02)
        assert await watching.told() == "a"
        assert time.monotonic() - began >= 1.5


async def test_a_file_that_ends_within_a_line_is_waited_for(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(path, of_jobs("a"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a"
        write(path, of_jobs("a", "b").rstrip())
        await logged(caplog, "crontab.yaml was written in place and ends within a line")
        write(path, of_jobs("a", "b", "c"))
        assert await watching.told() == "a b c"


async def test_a_file_that_is_again_as_it_was_is_waited_for_no_longer(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(path, of_jobs("a", "b"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b"
        for count in (1, 2):
            write(path, of_jobs("a"))
            await logged(caplog, "written in place", count)
            write(path, of_jobs("a", "b"))
            await asyncio.sleep(1.5 * crontab_watch._POLL_S if count == 1 else 0)
        assert watching.is_silent()


async def test_a_rename_and_a_swapped_link_remove_jobs_at_once(path: Path, tmp_path: Path) -> None:
    write(path, of_jobs("a", "b", "c", "d"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b c d"
        fresh = path.with_suffix(".new")
        write(fresh, of_jobs("a", "b", "c"))
        fresh.rename(path)
        assert await watching.told() == "a b c"
        write(tmp_path / "elsewhere", of_jobs("a", "b"))
        fresh.symlink_to(tmp_path / "elsewhere")
        fresh.rename(path)
        assert await watching.told() == "a b"


@pytest.mark.usefixtures("patient")
async def test_a_file_that_was_gone_and_is_written_anew_is_waited_for_too(path: Path) -> None:
    write(path, of_jobs("a", "b"))
    async with a_watch(path) as watching:
        assert await watching.told() == "a b"
        remove(path)
        assert "there is no such file" in await watching.told()
        began = time.monotonic()
        write(path, of_jobs("a"))
        assert await watching.told() == "a"
        assert time.monotonic() - began >= 1.0


async def test_a_watch_that_is_to_stop_has_stopped_within_two_seconds(path: Path) -> None:
    async with a_watch(path) as watching:
        await watching.told()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert others == []


async def test_a_watch_that_is_cancelled_leaves_nothing_behind(path: Path) -> None:
    watching = Watching()
    task = asyncio.create_task(watching.watch(path, asyncio.Event()))
    await watching.told()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
