"""What is going on is told on a terminal, once it takes a while."""

import asyncio
import io
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
    async with progress("reading the ledgers") as update:
        update(500, 2000)
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
