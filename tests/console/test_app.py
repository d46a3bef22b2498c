"""What a browser gets: every page whole, its JSON twin, and nothing that others have made up."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from cronstream import clock
from cronstream.console import answers, live, streams
from cronstream.console.app import Asking, Console
from cronstream.console.audits import Audits
from cronstream.console.installed import Installed, Watching
from cronstream.console.live import LiveOutput
from cronstream.console.output import Outputs
from cronstream.console.pasts import Pasts
from cronstream.console.store import Batch, Store
from cronstream.core.health.presence import Overdue, Presence, Shared
from cronstream.core.health.roll import Seen
from cronstream.core.trust.judging import TRUSTED
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Job
from cronstream.history.story import RunState
from cronstream.page_guard import PageGuard
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, NOON, at
from tests.cli.fake_broker import FakeBroker, FakePublisher, FakeReader
from tests.console.ledgers import a_broker
from tests.console.readers import project
from tests.console.test_store import a_story

Client = TestClient[web.Request, web.Application]

PAGES = (
    "/",
    "/jobs",
    "/jobs/backup",
    "/jobs/gone",
    "/runs",
    "/runs/backup@2026-01-01T12:00:00Z",
    "/discarded",
    "/crontab",
    "/workers",
    "/audit",
)
#: What a name, a description or an output may be, and what must not come of it.
HOSTILE = "<script src=//evil.example></script>\"'><img onerror=alert(1)>"
NOW = at(200)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def a_job(name: str, **fields: Any) -> Job:
    values: dict[str, Any] = {"schedule": "*/5 * * * *", "timezone": "Europe/Berlin", **fields}
    return Job(name=name, cluster="cluster-a", command="true", **values)


def a_worker(role: RoleKind = RoleKind.WORKER, cluster: str | None = "cluster-a") -> Seen:
    shared = Shared(partitions=12, shards=1, look_ahead_s=30, lease_s=6, fence_s=4.5)
    overdue = [Overdue(job="report", since=NOON, within_s=60, has_succeeded=False)]
    who = Presence(
        name="node1.w1",
        role=role,
        cluster=cluster,
        version="0.1.0",
        level=4,
        shared=shared,
        slots=8,
        running=3,
        overdue=overdue,
        since=NOON,
    )
    return Seen(who, NOW, 0, 1)


def an_asking(store: Store, broker: FakeBroker) -> Asking:
    def reader() -> FakeReader:
        return FakeReader(broker)

    heard = LiveOutput(reader, lambda: FakePublisher(broker, Settings()))
    return Asking(Outputs(reader), heard, Audits(store, reader, lambda _: True))


async def a_console(folder: Path) -> Console:
    store, broker = Store(folder / "console.sqlite"), a_broker()
    projection = await project(broker, store)
    gone = a_story("gone", 1, RunState.DISCARDED)
    store.write(Batch({gone.id: gone}))
    watching = Watching(lambda _: TRUSTED, Pasts())
    jobs = [a_job("backup", description=HOSTILE), a_job("report"), a_job(HOSTILE)]
    watching.found = Installed({job.name: job for job in jobs}, (a_worker(),), NOW)
    return Console(store, projection, watching, an_asking(store, broker))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    app = (await a_console(tmp_path)).application(PageGuard(()))
    async with TestClient(TestServer(app)) as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_whole_and_loads_only_what_is_its_own(client: Client, path: str) -> None:
    async with client.get(path) as answer:
        text = await answer.text()
    assert answer.status == 200, text
    assert text.rstrip().endswith("</html>")
    assert "<h1>" in text
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', text)
    assert addresses
    assert all(address.startswith(("/", "#")) for address in addresses)
    assert not re.search(r"<script(?! src=\"/static/)|\sstyle=|\son\w+=\"", text)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_a_twin_in_json(client: Client, path: str) -> None:
    async with client.get("/overview.json" if path == "/" else f"{path}.json") as answer:
        found = json.loads(await answer.text())
    assert answer.status == 200
    assert found["is_current"]
    assert datetime.fromisoformat(found["known_until"]) == at(184)


async def test_the_overview_says_what_somebody_should_see_to(client: Client) -> None:
    async with client.get("/overview.json") as answer:
        found = await answer.json()
    assert [one["what"] for one in found["troubles"]] == [
        "cluster-a has no retry worker",
        "job report is overdue",
        "1 run late",
        "gone: 1 run discarded in the last hour",
    ]
    assert found["clusters"][0]["running"] == 3


async def test_a_job_is_not_called_gone_before_the_jobs_are_read(tmp_path: Path) -> None:
    console = await a_console(tmp_path)
    console.watching.found = Installed({}, (), NOW, is_read=False)
    app = console.application(PageGuard(()))
    async with TestClient(TestServer(app)) as client, client.get("/jobs/backup") as answer:
        text = await answer.text()
    assert "are being read" in text
    assert "no longer in force" not in text


async def test_a_run_is_shown_with_what_each_attempt_wrote(client: Client) -> None:
    async with client.get("/runs/backup@2026-01-01T12:00:00Z") as answer:
        text = await answer.text()
    assert "something</pre>" in text
    assert "succeeded" in text


async def test_names_and_texts_of_others_stay_text(client: Client) -> None:
    for path in ("/jobs", "/jobs/backup", "/jobs?q=<script>alert(1)</script>"):
        async with client.get(path) as answer:
            text = await answer.text()
        assert text.count("<img") == 1  # The mark beside our own name.
        assert text.count("<script") == 1


@pytest.mark.parametrize(
    "path", ["/jobs/none", "/runs/none@2026-01-01T12:00:00Z", "/jobs/none.json"]
)
async def test_what_is_not_known_is_said_to_be(client: Client, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
        assert "not known" in (await answer.text()).lower()


@pytest.mark.parametrize(
    "query",
    [
        "before=yesterday",
        "state=odd",
        "start=-1",
        "start=9" * 9,
        "start=" + "9" * 5_000,
        "job=%00",
        "before=",
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/runs", "/discarded"])
async def test_a_question_that_makes_no_sense_gets_a_page(
    client: Client, path: str, query: str
) -> None:
    async with client.get(f"{path}?{query}") as answer:
        assert answer.status == 200


async def test_a_page_that_asks_by_anothers_name_gets_nothing(client: Client) -> None:
    async with client.get("/", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
        assert "backup" not in await answer.text()


async def test_with_a_token_a_browser_is_asked_for_it(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    app = (await a_console(tmp_path)).application(PageGuard((), token))
    async with TestClient(TestServer(app)) as client:
        async with client.get("/jobs") as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        for given, status in (
            (encode_basic_auth("me", token), 200),
            (encode_basic_auth("me", "wrong"), 401),
            ("Basic !", 401),
            (f"Bearer {token}", 200),
        ):
            async with client.get("/jobs", headers={"Authorization": given}) as answer:
                assert answer.status == status, given


async def test_a_console_that_ends_does_not_wait_for_browsers_that_listen(
    tmp_path: Path,
) -> None:
    console = await a_console(tmp_path)
    server = TestServer(console.application(PageGuard(())))
    async with TestClient(server) as client, client.get("/events") as answer:
        async with asyncio.timeout(10):
            await server.close()
        assert await answer.content.read() == b""


async def test_browsers_hear_that_something_has_changed(tmp_path: Path) -> None:
    console = await a_console(tmp_path)
    async with (
        TestClient(TestServer(console.application(PageGuard(())))) as client,
        client.get("/events") as answer,
    ):
        assert answer.headers["Content-Type"] == "text/event-stream"
        await console.written()
        assert await answer.content.readline() == b"event: changed\n"


@pytest.mark.parametrize("odd", [{"timezone": "Mars/Base"}, {"schedule": "@fortnightly"}])
async def test_a_job_whose_due_times_are_not_known_here_says_so_and_hides_no_other(
    tmp_path: Path, odd: dict[str, str]
) -> None:
    console = await a_console(tmp_path)
    known = console.watching.found
    console.watching.found = replace(known, jobs={**known.jobs, "odd": a_job("odd", **odd)})
    async with TestClient(TestServer(console.application(PageGuard(())))) as client:
        for path in ("/", "/jobs", "/jobs/odd", "/jobs.json"):
            async with client.get(path) as answer:
                assert answer.status == 200, path
                text = await answer.text()
            assert path == "/" or "its due times cannot be worked out here" in text


class QuietReader(FakeReader):
    """Nothing comes."""

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        await asyncio.sleep(0.01 * timeout_s)
        return []


async def test_who_follows_a_run_is_let_go_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser asks no more then (204), though nobody may look at its page and close it."""
    monkeypatch.setattr(live, "_ALIVE_EVERY_S", 0)
    console, broker = await a_console(tmp_path), FakeBroker("cluster-a")
    broker.create(NAMES.output("cluster-a"), 1)
    heard = LiveOutput(lambda: QuietReader(broker), lambda: FakePublisher(broker, Settings()))
    console._asking = replace(console._asking, live=heard)
    story = replace(a_story("long"), state=RunState.RUNNING)
    console._store.write(Batch({story.id: story}))
    async with TestClient(TestServer(console.application(PageGuard(())))) as client:
        async with client.get(f"/runs/{story.id}/output") as answer:
            assert await answer.content.readline() == b"event: begin\n"
            over = replace(story, state=RunState.SUCCEEDED)
            console._store.write(Batch({over.id: over}))
            async with asyncio.timeout(10):
                await answer.content.read()
        async with client.get(f"/runs/{story.id}/output") as answer:
            assert answer.status == 204


