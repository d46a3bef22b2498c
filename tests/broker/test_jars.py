import asyncio
import fcntl
from pathlib import Path

import pytest

from cronstream.broker import jars
from cronstream.broker.jars import KAFKA_VERSION, ensure_jars
from cronstream.broker.pins import PinError
from cronstream.errors import BrokerError


def write(path: Path, text: str) -> None:
    path.write_text(text)


def nobody(_line: str) -> None:
    """Listen to nothing."""


@pytest.fixture(autouse=True)
def _any_jar_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(folder: Path) -> tuple[Path, ...]:
        jars = tuple(sorted(folder.glob("*.jar")))
        if not jars:
            raise PinError(f"{folder}: kafka.jar is missing")
        return jars

    monkeypatch.setattr(jars, "check", check)


@pytest.fixture
def downloader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module to write: the download that is started instead of the real one."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(jars, "_DOWNLOAD", "fake_download")
    return tmp_path / "fake_download.py"


async def test_jars_that_are_there_are_taken_in_one_order_and_nothing_is_said(
    tmp_path: Path,
) -> None:
    folder = tmp_path / f"kafka-{KAFKA_VERSION}"
    folder.mkdir()
    for name in ("b.jar", "a.jar", "notes.txt"):
        (folder / name).touch()
    said: list[str] = []
    found = await ensure_jars(tmp_path, said.append)
    assert [jar.name for jar in found] == ["a.jar", "b.jar"]
    assert said == []


async def test_a_folder_without_its_jars_is_named(tmp_path: Path) -> None:
    (tmp_path / f"kafka-{KAFKA_VERSION}").mkdir()
    with pytest.raises(BrokerError, match=r"kafka.jar is missing: remove the folder"):
        await ensure_jars(tmp_path, nobody)


async def test_a_download_is_told_of_line_by_line_and_done_once(
    tmp_path: Path, downloader: Path
) -> None:
    write(
        downloader,
        "import pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[1]); folder.mkdir()\n"
        "(folder / 'a.jar').touch(); print('one of one')\n",
    )
    said: list[str] = []
    assert [jar.name for jar in await ensure_jars(tmp_path / "c", said.append)] == ["a.jar"]
    assert "downloading Kafka" in said[0]
    assert said[1:] == ["one of one"]
    write(downloader, "raise SystemExit('downloaded twice')\n")
    assert await ensure_jars(tmp_path / "c", nobody)


async def test_a_download_that_fails_leaves_nothing_and_says_why(
    tmp_path: Path, downloader: Path
) -> None:
    write(
        downloader,
        "import pathlib, sys\n"
        "pathlib.Path(sys.argv[1]).mkdir()\n"
        "print('noise', file=sys.stderr); sys.exit('no route to host')\n",
    )
    with pytest.raises(BrokerError, match=r"no route to host.*--broker"):
        await ensure_jars(tmp_path / "c", nobody)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["lock"]


async def test_a_download_that_is_given_up_is_ended(tmp_path: Path, downloader: Path) -> None:
    write(downloader, "import time; print('begun', flush=True); time.sleep(60)\n")
    begun = asyncio.Event()

    def say(line: str) -> None:
        if line == "begun":
            begun.set()

    task = asyncio.create_task(ensure_jars(tmp_path / "c", say))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["lock"]


async def test_a_download_by_another_process_is_waited_for(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    with (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        task = asyncio.create_task(ensure_jars(tmp_path, said.put_nowait))
        assert "another process" in await said.get()
        folder = tmp_path / f"kafka-{KAFKA_VERSION}"
        folder.mkdir()
        (folder / "theirs.jar").touch()
    assert [jar.name for jar in await task] == ["theirs.jar"]


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match="cannot be kept"):
        await ensure_jars(tmp_path / "file" / "cache", nobody)
