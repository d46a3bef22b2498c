"""What is going on, in a line on the terminal that is written over, once it takes a while."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from cronstream import clock
from cronstream.cli.output import is_terminal

READING = "reading the ledgers"
#: Whoever waits no longer than this needs no word.
_QUIET_S = 1.0
_EVERY_S = 0.3


@asynccontextmanager
async def progress(what: str) -> AsyncIterator[Callable[[int, int], None]]:
    """Show a person on a terminal what is done in the block, and for how long already.

    Gives what is to be called with how much of it has been done, and how much there is.
    """
    amounts = [0, 0]

    def update(done: int, total: int) -> None:
        amounts[:] = done, total

    showing = asyncio.create_task(_show(what, amounts)) if is_terminal(sys.stderr) else None
    try:
        yield update
    finally:
        if showing is not None:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing


async def _show(what: str, amounts: list[int]) -> None:
    began, width = clock.monotonic(), 0
    await asyncio.sleep(_QUIET_S)
    try:
        while True:
            text = _text(what, amounts, clock.monotonic() - began)
            width = max(width, len(text))
            _write(f"\r{text.ljust(width)}")
            await asyncio.sleep(_EVERY_S)
    finally:
        if width:
            _write(f"\r{' ' * width}\r")


def _text(what: str, amounts: list[int], seconds: float) -> str:
    done, total = amounts
    share = f": {done:,} of {total:,} messages ({100 * done // total} %)" if total else ""
    return f"{what}{share} ... {seconds:.0f} s"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
