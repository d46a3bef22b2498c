"""A real browser sends our own forms, wherever the console is; another site's are refused."""

import gc
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import HttpCredentials, Page, async_playwright

from cronstream.core.wire.control import Control
from tests.console.test_actions import (
    BY,
    TOKEN,
    Installation,
    a_client,
    installation,
)

__all__ = ["installation"]

_BROWSER: Final = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(_BROWSER is None, reason="no Chromium is on this machine"),
    # What a browser that ends is in the midst of loading, aiohttp leaves open.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have what is left open be complained of here, where that is known."""
    yield
    gc.collect()


@asynccontextmanager
async def a_page(scripts: bool = True) -> AsyncIterator[Page]:
    """Give a page of somebody who has logged in as ada; ``*.example`` is this machine."""
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(
            executable_path=_BROWSER,
            args=["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1"],
        )
        login: HttpCredentials = {"username": "ada", "password": TOKEN, "send": "unauthorized"}
        context = await browser.new_context(http_credentials=login, java_script_enabled=scripts)
        try:
            yield await context.new_page()
        finally:
            await browser.close()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "cron.example"])
async def test_a_form_of_ours_is_heeded_also_where_the_browser_does_not_trust_the_address(
    installation: Installation, tmp_path: Path, host: str, *, scripts: bool
) -> None:
    """Of an address without TLS that is not this machine's own it says less: only the origin."""
    async with a_client(installation, tmp_path) as client, a_page(scripts) as page:
        await page.goto(f"http://{host}:{client.port}/jobs/backup")
        await page.get_by_label("Why").fill("disk full")
        await page.get_by_role("button", name="Pause it").click()
        await page.get_by_text("Job backup is paused").wait_for()
        await page.wait_for_load_state()
        assert "disk full" in await page.inner_text("main")
        await page.get_by_role("button", name="Resume it").click()
        await page.get_by_text("Job backup goes on").wait_for()
        await page.wait_for_load_state()
    assert [word.by for word in installation.published if isinstance(word, Control)] == [BY, BY]


@pytest.mark.parametrize("host", ["127.0.0.1", "cron.example"])
async def test_a_form_of_another_site_is_refused_though_the_browser_has_logged_in(
    installation: Installation, tmp_path: Path, host: str
) -> None:
    async with a_client(installation, tmp_path) as client, a_page() as page:
        target = f"http://{host}:{client.port}/jobs/backup"
        form = f'<form method="post" action="{target}/pause"><button>Win</button></form>'

        async def lure(_: web.Request) -> web.Response:
            return web.Response(text=form, content_type="text/html")

        other = web.Application()
        other.router.add_get("/", lure)
        async with TestServer(other) as server:
            await page.goto(target)
            await page.goto(f"http://127.0.0.1:{server.port}/")
            async with page.expect_navigation() as told:
                await page.get_by_role("button", name="Win").click()
            answer = await told.value
    assert answer is not None
    assert answer.status == 403
    assert installation.published == []