async def test_a_question_that_takes_too_long_is_broken_off_and_the_next_is_answered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the runs of a job with a million of them in a cluster that it never ran in."""
    with monkeypatch.context() as patch:
        patch.setattr(answers, "_WITHIN_S", -1.0)
        patch.setattr(answers, "_STEPS", 1)
        for path in ("/runs", "/runs.json"):
            async with client.get(f"{path}?job=backup&cluster=another") as answer:
                assert answer.status == 400
                assert "too many runs would have to be gone through" in await answer.text()
    async with client.get("/runs?job=backup&cluster=another") as answer:
        assert answer.status == 200


async def test_a_file_that_cannot_be_read_is_named_with_the_remedy_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    console = await a_console(tmp_path)
    console._store._writer.execute("DROP TABLE runs")
    async with TestClient(TestServer(console.application(PageGuard(())))) as client:
        for path in ("/jobs", "/jobs.json", "/runs/x@2026-01-01T12:00:00Z", "/runs/x/output"):
            async with client.get(path) as answer:
                text = await answer.text()
                assert (path, answer.status) == (path, 503)
                assert f"file {tmp_path / 'console.sqlite'} cannot be read (no such table" in text
                assert "remove the file, and start it again" in text
                is_json = answer.content_type == "application/json"
                assert is_json == path.endswith(".json"), path
        async with client.get("/health") as answer:
            assert answer.status == 200
    [record] = [one for one in caplog.records if "cannot be read" in one.message]
    assert vars(record)["fields"]["action"] == "console-unreadable"


async def test_who_follows_a_run_is_let_go_where_its_file_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_ALIVE_EVERY_S", 0)
    console, broker = await a_console(tmp_path), FakeBroker("cluster-a")
    broker.create(NAMES.output("cluster-a"), 1)
    heard = LiveOutput(lambda: QuietReader(broker), lambda: FakePublisher(broker, Settings()))
    console._asking = replace(console._asking, live=heard)
    story = replace(a_story("long"), state=RunState.RUNNING)
    console._store.write(Batch({story.id: story}))
    async with (
        TestClient(TestServer(console.application(PageGuard(())))) as client,
        client.get(f"/runs/{story.id}/output") as answer,
    ):
        assert await answer.content.readline() == b"event: begin\n"
        console._store._writer.execute("DROP TABLE runs")
        async with asyncio.timeout(10):
            await answer.content.read()


async def test_only_so_many_browsers_follow_and_the_next_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST", 2)
    app = (await a_console(tmp_path)).application(PageGuard(()))
    async with (
        TestClient(TestServer(app)) as client,
        client.get("/events"),
        client.get("/events"),
        client.get("/events") as third,
        client.get("/jobs") as page,
    ):
        assert (third.status, page.status) == (503, 200)
        assert "pages follow this console already" in await third.text()
