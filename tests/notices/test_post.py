"""One try: what a server answers, and what is said when it does not."""

import socket
from collections.abc import AsyncIterator

import pytest

from cronstream.notices.answer import Answer
from cronstream.notices.notice import Request
from cronstream.notices.post import Post
from tests.notices.server import serving


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post(patience_s=5.0)
    yield made
    await made.close()


async def test_what_is_taken_is_done(post: Post) -> None:
    async with serving(200, 201, 204) as server:
        answers = [
            await post.try_once(Request("POST", f"{server.url}/x?y=1", {"A": "b"}, b"z"))
            for _ in range(3)
        ]

    assert answers == [Answer()] * 3
    [first, *_] = server.asked
    assert (first.method, first.path, first.query, first.body) == ("POST", "/x", {"y": "1"}, "z")
    assert first.headers["A"] == "b"


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_what_may_be_taken_later_is_not_final(post: Post, status: int) -> None:
    async with serving(status) as server:
        answer = await post.try_once(Request("GET", server.url))

    assert answer == Answer(f"127.0.0.1 answered {status}", is_final=False)


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_what_is_wrong_is_final(post: Post, status: int) -> None:
    async with serving(status) as server:
        assert (await post.try_once(Request("GET", server.url))).is_final


async def test_a_server_says_when_it_wants_to_be_asked_again(post: Post) -> None:
    async with serving(429) as server:
        server.headers = {"Retry-After": "7"}
        assert (await post.try_once(Request("GET", server.url))).after_s == 7.0


async def test_a_redirect_is_not_followed_and_the_sentence_says_what_to_do(post: Post) -> None:
    async with serving(302) as server:
        server.headers = {"Location": f"{server.url}/elsewhere"}
        answer = await post.try_once(Request("POST", f"{server.url}/x", {}, b"secret"))

    assert answer.is_final
    assert "write the address it belongs to" in answer.why
    assert server.paths == ["/x"]


async def test_a_server_that_hangs_is_not_waited_for_long() -> None:
    post = Post(patience_s=0.05)
    async with serving(is_open=False) as server:
        answer = await post.try_once(Request("GET", server.url))
    await post.close()

    assert answer == Answer("127.0.0.1 has not answered within 0.05 s", is_final=False)


async def test_a_server_that_is_gone_may_come_back(post: Post) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answer = await post.try_once(Request("GET", f"http://127.0.0.1:{port}/secret"))

    assert not answer.is_final
    assert answer.why.startswith("127.0.0.1 cannot be reached")
    assert "secret" not in answer.why


async def test_what_speaks_no_tls_is_not_reached_by_https(post: Post) -> None:
    async with serving() as server:
        url = server.url.replace("http://", "https://")
        answer = await post.try_once(Request("GET", f"{url}/secret"))

    assert answer.why
    assert "secret" not in answer.why
    assert server.asked == []


async def test_a_proxy_of_the_environment_is_asked_and_one_that_is_excepted_not(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as proxy, serving() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await post.try_once(Request("GET", f"{server.url}/direct"))
        await post.try_once(Request("GET", "http://elsewhere.example.org/x"))

    assert server.paths == ["/direct"]
    assert [one.headers["Host"] for one in proxy.asked] == ["elsewhere.example.org"]
