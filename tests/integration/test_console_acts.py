"""What people change from the console's pages, on a real Kafka: commands see it, and by whom."""

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cronstream.broker.guard import Guard
from cronstream.trust.signer import new_key
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.consoles import BY, TOKEN, Console, Page
from tests.integration.truth import a_name
from tests.signing import trusted

pytestmark = pytest.mark.integration


async def told(
    broker: str, *arguments: str, until: Callable[[list[dict[str, Any]]], object]
) -> list[dict[str, Any]]:
    """Wait until a command says, with ``--json``, what is expected; return it."""
    found: list[dict[str, Any]] = []
    for _ in range(60):
        status, out, _ = await run_command(broker, *arguments, "--json")
        found = [json.loads(line) for line in out.splitlines()] if status == 0 else []
        if until(found):
            return found
        await asyncio.sleep(0.5)
    pytest.fail(f"{arguments} never says so: {found}")


async def becomes(broker: str, run: str, **fields: Any) -> dict[str, Any]:
    """Wait until ``show`` says this of a run."""

    def is_so(found: list[dict[str, Any]]) -> bool:
        return bool(found) and all(found[0][name] == value for name, value in fields.items())

    return (await told(broker, "show", run, until=is_so))[0]


async def paused_by(broker: str, jobs: set[str], whom: set[str]) -> None:
    """Wait until of these jobs those are paused that are, by whom."""

    def is_so(found: list[dict[str, Any]]) -> bool:
        return {one["by"] for one in found if one["job"] in jobs} == whom

    await told(broker, "jobs", "--paused", until=is_so)


async def runs_and_replays(page: Page, broker: str, doomed: str) -> None:
    first = (await page.done(f"/jobs/{doomed}/run-now", {"arg": "given"}))["run"]
    gone = await becomes(broker, first, state="discarded", cause="run-now", by=BY)
    assert gone["command"][-1] == "given"
    await page.shows(f"/runs/{first}", f"run-now by {BY}")
    [one] = (await page.done(f"/runs/{first}/replay"))["runs"]
    await becomes(broker, one["run"], state="discarded", cause="replay", by=BY)
    form = [("run", first), ("run", one["run"])]
    both = (await page.done("/discarded/replay", form))["runs"]
    assert [made["replays"] for made in both] == [first, one["run"]]
    for made in both:
        await becomes(broker, made["run"], state="discarded", cause="replay", by=BY)


async def cancels(page: Page, broker: str, hung: str) -> None:
    run = (await page.done(f"/jobs/{hung}/run-now"))["run"]
    await becomes(broker, run, state="running")
    await page.done(f"/runs/{run}/cancel")
    await becomes(broker, run, state="skipped", reason="cancelled", cancelled_by=BY)
    await page.shows(f"/runs/{run}", f"cancelled by {BY}")
    assert (await page.post(f"/runs/{run}/cancel"))[0] == 404


async def pauses(page: Page, broker: str, cluster: str, jobs: list[str]) -> None:
    tick = jobs[-1]
    said = await page.done(f"/jobs/{tick}/pause", {"reason": "disk full", "until": "2h"})
    assert said["in_force"]
    await paused_by(broker, {tick}, {BY})
    await page.shows("/jobs", "disk full")
    assert (await page.done(f"/jobs/{tick}/resume"))["in_force"]
    await paused_by(broker, {tick}, set())
    said = await page.done(f"/clusters/{cluster}/pause")
    assert sorted(said["jobs"]) == sorted(jobs)
    await paused_by(broker, set(jobs), {BY})
    await page.done(f"/clusters/{cluster}/resume")
    await paused_by(broker, set(jobs), set())


async def test_each_thing_that_is_done_on_a_page_is_seen_by_commands_with_who_did_it(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster = a_name("acts")
    doomed, hung, tick = (f"{cluster}-{name}" for name in ("doomed", "hung", "tick"))
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - {{name: {doomed}, schedule: "@yearly", command: 'echo "$0 $1"; exit 3', allow_args: true}}
  - {{name: {hung}, schedule: "@yearly", command: exec sleep 600, grace: 1s}}
  - {{name: {tick}, schedule: "@every 1s", command: "true"}}
"""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    console = Console(broker, tmp_path, {"CRONSTREAM_WEB_TOKEN_FILE": str(token)})
    page, stranger = Page(console), Page(console, "wrong" * 4)
    with closing(Guard()) as guard:
        _, _, _, process = await asyncio.gather(
            start_worker("--cluster", cluster),
            start_worker("--cluster", cluster, "--retry"),
            start_worker(crontab=crontab),
            console.start(guard),
        )
        try:
            await page.shows("/jobs", doomed)
            assert (await stranger.post(f"/jobs/{tick}/pause"))[0] == 401
            crossing = {"Sec-Fetch-Site": "cross-site"}
            assert (await page.post(f"/jobs/{tick}/pause", **crossing))[0] == 403

            await runs_and_replays(page, broker, doomed)
            await cancels(page, broker, hung)
            await pauses(page, broker, cluster, [doomed, hung, tick])
        finally:
            await process.stop()


async def test_where_only_what_is_signed_is_run_a_console_acts_by_a_key_of_its_own(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster = a_name("signed")
    job, trust = f"{cluster}-job", tmp_path / "trusted"
    keys = {name: new_key(tmp_path / f"{name}.key") for name in ("scheduler", "console")}
    lines = (
        trusted(keys["scheduler"], "schedule", name="scheduler"),
        trusted(keys["console"], "run-now", "replay", "control", name="console"),
    )
    trust.write_text("".join(f"{key.line()}\n" for key in lines))
    token = tmp_path / "token"
    token.write_text(TOKEN)
    everyone = {
        "CRONSTREAM_PREFIX": f"x{cluster}".replace("-", ""),
        "CRONSTREAM_TRUSTED_KEYS": str(trust),
        "CRONSTREAM_SIGNATURES": "require",
        "CRONSTREAM_WEB_TOKEN_FILE": str(token),
    }
    signs = {
        name: {**everyone, "CRONSTREAM_SIGNING_KEY": str(tmp_path / f"{name}.key")} for name in keys
    }
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {job}, cluster: {cluster}, schedule: "@yearly", command: "true"}}
"""
    unsigned = Console(broker, tmp_path / "unsigned", everyone)
    signed = Console(broker, tmp_path / "signed", signs["console"])
    for folder in ("unsigned", "signed"):
        (tmp_path / folder).mkdir()
    with closing(Guard()) as guard:
        await asyncio.gather(
            start_worker(crontab=crontab, variables=signs["scheduler"]),
            start_worker("--cluster", cluster, variables=everyone),
        )
        consoles = await asyncio.gather(unsigned.start(guard), signed.start(guard))
        try:
            for console in (unsigned, signed):
                await Page(console).shows("/jobs", job)
            for path in (f"/jobs/{job}/run-now", f"/jobs/{job}/pause"):
                status, said = await Page(unsigned).post(path)
                assert status == 409, said
                assert "CRONSTREAM_SIGNING_KEY" in said["error"]
            run = (await Page(signed).done(f"/jobs/{job}/run-now"))["run"]
            await Page(signed).shows(f"/runs/{run}", "succeeded")
            assert (await Page(signed).done(f"/jobs/{job}/pause"))["in_force"]
        finally:
            for process in consoles:
                await process.stop()
