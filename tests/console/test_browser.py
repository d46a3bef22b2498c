"""The console in a real Chromium: for everybody, by keyboard, on a telephone, without script."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from cronstream.console.answers import Wanted
from cronstream.console.installed import Installed
from cronstream.console.store import Batch
from cronstream.core.wire.live_output import Follow, Written, decode, encode
from cronstream.core.wire.runs import Job
from cronstream.history.story import RunState
from tests.builders import NAMES
from tests.console import scene
from tests.console.browser import Site, browsing, showing
from tests.console.test_store import a_story

pytestmark = pytest.mark.asyncio(loop_scope="module")

_WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with showing(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    found = await browser.new_context(viewport={"width": 1280, "height": 900})
    yield found
    await found.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_page_is_for_everybody(browser: Browser, site: Site, theme: Any) -> None:
    context = await browser.new_context(color_scheme=theme, reduced_motion="reduce")
    page = await context.new_page()
    for name, path in site.pages.items():
        await page.goto(f"{site.origin}{path}")
        found = await Axe().run(page, options=_WCAG)
        faults = [
            (one["id"], node["html"][:200], node["failureSummary"][:300])
            for one in found.response["violations"]
            for node in one["nodes"][:3]
        ]
        assert not faults, (name, theme, faults)
    await context.close()


@pytest.mark.parametrize("width", [390, 768])
async def test_no_page_is_wider_than_the_window(browser: Browser, site: Site, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 800})
    page = await context.new_page()
    for name, path in site.pages.items():
        await page.goto(f"{site.origin}{path}")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, name
        inner = await page.evaluate(
            "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
            ".length"
        )
        assert width > 390 or inner == 0, f"{name}: a table is wider than the window"
    await context.close()


async def test_nothing_is_asked_of_another_and_nothing_is_refused(
    context: BrowserContext, site: Site
) -> None:
    page = await context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for path in site.pages.values():
        await page.goto(f"{site.origin}{path}")
    assert len(asked) > len(site.pages)
    assert [url for url in asked if not url.startswith(f"{site.origin}/")] == []
    assert said == []


async def test_what_others_have_written_stays_text(context: BrowserContext, site: Site) -> None:
    for name in ("hostile job", "hostile run", "jobs", "crontab"):
        page = await site.open(context, site.pages[name])
        assert await page.locator("img").count() == 1, name
        assert await page.locator("script").count() == 1, name
        await expect(page.locator("main")).to_contain_text("<img onerror=alert(1)>")
        await page.close()


async def test_without_javascript_pages_say_the_same(browser: Browser, site: Site) -> None:
    texts: list[dict[str, list[str]]] = []
    for has_it in (True, False):
        context = await browser.new_context(java_script_enabled=has_it)
        page = await context.new_page()
        texts.append({})
        for name, path in site.pages.items():
            await page.goto(f"{site.origin}{path}")
            texts[-1][name] = (await page.locator("main").inner_text()).split()
        await context.close()
    del texts[0]["running"], texts[1]["running"]  # Its note says what is wrong with its output.
    told = " ".join(texts[0]["discarded"])
    assert "Tick all" in told  # That takes a script: without one it is not there.
    texts[0]["discarded"] = told.replace("Tick all ", "").split()
    assert texts[0] == texts[1]


async def test_one_press_ticks_all_runs_that_are_to_be_replayed(
    context: BrowserContext, site: Site
) -> None:
    page = await site.open(context, "/discarded")
    boxes = page.locator('input[name="run"]')
    for wanted in (True, False):
        await page.get_by_role("button", name="Tick all").click()
        ticked = [await box.is_checked() for box in await boxes.all()]
        assert len(ticked) > 1
        assert set(ticked) == {wanted}


async def test_a_filter_works_without_javascript(browser: Browser, site: Site) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await site.open(context, "/jobs")
    await page.get_by_label("Name").fill("mail")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_label("Name").fill("")
    await page.get_by_label("only in trouble").check()
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr td.name a")).to_have_text(["billing-close"])
    await context.close()


async def test_what_changes_is_shown_without_a_reload_and_the_focus_stays(
    context: BrowserContext, site: Site
) -> None:
    page = await site.open(context, "/runs")
    await page.evaluate("window.isTheSame = true")
    focused = page.locator("tbody tr:nth-child(3) a").first
    await focused.focus()
    story = replace(
        a_story("just-now", 0), changed_at=scene.NOW, scheduled_at=scene.NOW, reason=None
    )
    site.console._store.write(Batch({story.id: story}))
    async with asyncio.timeout(20):
        while not await page.get_by_role("link", name="just-now").count():
            await site.console.written()
            await asyncio.sleep(0.1)
    assert await page.evaluate("window.isTheSame")
    assert await page.evaluate("document.activeElement.tagName") == "A"


async def test_somebody_who_types_is_not_disturbed(context: BrowserContext, site: Site) -> None:
    page = await site.open(context, "/jobs")
    await page.keyboard.press("/")
    await page.keyboard.type("gj/back")
    for _ in range(3):
        await site.console.written()
        await asyncio.sleep(0.05)
    assert await page.get_by_label("Name").input_value() == "gj/back"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**q=gj*")


async def test_all_is_reached_by_keyboard_and_where_one_is_is_seen(
    context: BrowserContext, site: Site
) -> None:
    page = await site.open(context, "/")
    await page.keyboard.press("Tab")
    assert await _focused(page) == "Skip to content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("location.hash") == "#main"
    for key, path in (("j", "/jobs"), ("r", "/runs"), ("d", "/discarded"), ("c", "/crontab")):
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await page.wait_for_url(f"{site.origin}{path}")
    await page.goto(f"{site.origin}/jobs")
    seen = []
    for _ in range(14):
        await page.keyboard.press("Tab")
        seen.append(await _focused(page))
        style = await page.evaluate(
            "(s => [s.outlineStyle, parseFloat(s.outlineWidth)])"
            "(getComputedStyle(document.activeElement))"
        )
        assert style[0] != "none", seen[-1]
        assert style[1] >= 1, seen[-1]
    assert {"Jobs", "Audit", "Filter"} <= set(seen)


async def _focused(page: Page) -> str:
    text: str = await page.evaluate("document.activeElement.textContent.trim()")
    return text


async def test_what_moves_stands_still_for_those_who_ask_for_it(
    browser: Browser, site: Site
) -> None:
    moves = []
    for wish in ("no-preference", "reduce"):
        context = await browser.new_context(reduced_motion=wish)
        page = await site.open(context, site.pages["running"])
        moves.append(
            await page.evaluate(
                "getComputedStyle(document.querySelector('.state.running'), '::before')"
                ".animationName"
            )
        )
        await context.close()
    assert moves == ["beat", "none"]


async def test_what_a_run_writes_is_shown_as_it_comes_and_outlasts_a_refresh(
    context: BrowserContext, site: Site
) -> None:
    [story] = site.console._store.runs(Wanted(job="export-warehouse", state=RunState.RUNNING))
    broker = site.console._asking.live._reader()._broker  # type: ignore[attr-defined]
    topic = NAMES.output(story.cluster)
    broker.create(topic, 1)
    said = [
        Written(run=story.id, attempt=1, worker="w", number=1, text="\x1b[32mone\n", so_far=1),
        Written(run=story.id, attempt=1, worker="w", number=2, text=f"{scene.HOSTILE}\n"),
    ]

    def answer() -> None:
        if any(isinstance(decode(m.value), Follow) for m in broker.topics[topic][0]) and said:
            broker.put(topic, story.id, encode(said.pop(0)), scene.NOW)
        else:
            broker.put(topic, story.id, b"nothing", scene.NOW)

    broker.before_poll = answer
    page = await site.open(context, site.pages["running"])
    place = page.get_by_role("log")
    await expect(place.locator(".a-f2").first).to_have_text("one\n")
    await expect(place).to_contain_text("<img onerror=alert(1)>")
    async with page.expect_response(lambda answer: answer.url.endswith(site.pages["running"])):
        await site.console.written()
    await page.wait_for_function("!isAsking")
    await expect(place).to_contain_text("one")
    assert await place.locator("img").count() == 0
    del broker.topics[topic]
    await page.close()


async def test_ten_thousand_jobs_are_no_burden(context: BrowserContext, site: Site) -> None:
    known = site.console.watching.found
    jobs = {
        name: Job(
            name=name,
            cluster=f"cluster-{n % 20}",
            schedule=f"{n % 60} {n % 24} * * *",
            timezone="Europe/Berlin",
            command="true",
        )
        for n in range(10_000)
        for name in [f"job-{n:05}"]
    }
    site.console.watching.found = Installed(jobs, known.processes, known.now)
    try:
        for path in ("/jobs", "/jobs?trouble=1", "/", "/crontab", "/workers"):
            began = time.process_time()
            page = await site.open(context, path)
            assert time.process_time() - began < 3, path
            await page.close()
        page = await site.open(context, "/jobs?q=job-09")
        await expect(page.locator("tbody tr")).to_have_count(50)
        await page.get_by_role("link", name="more").click()
        await expect(page.get_by_role("link", name="job-09050")).to_be_visible()
    finally:
        site.console.watching.found = known
