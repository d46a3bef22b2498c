"""Files that a crontab includes: found, read, watched, each with its own faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cronstream import crontab_watch
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import PartlyGoodError
from cronstream.crontab_file import read_crontab
from cronstream.crontab_watch import watch_crontab
from cronstream.errors import CrontabError

WITHIN_S = 20.0
ROOT = "version: 1\nclusters: [a]\ndefaults: {cluster: a}\ninclude: teams/*.yaml\n"


def a_part(*names: str) -> str:
    jobs = [f"  - name: {name}\n    schedule: '@daily'\n    command: do\n" for name in names]
    return "".join(["jobs:\n", *jobs]) if jobs else "jobs: []\n"


def put(path: Path, text: str) -> None:
    """Put a file in its place, whole."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "crontab.yaml"
    path.write_text(ROOT)
    put(tmp_path / "teams" / "b.yaml", a_part("b1", "b2"))
    put(tmp_path / "teams" / "a.yaml", a_part("a1"))
    return path


def names(crontab: Crontab) -> str:
    return " ".join(job.name for job in crontab.jobs)


def problems(path: Path) -> list[str]:
    with pytest.raises(CrontabError) as caught:
        read_crontab(path)
    return [str(problem) for problem in caught.value.problems]


def test_files_are_included_in_the_order_of_their_names(path: Path) -> None:
    assert names(read_crontab(path)) == "a1 b1 b2"


def test_neither_the_crontab_itself_nor_what_is_hidden_is_included(path: Path) -> None:
    path.write_text(ROOT.replace("teams/*.yaml", "'*.yaml'"))
    put(path.parent / "c.yaml", a_part("c1"))
    put(path.parent / ".#c.yaml", "what an editor leaves")
    assert names(read_crontab(path)) == "c1"


def test_a_file_may_be_elsewhere_and_is_included_once(path: Path, tmp_path: Path) -> None:
    put(tmp_path / "else" / "x.yaml", a_part("x1"))
    said = f"[{tmp_path}/else/*.yaml, else/x.yaml, ./teams/a.yaml]"
    path.write_text(ROOT.replace("teams/*.yaml", said))
    assert names(read_crontab(path)) == "x1 a1"


def test_a_name_that_no_file_has_is_a_problem_of_its_own(path: Path) -> None:
    path.write_text(ROOT.replace("teams/*.yaml", "[teams/a.yaml, gone.yaml, 'none/*.yaml']"))
    remedy = "there is no such file; see to it, or to 'include' in the crontab"
    names = ("gone.yaml", "none/*.yaml")
    assert problems(path) == [f"{path.parent}/{name}: {remedy}" for name in names]


def test_what_is_no_text_is_said_with_its_file_and_place(path: Path) -> None:
    b = path.parent / "teams" / "b.yaml"
    b.write_bytes(b"jobs: []\n# \xff")
    [said] = problems(path)
    assert said == f"{b}: line 2, column 3: no UTF-8 from here on; save the file as UTF-8"


def test_the_digest_tells_all_of_the_files_apart(path: Path, tmp_path: Path) -> None:
    first = read_crontab(path).digest
    put(tmp_path / "teams" / "a.yaml", a_part("a2"))
    second = read_crontab(path).digest
    (tmp_path / "teams" / "a.yaml").rename(tmp_path / "teams" / "c.yaml")
    assert len({first, second, read_crontab(path).digest}) == 3
    copy = tmp_path / "copy"
    copy.mkdir()
    put(copy / "crontab.yaml", ROOT)
    for name in ("b", "c"):
        put(copy / "teams" / f"{name}.yaml", (tmp_path / "teams" / f"{name}.yaml").read_text())
    assert read_crontab(copy / "crontab.yaml").digest == read_crontab(path).digest


@asynccontextmanager
async def a_watch(path: Path) -> AsyncIterator[asyncio.Queue[Crontab | CrontabError]]:
    found: asyncio.Queue[Crontab | CrontabError] = asyncio.Queue()
    stop = asyncio.Event()

    async def watch() -> None:
        async for each in watch_crontab(path, stop):
            found.put_nowait(each)

    task = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(WITHIN_S):
            yield found
    finally:
        stop.set()
        await task


async def told(found: asyncio.Queue[Crontab | CrontabError]) -> str:
    each = await found.get()
    if isinstance(each, PartlyGoodError):
        return f"{names(each.crontab)}, but {len(each.problems)}"
    return names(each) if isinstance(each, Crontab) else str(each)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crontab_watch, "_POLL_S", 0.05)
    monkeypatch.setattr(crontab_watch, "_STILL_S", 0.5)


@pytest.mark.usefixtures("_soon")
async def test_an_edit_of_any_file_is_told_and_a_broken_one_keeps_what_it_had(path: Path) -> None:
    teams = path.parent / "teams"
    async with a_watch(path) as found:
        assert await told(found) == "a1 b1 b2"
        put(teams / "a.yaml", a_part("a1", "a2"))
        assert await told(found) == "a1 a2 b1 b2"
        put(teams / "b.yaml", "jobs: [")
        assert await told(found) == "a1 a2 b1 b2, but 1"
        put(teams / "a.yaml", a_part("a3"))
        assert await told(found) == "a3 b1 b2, but 1"
        put(teams / "c.yaml", a_part("c1"))
        assert await told(found) == "a3 b1 b2 c1, but 1"
        put(teams / "b.yaml", a_part("b2"))
        assert await told(found) == "a3 b2 c1"


@pytest.mark.usefixtures("_soon")
async def test_a_file_that_goes_for_a_moment_takes_no_job_with_it(path: Path) -> None:
    teams = path.parent / "teams"
    async with a_watch(path) as found:
        assert await told(found) == "a1 b1 b2"
        text = (teams / "a.yaml").read_text()
        (teams / "a.yaml").unlink()
        await asyncio.sleep(0.2)
        (teams / "a.yaml").write_text(text)
        (teams / "b.yaml").unlink()
        assert await told(found) == "a1"


@pytest.mark.usefixtures("_soon")
async def test_a_file_that_is_written_in_place_is_waited_for_if_it_lacks_jobs(path: Path) -> None:
    b = path.parent / "teams" / "b.yaml"
    async with a_watch(path) as found:
        assert await told(found) == "a1 b1 b2"
        b.write_text(a_part("b1"))
        await asyncio.sleep(0.2)
        b.write_text(a_part("b1", "b2", "b3"))
        assert await told(found) == "a1 b1 b2 b3"
        b.write_text(a_part("b1", "b2", "b3", "b4").rstrip())
        await asyncio.sleep(0.2)
        assert found.empty()
