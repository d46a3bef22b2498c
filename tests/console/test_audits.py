"""Audits from the console: one at a time, in the background, and the last is kept."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cronstream import clock
from cronstream.console.audits import Audits
from cronstream.console.store import Store
from cronstream.core.audit.finding import Window
from cronstream.errors import BrokerError
from tests.builders import at
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.console.scene import NOW, a_broker, jobs
from tests.console.test_actions import (
    ADA,
    Installation,
    a_client,
    followed,
    installation,
    post,
)

__all__ = ["installation"]

WINDOW = Window(at(3600), NOW)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


async def _end(audits: Audits) -> None:
    async with asyncio.timeout(30):
        assert audits._task is not None
        await audits._task


async def test_an_audit_goes_on_beside_all_else_and_what_it_found_is_kept(tmp_path: Path) -> None:
    store, ended = Store(tmp_path / "console.sqlite"), asyncio.Event()
    broker = a_broker(jobs())
    audits = Audits(store, lambda: FakeReader(broker), lambda _: True, ended.set)
    assert audits.fields() == {"running": None, "last": None, "problem": None}
    assert audits.start(WINDOW)
    assert not audits.start(WINDOW)
    assert audits.fields()["running"]["until"] == NOW
    await _end(audits)
    assert ended.is_set()
    last = Audits(store, lambda: FakeReader(broker), lambda _: True).fields()["last"]
    assert (last["since"], last["ended_at"]) == (WINDOW.since, NOW)
    assert last["due"] > 0
    assert last["clean"] is not any(one["is_fault"] for one in last["findings"])
    assert all(len(one["some"]) <= min(20, one["count"]) for one in last["findings"])


async def test_why_an_audit_came_to_no_end_is_said(tmp_path: Path) -> None:
    class AwayReader(FakeReader):
        async def start(self) -> None:
            raise BrokerError("no broker answers")

    store = Store(tmp_path / "console.sqlite")
    audits = Audits(store, lambda: AwayReader(FakeBroker("cluster-a")), lambda _: True)
    audits.start(WINDOW)
    await _end(audits)
    assert audits.fields() == {"running": None, "last": None, "problem": "no broker answers"}
    assert audits.start(WINDOW)
    await _end(audits)


async def test_an_error_that_nobody_has_foreseen_is_said_too(tmp_path: Path) -> None:
    def reader() -> FakeReader:
        raise ValueError("an odd message")

    ended = asyncio.Event()
    audits = Audits(Store(tmp_path / "console.sqlite"), reader, lambda _: True, ended.set)
    audits.start(WINDOW)
    with pytest.raises(ValueError, match="an odd message"):
        await _end(audits)
    assert audits.fields()["problem"] == "an error of cronstream's: ValueError: an odd message"
    assert ended.is_set()


async def test_one_that_has_just_been_asked_for_ends_with_the_console(tmp_path: Path) -> None:
    """All threads are busy: its own has not begun."""

    class SlowReader(FakeReader):
        async def start(self) -> None:
            await asyncio.sleep(60)

    busy = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        waiting = asyncio.get_running_loop().run_in_executor(None, busy.wait)
        broker = FakeBroker("cluster-a")
        store = Store(tmp_path / "console.sqlite")
        audits = Audits(store, lambda: SlowReader(broker), lambda _: True)
        audits.start(WINDOW)
        ending = asyncio.create_task(audits.stop())
        await asyncio.sleep(0)
        busy.set()
        async with asyncio.timeout(5):
            await ending
            assert await waiting


async def test_one_that_is_under_way_ends_with_the_console(tmp_path: Path) -> None:
    class SlowReader(FakeReader):
        async def start(self) -> None:
            await asyncio.sleep(60)

    store, broker = Store(tmp_path / "console.sqlite"), FakeBroker("cluster-a")
    audits = Audits(store, lambda: SlowReader(broker), lambda _: True)
    audits.start(WINDOW)
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await audits.stop()
    assert audits.fields()["running"] is None


async def test_somebody_who_may_begins_one_from_the_page(
    installation: Installation, tmp_path: Path
) -> None:
    async with a_client(installation, tmp_path) as client:
        async with client.get("/audit", headers=ADA) as answer:
            assert 'action="/audit"' in await answer.text()
        answer = await post(client, "/audit", {"hours": "24"})
        text = await followed(client, answer)
        assert "An audit was begun" in text
        answer = await post(client, "/audit", {"hours": "9999"})
        assert answer.status == 400
        answer = await client.post("/audit", data={"hours": "24"})
        assert answer.status == 401
