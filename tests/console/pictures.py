"""Makes the pictures of the console in docs/pictures.

    python -m tests.console.pictures [FOLDER]

They show a day on a real Kafka (`tests.console.day`) that is just over. With a folder, all pages
are drawn there too: in both themes, as wide as on a desk and as on a telephone.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.async_api import Browser

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.settings import settings
from tests.console import day
from tests.console.browser import browsing
from tests.integration.consoles import Console

_FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
#: Name, page, theme, and how high the window is.
_PICTURES: Final = (
    ("console-overview", "overview", "light", 860),
    ("console-job", "job", "dark", 860),
    ("console-run", "run", "light", 760),
)
_WIDTH: Final = 1180
_WIDTHS: Final = (1280, 390)
_LISTS: Final = ("jobs", "runs", "discarded", "workers", "crontab", "audit")
#: A job some of whose runs fail three times, and are discarded.
_JOB: Final = "orders-to-erp"
#: So long it may take to put a day on Kafka.
_PUT_WITHIN_S: Final = 600.0


@asynccontextmanager
async def _a_day(folder: Path) -> AsyncIterator[Console]:
    """Give a console that shows a day."""
    with closing(Guard()) as guard:
        port, cache = free_port(), settings().jars
        broker = EmbeddedBroker(folder, port, guard=guard, say=print, jar_cache=cache)
        await broker.start()
        is_there = asyncio.Event()
        putting = asyncio.create_task(day.main(f"127.0.0.1:{port}", is_there))
        console = Console(f"127.0.0.1:{port}", folder)
        try:
            async with asyncio.timeout(_PUT_WITHIN_S):
                await is_there.wait()
            await console.start(guard)
            yield console
        finally:
            putting.cancel()
            await broker.stop()


async def _pages(console: Console) -> dict[str, str]:
    """Return the paths of all pages, by a name for each, once the console has read the day."""
    while "reading the logs" in await console.get("/"):  # noqa: ASYNC110 - a page
        await asyncio.sleep(0.5)
    [run, *_] = await console.has("discarded", _JOB)
    one = {"overview": "/", "job": f"/jobs/{_JOB}", "run": f"/runs/{quote(run['run'], safe='')}"}
    return one | {name: f"/{name}" for name in _LISTS}


async def _draw(
    browser: Browser, address: str, path: Path, theme: str, size: Sequence[int]
) -> None:
    wish: dict[str, Any] = {"color_scheme": theme, "reduced_motion": "reduce"}
    view: Any = {"width": size[0], "height": size[1]}
    context = await browser.new_context(viewport=view, **wish)
    page = await context.new_page()
    await page.goto(address, wait_until="load")
    await page.screenshot(path=path, full_page=path.parent != _FOLDER)
    print(path, flush=True)
    await context.close()


async def main(more: Path | None) -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as folder:
        async with _a_day(Path(folder)) as console, browsing() as browser:
            pages = await _pages(console)
            for name, page, theme, height in _PICTURES:
                path, address = _FOLDER / f"{name}.png", console.at(pages[page])
                await _draw(browser, address, path, theme, (_WIDTH, height))
            if more is None:
                return
            for (name, page), theme, width in itertools.product(
                pages.items(), ("light", "dark"), _WIDTHS
            ):
                path = more / f"{name}-{theme}-{width}.png"
                await _draw(browser, console.at(page), path, theme, (width, 860))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
