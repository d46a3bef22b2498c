"""A real Chromium before an installation with something of everything.

It is the system's: none is fetched. Where there is none, what needs it is skipped, but in CI fails.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from cronstream import clock
from cronstream.console.answers import Wanted
from cronstream.console.app import Console
from cronstream.history.story import RunState
from cronstream.page_guard import PageGuard
from tests.console import scene

# A machine may have more to do than this.
expect.set_options(timeout=30_000)
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def program() -> str:
    """Return where Chromium is."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium is installed (apt-get install chromium)")
    if found is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    return str(found)


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Give a browser without windows."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True, slots=True)
class Site:
    """A console that answers, and its pages.

    Attributes:
        pages: Their paths, by a name for each.
    """

    console: Console
    origin: str
    pages: dict[str, str]

    async def open(self, context: BrowserContext, path: str) -> Page:
        """Return a page that was loaded."""
        page = await context.new_page()
        await page.goto(f"{self.origin}{path}", wait_until="load")
        return page


@asynccontextmanager
async def showing(folder: Path) -> AsyncIterator[Site]:
    """Give a console of the scene; its time stands still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: scene.NOW)
        console = await scene.a_console(folder)
        server = TestServer(console.application(PageGuard(())))
        await server.start_server()
        try:
            yield Site(console, f"http://127.0.0.1:{server.port}", _pages(console))
        finally:
            await server.close()


def _pages(console: Console) -> dict[str, str]:
    def run(job: str, state: RunState) -> str:
        [story] = console._store.runs(Wanted(job=job, state=state, limit=1))
        return f"/runs/{quote(story.id, safe='')}"

    return {
        "overview": "/",
        "jobs": "/jobs",
        "job": "/jobs/deliver-mail",
        "chain": "/jobs/export-warehouse",
        "paused": "/jobs/newsletter",
        "cluster": "/jobs?cluster=mail",
        "hostile job": f"/jobs/{quote(scene.HOSTILE, safe='')}",
        "runs": "/runs",
        "run": run("deliver-mail", RunState.DISCARDED),
        "colours": run("archive-invoices", RunState.SUCCEEDED),
        "running": run("export-warehouse", RunState.RUNNING),
        "hostile run": run(scene.HOSTILE, RunState.SUCCEEDED),
        "discarded": "/discarded",
        "crontab": "/crontab",
        "workers": "/workers",
        "audit": "/audit",
    }
