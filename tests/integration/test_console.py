"""A console beside a real Kafka: it says what commands say, and a kill costs it nothing."""

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from cronstream.broker.guard import Guard
from tests.console.browser import browsing
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.consoles import Console
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration


async def test_what_the_console_shows_is_what_commands_say_also_after_a_kill(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster = a_name("console")
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - {{name: {cluster}-fine, schedule: "@every 1s", command: "echo all is well"}}
  - name: {cluster}-doomed
    schedule: "@every 3s"
    command: echo something is wrong; exit 3
    max_attempts: 2
    backoff: {{first: 0.2s}}
"""
    with closing(Guard()) as guard:
        console = Console(broker, tmp_path)
        _, retry, _, first = await asyncio.gather(
            start_worker("--cluster", cluster),
            start_worker("--cluster", cluster, "--retry"),
            start_worker(crontab=crontab),
            console.start(guard),
        )
        await retry.said("discarded (attempt 2 failed (exit status 3)")
        await console.has("discarded", f"{cluster}-doomed")
        await first.kill()
        await retry.said("discarded", since=len(retry.lines))
        second = await console.start(guard)
        try:
            await _agree(console, broker, f"{cluster}-doomed")
            await console.shows(f"/jobs/{cluster}-fine", "Every second")
            doomed = (await console.has("discarded", f"{cluster}-doomed"))[-1]
            assert "something is wrong" in await console.get(f"/runs/{doomed['run']}")
        finally:
            await second.stop()


async def test_a_browser_shows_what_a_run_writes_while_it_does_and_then_its_verdict(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, over = a_name("console"), tmp_path / "over"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - name: {cluster}-slow
    schedule: "@every 10s"
    command: >-
      printf '\\033[32mbegun\\033[0m\\n'; until [ -e {over} ]; do sleep 0.2; done; echo all written
    overlap: skip
"""
    with closing(Guard()) as guard:
        console = Console(broker, tmp_path)
        *_, process = await asyncio.gather(
            start_worker("--cluster", cluster),
            start_worker("--cluster", cluster, "--retry"),
            start_worker(crontab=crontab),
            console.start(guard),
        )
        [run, *_] = await console.has("running", f"{cluster}-slow")
        try:
            async with browsing() as browser:
                await _look(await browser.new_page(), console, run["run"], over)
        finally:
            await process.stop()


async def _look(page: Page, console: Console, run: str, over: Path) -> None:
    page.set_default_timeout(60_000)
    await page.goto(console.at(f"/runs/{run}"))
    await page.evaluate("window.isTheSame = true")
    await page.get_by_role("log").locator(".a-f2", has_text="begun").first.wait_for()
    await asyncio.to_thread(over.touch)
    await page.locator(".lead .state.succeeded").wait_for()
    await page.get_by_role("region").get_by_text("all written").wait_for()
    assert await page.evaluate("window.isTheSame")
    await page.goto(console.at("/crontab"))
    await page.get_by_text("in force", exact=True).first.wait_for()
    await page.get_by_text("added", exact=True).first.wait_for()


async def _agree(console: Console, broker: str, job: str) -> None:
    """See that the discarded runs of a job are the same to both."""
    asked = ("runs", "--job", job, "--state", "discarded", "--json")
    told: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    for _ in range(40):
        status, out, err = await run_command(broker, *asked)
        assert status == 0, err
        told = {run["run"]: run for run in map(json.loads, out.splitlines())}
        shown = {run["run"]: run for run in await console.has("discarded", job)}
        if len(told) > 1 and told.keys() <= shown.keys():
            assert [_bare(shown[run]) for run in told] == [_bare(run) for run in told.values()]
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"the console and the command never agree: {sorted(shown)}, {sorted(told)}")


def _bare(run: dict[str, Any]) -> dict[str, Any]:
    """Return all but when it changed: the logs have no common order, so that may be by either."""
    told = {name: str(value).replace("000Z", "Z") for name, value in run.items()}
    return {**told, "changed_at": ""}
