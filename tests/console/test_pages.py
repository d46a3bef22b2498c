"""What each page says of an installation with something of everything."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from cronstream import clock
from cronstream.console.store import Batch
from cronstream.console.words import bars
from cronstream.history.story import RunState
from cronstream.page_guard import PageGuard
from tests.builders import at
from tests.console import scene
from tests.console.test_store import a_story

Client = TestClient[web.Request, web.Application]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: scene.NOW)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    console = await scene.a_console(tmp_path, acts=False)
    async with TestClient(TestServer(console.application(PageGuard(())))) as found:
        yield found


async def _json(client: Client, path: str) -> dict[str, Any]:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = json.loads(await answer.text())
        return found


async def _text(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return text


async def test_the_overview_has_the_last_hour_the_next_and_what_was_missed(client: Client) -> None:
    found = await _json(client, "/overview.json")
    assert (len(found["hour"]), len(found["ahead"])) == (60, 60)
    assert sum(one["due"] for one in found["ahead"]) > 200
    assert found["next"][0]["job"] == "cache-warm"
    assert [one["job"] for one in found["missed"]] == ["tax-rates"]
    said = [one["what"] for one in found["troubles"]]
    assert "5 due times missed in the last hour" in said
    assert "node2.s2: /etc/cronstream/crontab.yaml has errors" in said


async def test_the_overview_names_each_job_once_of_which_runs_were_discarded(
    client: Client,
) -> None:
    found = await _json(client, "/overview.json")
    gone = {one["job"]: one for one in found["discarded"]}
    assert list(gone) == ["deliver-mail", "orders-to-erp"]
    assert gone["deliver-mail"]["count"] > 1
    assert gone["deliver-mail"]["reason"].startswith("attempt 3 failed (exit status 75)")
    said = [one["what"] for one in found["troubles"]]
    assert f"deliver-mail: {gone['deliver-mail']['count']} runs discarded in the last hour" in said
    jobs = (await _json(client, "/jobs.json"))["jobs"]
    failing = {one["job"] for one in jobs if one["is_failing"]}
    assert failing == {job for job, one in gone.items() if one["is_failing"]}


async def test_jobs_that_fail_in_a_row_are_named_and_the_others_counted(tmp_path: Path) -> None:
    console = await scene.a_console(tmp_path)
    many = [
        replace(a_story(f"job-{n}", state=RunState.DISCARDED), changed_at=scene.NOW)
        for n in range(9)
    ]
    console._store.write(Batch({one.id: one for one in many}, {}))
    client = TestClient(TestServer(console.application(PageGuard(()))))
    async with client:
        found = await _json(client, "/overview.json")
    said = [one["what"] for one in found["troubles"] if "discarded" in one["what"]]
    assert len(said) == 6
    assert said[-1].endswith("of 6 other jobs discarded")
    assert len(found["discarded"]) == 10


async def test_a_claimed_run_waits_for_a_slot_only_if_its_worker_is_there(tmp_path: Path) -> None:
    console = await scene.a_console(tmp_path)
    for worker, wait in [("node2.w1", "a slot"), ("node9.gone", "its worker")]:
        story = a_story("late-one", state=RunState.CLAIMED)
        [attempt] = story.attempts
        held = attempt._replace(worker=worker, started_at=None, ended_at=None, outcome=None)
        due = at(3600)
        story = replace(story, attempts=(held,), not_before=due, heard_at=due, changed_at=due)
        console._store.write(Batch({story.id: story}, {}))
        async with TestClient(TestServer(console.application(PageGuard(())))) as client:
            [found] = (await _json(client, "/runs.json?job=late-one"))["runs"]
        assert (found["state"], found["waits_for"]) == ("claimed", wait)


async def test_only_jobs_in_trouble_are_those_that_are_overdue_or_have_failed(
    client: Client,
) -> None:
    found = await _json(client, "/jobs.json?trouble=1")
    assert [one["job"] for one in found["jobs"]] == ["billing-close"]


async def test_a_job_has_its_revisions_in_the_words_of_history(client: Client) -> None:
    found = await _json(client, "/jobs/deliver-mail.json")
    assert [(one["change"], one["by"]) for one in found["revisions"]] == [
        ("changed", "node1.s1 4f2a91c0d3b7"),
        ("changed", "node1.s1 4f2a91c0d3b7"),
        ("added", "node1.s1 77d09be1f5aa"),
    ]
    assert found["revisions"][0]["keys"] == [{"key": "max_attempts", "was": "5", "is": "3"}]
    text = await _text(client, "/jobs/warehouse-load")
    assert "<b>env</b> changed (PGHOST)" in text
    assert "db2" not in text


async def test_a_job_says_in_which_file_and_line_it_stood_when_it_was_put_in_force(
    client: Client,
) -> None:
    found = await _json(client, "/jobs/newsletter.json")
    assert (found["file"], found["line"]) == ("teams/shop.yaml", 12)
    assert found["revisions"][0]["file"] == "teams/shop.yaml"
    assert "teams/shop.yaml, line 12" in await _text(client, "/jobs/newsletter")


async def test_a_job_has_what_it_follows_and_what_follows_it(client: Client) -> None:
    first = await _json(client, "/jobs/export-warehouse.json")
    assert first["then"] == [
        {"job": "warehouse-load", "on": "succeeded", "depth": 0},
        {"job": "warehouse-report", "on": "succeeded", "depth": 1},
    ]
    second = await _json(client, "/jobs/warehouse-load.json")
    assert second["follows"] == [{"job": "export-warehouse", "on": "succeeded"}]


async def test_changes_of_the_clocks_stand_among_the_next_due_times(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: at(85 * 86_400))  # The 27th of March.
    found = await _json(client, "/jobs/search-synonyms.json")
    marks = [one["change"] for one in found["due"]]
    assert marks[0] is None
    assert marks[1] == "clocks go from 02:00 to 03:00"
    assert marks.count(None) == 10


async def test_a_run_has_its_course_and_its_output_in_colours(client: Client) -> None:
    [run] = (await _json(client, "/runs.json?job=deliver-mail&state=discarded"))["runs"][:1]
    path = f"/runs/{quote(run['run'])}"
    found = await _json(client, f"{path}.json")
    assert [len(row["parts"]) for row in found["course"]["rows"]] == [2, 2, 2]
    text = await _text(client, path)
    assert '<span class="a-f1">error</span>: mail.example.org' in text
    assert "exit status 75" in text
    assert "cronstream.mail.retry" in text


async def test_a_run_that_runs_has_a_place_for_what_it_writes(client: Client) -> None:
    [run] = (await _json(client, "/runs.json?state=running&job=export-warehouse"))["runs"]
    text = await _text(client, f"/runs/{quote(run['run'])}")
    assert f'data-live="/runs/{run["run"]}/output"' in text
    async with client.get(f"/runs/{quote(run['run'])}/output") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        said = (await answer.content.readuntil(b"\n\n")) + await answer.content.readuntil(b"\n\n")
    assert said.startswith(b"event: begin")
    assert b"output is not there" in said
    async with client.get("/runs/nothing/output") as answer:
        assert answer.status == 404


async def test_discarded_runs_have_their_reasons_and_what_became_of_replays(
    client: Client,
) -> None:
    found = await _json(client, "/discarded.json")
    [reason] = found["reasons"]
    assert (reason["count"], reason["jobs"]) == (4, 2)
    replays = [one["replays"] for one in found["runs"] if one["replays"]]
    assert [(one["cause"], one["state"]) for [one] in replays] == [("replay", "succeeded")]
    for query, count in (("job=orders-to-erp", 1), ("cluster=mail", 3), ("reason=other", 0)):
        assert len((await _json(client, f"/discarded.json?{query}"))["runs"]) == count


async def test_the_crontab_says_which_file_is_in_force_and_what_is_wrong_in_one(
    client: Client,
) -> None:
    found = await _json(client, "/crontab.json")
    assert found["digest"] == "4f2a91c0d3b7"
    assert [(one["name"], one["state"]) for one in found["schedulers"]] == [
        ("node1.s1", "in force"),
        ("node2.s2", "has errors"),
    ]
    assert "line 41, column 5" in await _text(client, "/crontab")


async def test_an_edit_that_changes_no_job_makes_no_difference_but_another_file_does(
    tmp_path: Path,
) -> None:
    console = await scene.a_console(tmp_path)
    first, second, *others = console.watching.found.processes
    first = replace(first, who=first.who.model_copy(update={"crontab": "c0ffee", "owns": "0,2"}))
    second = replace(second, who=second.who.model_copy(update={"crontab_problems": []}))
    found = replace(console.watching.found, processes=(first, second, *others))
    console.watching.found = found
    async with TestClient(TestServer(console.application(PageGuard(())))) as client:
        told = await _json(client, "/crontab.json")
        assert [one["state"] for one in told["schedulers"]] == ["in force", "differs"]
        assert told["schedulers"][1]["differs"] == []

        sentence = "job <b>: schedule '@daily' → '@hourly'"
        for differs, state in (([], "says the same"), ([sentence], "differs")):
            second = replace(second, who=second.who.model_copy(update={"crontab_differs": differs}))
            console.watching.found = replace(found, processes=(first, second, *others))
            told = await _json(client, "/crontab.json")
            assert (told["schedulers"][1]["state"], told["schedulers"][1]["differs"]) == (
                state,
                differs,
            )
        assert "<li>job &lt;b&gt;: schedule" in await _text(client, "/crontab")


async def test_without_an_audit_the_page_says_how_one_is_made(client: Client) -> None:
    assert "cronstream audit" in await _text(client, "/audit")


def test_the_bars_of_a_strip_are_one_shape_for_each_state() -> None:
    """However many runs there are: a page of jobs would have 1,500 elements for them alone."""
    states = [RunState.SUCCEEDED, RunState.DISCARDED, RunState.SUCCEEDED, RunState.SKIPPED]
    assert bars({"state": state} for state in states) == [
        ("succeeded", "M0 5h5v13h-5zM14 5h5v13h-5z"),
        ("discarded", "M7 0h5v18h-5z"),
        ("skipped", "M21 12h5v6h-5z"),
    ]


async def test_a_page_of_jobs_has_each_job_s_last_runs_drawn(client: Client) -> None:
    async with client.get("/jobs?q=deliver-mail") as answer:
        text = await answer.text()
    assert '<path class="succeeded" d="M' in text
    assert '<path class="discarded" d="M' in text
    assert text.count("<path") <= 4


async def test_the_page_says_of_how_many_runs_it_has_counted_reasons(client: Client) -> None:
    async with client.get("/discarded") as answer:
        assert "of the newest 10,000 runs at most" in await answer.text()
