"""Who puts a notice into the outpost is never kept waiting; a thread of its own sends it."""

import asyncio
import logging
import socket
import threading
from typing import Any

import pytest

from cronstream.notices import outpost as module
from cronstream.notices.notice import Kind, Notice
from cronstream.notices.outpost import Outpost
from cronstream.polling import until
from tests.notices.server import serving


def a_notice(place: str, event: str = "success", number: int = 1, **fields: Any) -> Notice:
    return Notice(Kind.HEALTHCHECKS, "backup", f"backup@{number}", place, event, **fields)


async def _until_nothing_waits(outpost: Outpost) -> None:
    async with asyncio.timeout(20):
        await until(lambda: not outpost.waiting, 0.01)


async def test_what_is_put_there_is_sent_and_its_thread_ends_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outpost, counted = Outpost(), []
    outpost.count = lambda kind, result: counted.append((kind, result))
    async with serving(500) as server:
        monkeypatch.setenv("HC", f"{server.url}/check")
        outpost.put([a_notice("from:HC", body="ü".encode())])
        await _until_nothing_waits(outpost)
    await outpost.close()

    assert counted == [("healthchecks", "sent")]
    assert server.paths == ["/check", "/check"]
    assert server.asked[0].body == "ü"
    assert "cronstream-notices" not in {thread.name for thread in threading.enumerate()}


async def test_without_a_notice_there_is_no_thread() -> None:
    outpost = Outpost()
    outpost.put([])
    await outpost.close()

    assert outpost._thread is None


async def test_a_server_that_hangs_keeps_nobody_waiting_and_the_bounds_hold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    outpost = Outpost()
    async with serving(is_open=False) as server:
        monkeypatch.setenv("HC", server.url)
        outpost.put(a_notice("from:HC", number=n) for n in range(5))
        # All that was done here, though nothing was answered: the bounds hold, and it says so.
        assert outpost.waiting == 3
        [line] = caplog.records
        assert "too many notices wait to be sent" in line.getMessage()
        await server.came.wait()
        await outpost.close(within_s=0.01)

    assert outpost.waiting == 0


async def test_bytes_have_a_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    outpost = Outpost()
    async with serving(is_open=False) as server:
        monkeypatch.setenv("HC", server.url)
        outpost.put(a_notice("from:HC", number=n, body=b"123456") for n in range(2))
        assert outpost.waiting == 1
        server.is_open.set()
        await _until_nothing_waits(outpost)
        outpost.put([a_notice("from:HC", body=b"123456")])
        assert outpost.waiting == 1
        await outpost.close()


async def test_of_a_job_that_cannot_ping_there_is_one_line_in_ten_minutes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cronstream.notices.outpost")
    now = [1000.0]
    monkeypatch.setattr("cronstream.clock.monotonic", lambda: now[0])
    outpost = Outpost()
    async with serving(404, 404, 404) as server:
        monkeypatch.setenv("HC", f"{server.url}/secret")
        for number, at in enumerate((1000.0, 1500.0, 1601.0)):
            now[0] = at
            outpost.put([a_notice("from:HC", number=number)])
            await _until_nothing_waits(outpost)
    await outpost.close()

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("run backup@0: healthchecks was not sent its notice (127.0.0.1 ")
    assert "secret" not in "".join(lines)


async def test_a_server_that_is_gone_is_given_up_when_the_worker_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv("HC", f"http://127.0.0.1:{port}")
    outpost = Outpost()
    outpost.put([a_notice("from:HC")])
    await outpost.close(within_s=0.01)

    assert [record.getMessage() for record in caplog.records if "ended" in record.getMessage()]
    assert outpost.waiting == 0
