"""What people change from the pages: as commands do, by whom it says, and only who may."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse, encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from cronstream import clock
from cronstream.console import acting, once
from cronstream.console.acting import Acting
from cronstream.console.actions import Actions
from cronstream.console.app import Console
from cronstream.console.installed import Installed, Watching
from cronstream.console.pasts import Pasts
from cronstream.console.store import Batch, Store
from cronstream.console.visitors import Visitors
from cronstream.core.trust.judging import TRUSTED
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Cancelled, Level, Withdrawal
from cronstream.core.wire.enumerations import Cause, ControlAction, SkipReason
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Discarded, Run
from cronstream.errors import BrokerError
from cronstream.history.story import RunState
from cronstream.page_guard import PageGuard
from cronstream.settings import Settings
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.conftest import a_job
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.console.readers import project
from tests.console.test_app import an_asking
from tests.console.test_store import a_story
from tests.core.health.test_presence import a_process, a_scheduler

Client = TestClient[web.Request, web.Application]

TOKEN = "0123456789abcdef"
ADA = {"Authorization": encode_basic_auth("ada", TOKEN)}
BY = "ada (console)"
RUN = "backup@2026-01-01T12:00:00Z"
GONE = "report@2026-01-01T11:00:00Z"
JSON = {"Accept": "application/json"}
ACTIONS = (
    "/jobs/backup/run-now",
    "/jobs/backup/pause",
    "/jobs/backup/resume",
    "/clusters/cluster-a/pause",
    "/clusters/cluster-a/resume",
    f"/runs/{GONE}/replay",
    f"/runs/{RUN}/cancel",
    "/discarded/replay",
)
HOSTILE = "<script>alert(1)</script>\"'><img src=x>"


@dataclass
class Installation:
    """A broker with jobs, a live run and a discarded one, and a scheduler that heeds people."""

    broker: FakeBroker
    watching: Watching

    def __post_init__(self) -> None:
        self.broker.create(NAMES.jobs, PARTITIONS)
        self.heeds = True
        self.jobs = {n: a_job(n, allow_env=["DAY"]) for n in ("backup", "report", "gone")}
        self.jobs["report"] = self.jobs["report"].derive(allow_args=True)
        for job in self.jobs.values():
            self.broker.job(job, NOON)
        word = Withdrawal(job="backup", revision=1, effective_from=at(-86_400))
        self.broker.log("backup", Level(level=4), word, when=at(-3600))
        self.broker.log("backup", a_run(), when=at(-30))
        run = a_run(job="report", scheduled_at=at(-3600), not_before=at(-3600))
        self.broker.discard(Discarded(run=run, reason="out of attempts", discarded_at=at(-60)))
        self.broker.after_publish = self.heed
        self.see()

    def heed(self, record: Message) -> None:
        """Put in force what a person asks."""
        if isinstance(record, Control) and self.heeds:
            for name, job in self.jobs.items():
                if record.job in (name, None):
                    self.jobs[name] = job.derive(control=record)
            self.see()

    def see(self) -> None:
        """Have the console see what is in force."""
        self.watching.found = Installed(dict(self.jobs), (), clock.now())

    @property
    def published(self) -> list[Message]:
        return self.broker.published


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(clock, "now", lambda: at(5))
    monkeypatch.setattr(acting, "_IN_FORCE_S", 0.0)
    return Installation(FakeBroker("cluster-a"), Watching(lambda _: TRUSTED, Pasts()))


@asynccontextmanager
async def a_client(
    found: Installation, folder: Path, token: str | None = TOKEN, **given: Any
) -> AsyncIterator[Client]:
    """Give a browser of a console, with settings."""
    settings = Settings(**given)
    store = Store(folder / "console.sqlite")
    projection = await project(found.broker, store)
    gone = a_story("report", -60, RunState.DISCARDED)
    store.write(Batch({gone.id: gone}))
    visitors = Visitors(settings, has_token=token is not None)
    actions = Actions(Acting(settings, found.watching, found.broker.connections), visitors)
    console = Console(store, projection, found.watching, an_asking(store, found.broker), actions)
    guard = PageGuard(("cron.example",), token, vouched=visitors.is_vouched_for)
    async with TestClient(TestServer(console.application(guard))) as client:
        yield client


@pytest.fixture
async def client(installation: Installation, tmp_path: Path) -> AsyncIterator[Client]:
    async with a_client(installation, tmp_path) as found:
        yield found


async def post(client: Client, path: str, form: Any = None, **headers: str) -> ClientResponse:
    return await client.post(
        path, data=form or {}, headers={**ADA, **headers}, allow_redirects=False
    )


async def followed(client: Client, answer: ClientResponse) -> str:
    """Return the page that a browser is sent to."""
    assert answer.status == 303, await answer.text()
    async with client.get(answer.headers["Location"], headers=ADA) as page:
        assert page.status == 200
        return await page.text()


# -- what is done ----------------------------------------------------------------------------------


async def test_a_run_is_asked_for_and_says_by_whom(
    client: Client, installation: Installation
) -> None:
    text = await followed(client, await post(client, "/jobs/backup/run-now", {"env": "DAY=1"}))

    [run] = installation.published
    assert isinstance(run, Run)
    assert (run.job, run.cause, run.by, run.env) == ("backup", Cause.RUN_NOW, BY, {"DAY": "1"})
    assert f'role="status">A run was asked for: <a href="/runs/{run.id}">' in text


async def test_a_pause_says_by_whom_why_and_until_when_and_the_pages_show_it(
    client: Client, installation: Installation
) -> None:
    form = {"reason": HOSTILE, "until": "2h", "retries": "1"}
    text = await followed(client, await post(client, "/jobs/backup/pause", form))

    [word] = installation.published
    assert isinstance(word, Control)
    assert (word.action, word.job, word.by) == (ControlAction.PAUSE, "backup", BY)
    assert (word.reason, word.until, word.retries) == (HOSTILE, at(7205), True)
    assert "Job backup is paused" in text
    assert "by ada (console)" in text
    assert "until 2026-01-01T14:00:05Z, with its later attempts" in text
    assert "<img src=x" not in text
    async with client.get("/jobs.json", headers=ADA) as answer:
        [found] = [job for job in (await answer.json())["jobs"] if job["job"] == "backup"]
    assert [one["by"] for one in found["pauses"]] == [BY]


async def test_a_paused_job_goes_on(client: Client, installation: Installation) -> None:
    await post(client, "/jobs/backup/pause")
    text = await followed(client, await post(client, "/jobs/backup/resume"))

    assert [word.action for word in installation.published if isinstance(word, Control)] == [
        ControlAction.PAUSE,
        ControlAction.RESUME,
    ]
    assert "Job backup goes on" in text


async def test_a_job_that_its_discarded_runs_have_paused_is_shown_to_be_and_can_be_resumed(
    client: Client, installation: Installation
) -> None:
    since = {"by": "its discarded runs", "since": NOON, "until": None, "retries": False}
    halted = {"backup": {**since, "reason": "5 in a row"}}
    installation.watching.found = replace(installation.watching.found, halted=halted)
    async with client.get("/jobs/backup", headers=ADA) as answer:
        text = await answer.text()
    assert "by its discarded runs since 2026-01-01T12:00:00Z (5 in a row)" in text
    assert 'action="/jobs/backup/resume"' in text
    async with client.get("/jobs/report", headers=ADA) as answer:
        assert 'action="/jobs/report/resume"' not in await answer.text()


async def test_what_the_crontab_pauses_is_not_said_to_go_on(
    client: Client, installation: Installation
) -> None:
    installation.jobs["backup"] = installation.jobs["backup"].derive(enabled=False)
    text = await followed(client, await post(client, "/jobs/backup/resume"))

    assert "Job backup was resumed; what else has paused it" in text
    assert "by the crontab" in text


async def test_all_jobs_of_a_cluster_are_paused_and_go_on(
    client: Client, installation: Installation
) -> None:
    text = await followed(client, await post(client, "/clusters/cluster-a/pause"))
    assert "Cluster cluster-a is paused" in text
    words = [word for word in installation.published if isinstance(word, Control)]
    assert [(word.job, word.by) for word in words] == [(None, BY)] * PARTITIONS
    text = await followed(client, await post(client, "/clusters/cluster-a/resume"))
    assert "Cluster cluster-a goes on" in text


async def test_a_word_that_no_scheduler_takes_up_is_said_to_stand_on_kafka(
    client: Client, installation: Installation
) -> None:
    installation.heeds = False
    text = await followed(client, await post(client, "/jobs/backup/pause"))
    assert "Job backup: no scheduler has taken it up" in text


@pytest.mark.parametrize(
    ("path", "form"), [(f"/runs/{GONE}/replay", {}), ("/discarded/replay", {"run": GONE})]
)
async def test_a_discarded_run_is_replayed_and_says_by_whom(
    client: Client, installation: Installation, path: str, form: dict[str, str]
) -> None:
    text = await followed(client, await post(client, path, form))

    [run] = installation.published
    assert isinstance(run, Run)
    assert (run.job, run.cause, run.by) == ("report", Cause.REPLAY, BY)
    assert f'It is replayed: <a href="/runs/{run.id}">' in text


async def test_several_are_replayed_or_none(client: Client, installation: Installation) -> None:
    other = a_run(job="gone", scheduled_at=at(-60), not_before=at(-60))
    installation.broker.discard(Discarded(run=other, reason="no", discarded_at=at(-30)))
    answer = await post(client, "/discarded/replay", [("run", GONE), ("run", "gone@none")])
    assert (answer.status, installation.published) == (404, [])
    text = await followed(
        client, await post(client, "/discarded/replay", [("run", GONE), ("run", other.id)])
    )
    assert "2 runs are replayed" in text
    assert len(installation.published) == 2


async def test_a_live_run_is_asked_to_end_and_it_says_who_asked(
    client: Client, installation: Installation
) -> None:
    text = await followed(client, await post(client, f"/runs/{RUN}/cancel"))

    assert installation.published == [Cancelled(run=RUN, reason=SkipReason.CANCELLED, by=BY)]
    assert "It was asked to end; it was queued" in text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/jobs/backup/run-now", {"job": "backup", "cluster": "cluster-a"}),
        ("/jobs/backup/pause", {"action": "pause", "jobs": ["backup"], "in_force": True}),
        (f"/runs/{RUN}/cancel", {"run": RUN, "before": "queued"}),
    ],
)
async def test_a_program_is_told_as_json(client: Client, path: str, fields: dict[str, Any]) -> None:
    answer = await post(client, path, **JSON)
    told = await answer.json()
    assert answer.status == 200
    assert told["by"] == BY
    assert {name: told[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("given", "by"),
    [
        (encode_basic_auth("", TOKEN), "somebody with the token (console)"),
        (f"Bearer {TOKEN}", "somebody with the token (console)"),
        (encode_basic_auth("x" * 300, TOKEN), f"{'x' * 180} (console)"),
    ],
)
async def test_who_does_not_say_his_name_is_somebody_with_the_token(
    client: Client, installation: Installation, given: str, by: str
) -> None:
    assert (await post(client, "/jobs/backup/run-now", Authorization=given)).status == 303
    [run] = installation.published
    assert isinstance(run, Run)
    assert run.by == by


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACTIONS)
async def test_nothing_is_done_by_a_link(
    client: Client, installation: Installation, path: str
) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = await client.request(method, path, headers=ADA)
        assert answer.status in (404, 405), method
    assert installation.published == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Authorization": ""}, 401),
        ({"Authorization": encode_basic_auth("ada", "wrong")}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Origin": ""}, 403),
    ],
)
@pytest.mark.parametrize("path", ACTIONS)
async def test_who_may_not_or_another_site_changes_nothing(
    client: Client, installation: Installation, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await post(client, path, {"run": GONE}, **headers)
    assert (answer.status, installation.published) == (status, [])


@pytest.mark.parametrize("site", ["same-origin", "none", None])
async def test_our_own_pages_may_ask(
    client: Client, installation: Installation, site: str | None
) -> None:
    origin = f"http://{client.host}:{client.port}"
    headers = {"Origin": origin} if site is None else {"Sec-Fetch-Site": site}
    assert (await post(client, "/jobs/backup/run-now", **headers)).status == 303
    assert len(installation.published) == 1


@pytest.mark.parametrize("path", ACTIONS)
async def test_without_a_token_there_are_no_buttons_and_nothing_can_be_changed(
    installation: Installation, tmp_path: Path, path: str
) -> None:
    async with a_client(installation, tmp_path, None) as client:
        for page in ("/jobs/backup", "/jobs?cluster=cluster-a", f"/runs/{RUN}", "/discarded"):
            async with client.get(page) as shown:
                assert 'method="post"' not in await shown.text()
        answer = await post(client, path, {"run": GONE})
        assert answer.status == 403
        assert "CRONSTREAM_WEB_TOKEN_FILE" in await answer.text()
    assert installation.published == []


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/jobs/bakcup/run-now", {}, (404, "did you mean 'backup'?")),
        ("/jobs/bakcup/pause", {}, (404, "did you mean 'backup'?")),
        ("/clusters/cluster-z/pause", {}, (404, "no job of a cluster 'cluster-z' is in force")),
        ("/jobs/backup/run-now", {"cluster": "nowhere"}, (404, "there is no cluster 'nowhere'")),
        ("/jobs/backup/run-now", {"arg": "x"}, (400, "takes no arguments")),
        ("/jobs/backup/run-now", {"env": "PATH=/tmp"}, (400, "takes no variable PATH")),
        ("/jobs/backup/run-now", {"env": "PATH"}, (400, "write it like NAME=VALUE")),
        ("/jobs/backup/pause", {"until": "soon"}, (400, "'soon' is neither like")),
        ("/jobs/backup/pause", {"until": "2020-01-01"}, (400, "2020-01-01 is over")),
        ("/jobs/backup/pause", {"reason": "x" * 501}, (400, "is longer than 500 characters")),
        ("/runs/none@2026-01-01T12:00:00Z/cancel", {}, (404, "nothing was done")),
        ("/runs/backup@2026/cancel", {}, (404, "nothing was done")),
        (f"/runs/{RUN}/replay", {}, (404, "not among the discarded runs")),
        ("/discarded/replay", {}, (400, "no run was chosen")),
    ],
)
async def test_what_cannot_be_done_is_said_with_the_remedy_on_the_page_and_as_json(
    client: Client,
    installation: Installation,
    path: str,
    form: dict[str, str],
    said: tuple[int, str],
) -> None:
    status, why = said
    page = await post(client, path, form)
    told = await post(client, path, form, **JSON)
    assert (page.status, told.status, installation.published) == (status, status, [])
    assert page.content_type == "text/html"
    assert why.replace("'", "&#39;") in await page.text()
    assert why in (await told.json())["error"]


async def test_without_kafka_it_is_said_and_the_pages_stay(
    client: Client, installation: Installation
) -> None:
    def away() -> None:
        raise BrokerError("no Kafka answers at 127.0.0.1:1")

    installation.broker.before_probe = away
    for path in ACTIONS:
        form = {"run": GONE} if path == "/discarded/replay" else {}
        answer = await post(client, path, form)
        assert answer.status == 503, path
        assert "no Kafka answers at 127.0.0.1:1" in await answer.text()
    assert (await client.get("/jobs", headers=ADA)).status == 200


@pytest.mark.parametrize("path", ["/jobs/backup/run-now", "/jobs/backup/pause"])
async def test_where_only_what_is_signed_counts_a_console_without_a_key_says_so(
    client: Client, installation: Installation, path: str
) -> None:
    installation.broker.create(NAMES.workers, 1)
    for who in (
        a_scheduler(level=4, requires_signatures=True),
        a_process(requires_signatures=True),
    ):
        installation.broker.put(NAMES.workers, who.name, who.encode(), clock.now())
    answer = await post(client, path)
    assert (answer.status, installation.published) == (409, [])
    text = await answer.text()
    assert "runs only what is signed" in text
    assert "CRONSTREAM_SIGNING_KEY" in text


async def test_a_role_that_may_not_is_told_what_it_lacks(
    installation: Installation, tmp_path: Path
) -> None:
    installation.broker.refused = {NAMES.jobs}
    secured: dict[str, Any] = {
        "broker": "kafka://127.0.0.1:1",
        "broker_security": "sasl-plaintext",
        "broker_mechanism": "PLAIN",
        "broker_user": "console",
        "broker_password_file": tmp_path / "password",
    }
    async with a_client(installation, tmp_path, **secured) as client:
        answer = await post(client, "/jobs/backup/run-now")
        assert (answer.status, installation.published) == (403, [])
        assert NAMES.jobs in await answer.text()


# -- a proxy that says who asks --------------------------------------------------------------------

PROXY = {"console_user_header": "X-Forwarded-User", "console_proxies": "127.0.0.1"}


async def test_a_trusted_proxy_says_who_asks_and_no_token_is_needed(
    installation: Installation, tmp_path: Path
) -> None:
    async with a_client(installation, tmp_path, None, **PROXY) as client:
        header = {"Authorization": "", "X-Forwarded-User": "bob@example.com"}
        assert (await post(client, "/jobs/backup/run-now", **header)).status == 303
        async with client.get("/jobs/backup", headers=header) as page:
            assert 'method="post"' in await page.text()
        async with client.get("/jobs/backup") as page:
            assert 'method="post"' not in await page.text()
        for headers in ({"X-Forwarded-User": ""}, {}):
            assert (await post(client, "/jobs/backup/run-now", **headers)).status == 403
        cross = {**header, "Sec-Fetch-Site": "cross-site"}
        assert (await post(client, "/jobs/backup/run-now", **cross)).status == 403
    [run] = installation.published
    assert isinstance(run, Run)
    assert run.by == "bob@example.com (console)"


async def test_from_elsewhere_the_header_says_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    given = {**PROXY, "console_proxies": "10.0.0.0/8, ::1"}
    for token, status in ((None, 403), (TOKEN, 401)):
        async with a_client(installation, tmp_path, token, **given) as client:
            header = {"Authorization": "", "X-Forwarded-User": "bob"}
            assert (await post(client, "/jobs/backup/run-now", **header)).status == status
    assert installation.published == []


async def test_two_names_are_none(installation: Installation, tmp_path: Path) -> None:
    async with a_client(installation, tmp_path, None, **PROXY) as client:
        headers = [("X-Forwarded-User", "bob"), ("X-Forwarded-User", "ada")]
        answer = await client.post("/jobs/backup/run-now", headers=headers)
        assert (answer.status, installation.published) == (403, [])


# -- the pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("/jobs/backup", ["/jobs/backup/run-now", "/jobs/backup/pause"]),
        ("/jobs?cluster=cluster-a", ["/clusters/cluster-a/pause", "/clusters/cluster-a/resume"]),
        (f"/runs/{RUN}", [f"/runs/{RUN}/cancel"]),
        (f"/runs/{GONE}", [f"/runs/{GONE}/replay"]),
        ("/discarded", ["/discarded/replay"]),
    ],
)
async def test_a_page_has_the_forms_of_what_can_be_done_and_nothing_inline(
    client: Client, page: str, wanted: list[str]
) -> None:
    async with client.get(page, headers=ADA) as answer:
        text = await answer.text()
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    addresses = re.findall(r'<form class="act[^>]* method="post" action="([^"]*)"', text)
    assert set(wanted) <= set(addresses)
    assert not re.search(r"<script(?! src=\"/static/)|\sstyle=|\son\w+=\"", text)


async def test_a_page_says_nothing_that_a_link_makes_up(client: Client) -> None:
    for note in ("x", HOSTILE, ""):
        async with client.get("/jobs/backup", params={"note": note}, headers=ADA) as answer:
            assert 'class="note"' not in await answer.text()


URLENCODED = "application/x-www-form-urlencoded"
UNREADABLE = [
    (b"reason=1", f"{URLENCODED}; charset=bogus"),
    (b"reason=\xff", URLENCODED),
    (b"--x\r\n\r\n", "multipart/form-data"),
    (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\nContent-Disposition: form-data\r\n\r\nq\r\n--x--", "multipart/form-data; boundary=x"),
    (b'{"until": "2h"}', "application/json"),
    (b"reason=" + b"x" * 1_500_000, URLENCODED),
]


@pytest.mark.parametrize(("body", "kind"), UNREADABLE)
async def test_of_what_cannot_be_read_as_a_form_nothing_is_done(
    client: Client, installation: Installation, body: bytes, kind: str
) -> None:
    async with await post(
        client, "/jobs/backup/pause", BytesIO(body), **JSON, **{"Content-Type": kind}
    ) as answer:
        assert answer.status in (400, 413), await answer.text()
    assert not installation.published


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_field_that_no_form_has_is_refused_by_its_name(
    client: Client, installation: Installation, path: str
) -> None:
    """With one that is misspelt something else would be done: a pause without an end."""
    async with await post(client, path, {"untl": "2h"}, **JSON) as answer:
        assert answer.status == 400
        assert "no field is called 'untl' here" in (await answer.json())["error"]
    assert not installation.published


async def test_a_field_that_is_misspelt_is_told_with_the_one_that_was_meant(
    client: Client, installation: Installation
) -> None:
    for form, told in (
        ({"untl": "2h"}, "did you mean 'until'?"),
        ({"hours": "2"}, "there are reason, retries, until"),
        ({"file": BytesIO(b"x")}, "no field is called 'file'"),
    ):
        async with await post(client, "/jobs/backup/pause", form, **JSON) as answer:
            assert answer.status == 400
            assert told in (await answer.json())["error"]
    async with await post(client, f"/runs/{RUN}/replay", {"x": "1"}, **JSON) as answer:
        assert "there is none" in (await answer.json())["error"]
    async with await post(client, "/audit", {"hour": "1"}, **JSON) as answer:
        assert "did you mean 'hours'?" in (await answer.json())["error"]
    assert not installation.published


@pytest.mark.parametrize(
    ("said", "asked"),
    [("1", True), ("true", True), ("false", False), ("0", False), ("maybe", None)],
)
async def test_a_box_that_is_said_not_to_be_ticked_is_not(
    client: Client, installation: Installation, said: str, asked: bool | None
) -> None:
    async with await post(client, "/jobs/backup/pause", {"retries": said}) as answer:
        assert answer.status == (400 if asked is None else 303)
    assert [one.retries for one in installation.published if isinstance(one, Control)] == (
        [] if asked is None else [asked]
    )


@pytest.mark.parametrize(
    ("header", "status"),
    [(b"Authorization: Bearer \xff", b"401"), (b"X-User: Jos\xe9", b"303")],
)
async def test_a_header_that_is_no_text_is_no_error_of_ours(
    installation: Installation, tmp_path: Path, header: bytes, status: bytes
) -> None:
    given = {"console_user_header": "X-User", "console_proxies": "127.0.0.1"}
    async with a_client(installation, tmp_path, **given) as client:
        ask = b"POST /jobs/backup/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(ask + header + b"\r\nConnection: close\r\n\r\n")
        assert status in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert all(getattr(one, "by", "").startswith("Jos") for one in installation.published)


PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("headers", "runs"), [(PAGE, 1), (JSON, 2), ({}, 2)], ids=["browser", "program", "curl"]
)
async def test_a_button_that_is_pressed_twice_asks_for_one_run(
    client: Client, installation: Installation, headers: dict[str, str], runs: int
) -> None:
    answers = await asyncio.gather(
        *(post(client, "/jobs/backup/run-now", {"arg": ""}, **headers) for _ in range(2))
    )
    assert {answer.status for answer in answers} <= {200, 303}
    assert len([one for one in installation.published if isinstance(one, Run)]) == runs
    async with await post(client, "/jobs/report/run-now", **headers) as other:
        assert other.status in (200, 303)
    assert len([one for one in installation.published if isinstance(one, Run)]) == runs + 1


async def test_what_was_pressed_a_while_ago_is_asked_for_anew(
    client: Client, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "_AGAIN_S", 0)
    for _ in range(2):
        async with await post(client, "/jobs/backup/run-now", **PAGE) as answer:
            assert answer.status == 303
        await asyncio.sleep(0.01)
    assert len([one for one in installation.published if isinstance(one, Run)]) == 2


async def test_what_has_failed_may_be_tried_again_at_once() -> None:
    tries = iter([BrokerError("away"), None])

    async def begin() -> str:
        if error := next(tries):
            raise error
        return "done"

    twice = once.Once[str]()
    with pytest.raises(BrokerError):
        await twice.do("it", begin)
    await asyncio.sleep(0.01)
    assert await twice.do("it", begin) == "done"


@pytest.mark.parametrize(
    "name", ["a?b#c&d", "a/b", "50%", "größe", "a\r\nX-Evil: 1", "//evil.example"]
)
@pytest.mark.parametrize("what", ["run-now", "pause"])
async def test_whatever_a_job_is_called_its_browser_comes_back_to_its_page(
    client: Client, installation: Installation, name: str, what: str
) -> None:
    """A crontab allows no such name; what stands on Kafka may be anybody's."""
    installation.jobs[name] = a_job(name)
    installation.broker.job(installation.jobs[name], NOON)
    address = f"/jobs/{quote(name, safe=':')}"
    async with client.post(
        URL(f"{address}/{what}", encoded=True), headers={**ADA, **PAGE}, allow_redirects=False
    ) as answer:
        assert answer.status == 303, await answer.text()
        assert answer.headers["Location"].startswith(f"{address}?note=")
        assert "X-Evil" not in answer.headers
    async with client.post(
        URL(f"{address}none/{what}", encoded=True), headers={**ADA, **PAGE}
    ) as answer:
        assert answer.status == 404
        assert f'<a href="{address}none">Back</a>' in await answer.text()
