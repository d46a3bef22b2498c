"""What is going on is told on a terminal, once it takes a while; and commands start lean."""

import asyncio
import io
import subprocess
import sys

import pytest

from cronstream.cli import progress as module
from cronstream.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def shown_on(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, quiet_s: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "_QUIET_S", quiet_s)
    async with progress("reading the ledgers") as tell:
        tell(500, 2000)
        for _ in range(5):
            await asyncio.sleep(0)
    return stream.getvalue()


async def test_it_is_told_on_a_terminal_and_the_line_is_cleared_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = await shown_on(Terminal(), monkeypatch, 0)
    text = "reading the ledgers: 500 of 2,000 messages (25 %) ... 0 s"
    assert shown == f"\r{text}\r{' ' * len(text)}\r"


async def test_what_is_soon_done_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await shown_on(Terminal(), monkeypatch, 60) == ""


async def test_elsewhere_than_on_a_terminal_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await shown_on(io.StringIO(), monkeypatch, 0) == ""


@pytest.mark.parametrize("name", ["runs", "show", "discarded", "run-now"])
def test_a_command_starts_without_the_http_client_and_leaves_the_real_one_to_others(
    name: str,
) -> None:
    script = (
        "import sys; from cronstream.cli.main import main\n"
        f"main([{name!r}, '--help'], standalone_mode=False)\n"
        "assert not [m for m in sys.modules if m.startswith('aiohttp')], 'it costs a fifth'\n"
        "import aiohttp, aiohttp.client; assert aiohttp.client.ClientSession.get\n"
        "import cronstream.application"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
