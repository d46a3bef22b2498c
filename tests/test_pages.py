"""Who sees a process's pages: nobody whom nobody has let."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import ValidationError

from cronstream.core.wire.naming import Role
from cronstream.errors import SettingsError
from cronstream.fitted.to_faust.app import App
from cronstream.health.serving import OwnServer
from cronstream.metrics.exposition import Metrics
from cronstream.page_guard import PageGuard
from cronstream.settings import Settings

TOKEN = "0123456789abcdef"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.mark.parametrize(("bind", "has_token", "is_behind_tls", "starts"), [
    ("127.0.0.1", False, False, True),
    ("127.0.0.9", False, False, True),
    ("::1", False, False, True),
    ("localhost", False, False, True),
    ("127.0.0.1", True, True, True),
    ("0.0.0.0", False, False, False),
    ("::", False, False, False),
    ("10.0.0.1", False, False, False),
    ("worker.example", False, False, False),
    ("", False, False, False),
    ("0.0.0.0", True, False, True),
    ("0.0.0.0", False, True, True),
    ("::", True, False, True),
])  # fmt: skip
def test_pages_are_open_to_others_only_with_a_token_or_a_proxy(
    bind: str, token_file: Path, *, has_token: bool, is_behind_tls: bool, starts: bool
) -> None:
    given = Settings(
        web_bind=bind,
        web_token_file=token_file if has_token else None,
        web_behind_tls=is_behind_tls,
    )
    if starts:
        given.see_that_pages_are_guarded(bind)
        return
    with pytest.raises(SettingsError, match=r"would be open .*WEB_TOKEN_FILE.*WEB_BEHIND_TLS"):
        given.see_that_pages_are_guarded(bind)


@pytest.mark.parametrize(("given", "why"), [
    ({"console_user_header": "X-User"}, r"need each other"),
    ({"console_proxies": "10.0.0.1"}, r"need each other"),
    ({"console_user_header": "X-User", "console_proxies": " , "}, r"need each other"),
    ({"console_user_header": "X-User", "console_proxies": "proxy.example"}, r"neither an address"),
    ({"console_user_header": "X-User", "console_proxies": "10.0.0.1/8"}, r"neither an address"),
    ({"console_user_header": "X User", "console_proxies": "10.0.0.1"}, r"no header's name"),
    ({"console_user_header": "Cookie", "console_proxies": "10.0.0.1"}, r"comes from browsers"),
])  # fmt: skip
def test_a_proxy_is_believed_by_its_header_and_its_addresses_or_not_at_all(
    given: dict[str, str], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(**given)  # type: ignore[arg-type]


def test_an_application_binds_no_port_that_would_be_open() -> None:
    app = App("test-pages", broker="kafka://127.0.0.1:1", web_bind="0.0.0.0")
    app.settings, app.role = Settings(), Role.of("a", retry=False)
    with pytest.raises(SettingsError, match="would be open"):
        app.open_web(None, None)
    assert not app.chosen_address

    app.settings = Settings(web_behind_tls=True)
    app.open_web(None, None)
    assert app.chosen_address.startswith("http://0.0.0.0:")
    assert app.web_socket is not None
    app.web_socket.close()


@pytest.mark.parametrize("text", ["", "short\n", "x" * 8 + "\n" + "x" * 8, "ä" * 20])
def test_a_file_without_a_token_is_told_of(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"has no token of at least 16 .*openssl rand"):
        Settings(web_token_file=path).page_token()
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings(web_token_file=tmp_path).page_token()


def test_names_by_which_pages_are_asked_for_are_names() -> None:
    assert Settings(web_hosts="Cron.example, b.example,").page_hosts == {
        "cron.example",
        "b.example",
    }
    assert Settings().page_hosts == frozenset()
    with pytest.raises(ValueError, match="is not a host's name"):
        Settings(web_hosts="http://cron.example:6066")


@pytest.fixture
async def ask() -> AsyncIterator[dict[str, Client]]:
    """Clients of pages that ask for a token, and of some that do not."""
    clients = {}
    for name, token in (("open", None), ("closed", TOKEN)):
        app = web.Application()

        async def page(_: web.Request) -> web.Response:
            return web.json_response({"a": 1})

        for path in ("/health", "/metrics", "/table/{name}/", "/table/{name}/{key}/"):
            app.router.add_route("*", path, page)
        PageGuard({"cron.example"}, token, ("/table/ledgers",)).install(app)
        clients[name] = TestClient(TestServer(app))
        await clients[name].start_server()
    yield clients
    for client in clients.values():
        await client.close()


OPEN = ("/health", "/metrics")
PAGES = (*OPEN, "/table/jobs/", "/table/jobs/backup/", "/router/", "/", "/no/such")


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:6066", "127.0.0.1.evil.example", "localhost.evil.example",
    "cron.example.evil.example", "", "[evil]", "127.0.0.1@evil.example",
])  # fmt: skip
@pytest.mark.parametrize("path", PAGES)
async def test_a_foreign_name_is_answered_on_no_route(
    ask: dict[str, Client], host: str, path: str
) -> None:
    for client in ask.values():
        headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
        answer = await client.get(path, headers=headers)
        assert answer.status == 421
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", [
    "localhost", "localhost:6066", "127.0.0.1", "10.1.2.3:6066", "[::1]:6066", "[::1]",
    "Cron.Example:80", "cron.example.",
])  # fmt: skip
async def test_our_names_and_addresses_are_answered(ask: dict[str, Client], host: str) -> None:
    answer = await ask["open"].get("/table/jobs/", headers={"Host": host})
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("given", [
    {}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer ümlaut"},
])  # fmt: skip
async def test_without_the_token_only_health_and_metrics_are_shown(
    ask: dict[str, Client], given: dict[str, str]
) -> None:
    client = ask["closed"]
    for path in OPEN:
        assert (await client.get(path, headers=given)).status == 200
    for path in PAGES[len(OPEN) :]:
        answer = await client.get(path, headers=given)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert (await client.post("/health", headers=given)).status == 401


async def test_with_the_token_all_is_shown(ask: dict[str, Client]) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await ask["closed"].get("/table/jobs/", headers=headers)).status == 200
    assert (await ask["closed"].post("/table/jobs/", headers=headers)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_without_a_token_nothing_can_be_changed(ask: dict[str, Client], method: str) -> None:
    for path in PAGES:
        assert (await ask["open"].request(method, path)).status == 403


@pytest.mark.parametrize("path", ["/table/ledgers/", "/table/ledgers/3/", "/table/ledgers"])
async def test_ledgers_are_not_shown_unless_they_are_to_be(
    ask: dict[str, Client], path: str
) -> None:
    assert (await ask["open"].get(path)).status == 404
    assert (await ask["open"].get("/table/ledgers-of-others/")).status == 200


async def test_the_page_of_a_process_that_waits_is_guarded_too() -> None:
    app = App("test-early", broker="kafka://127.0.0.1:1", web_bind="127.0.0.1")
    app.settings = Settings()
    app.open_web(None, None)
    assert app.web_socket is not None
    page = OwnServer(lambda: ({"status": "unhealthy"}, 503), Metrics().page, app.page_guard)
    await page.start(app.web_socket)
    client = TestClient(TestServer(web.Application()))
    port = app.web_socket.getsockname()[1]
    for host, status in (("evil.example", 421), ("localhost", 503)):
        url = f"http://127.0.0.1:{port}/health"
        async with client.session.get(url, headers={"Host": host}) as answer:
            assert answer.status == status
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    await client.close()
    await page.stop()
    app.web_socket.close()
