"""``/health`` and ``/metrics`` where Faust does not serve them."""

import socket
from copy import copy
from functools import partial

from aiohttp import ClientSession

from cronstream.fitted.to_faust.web import bind_metrics
from cronstream.health import OwnServer
from cronstream.metrics.exposition import Metrics


async def test_it_is_served_at_a_socket_that_another_serves_at_afterwards() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/health"
        for reason in ("waiting for Kafka: nobody is there", "another"):
            told = ({"reason": reason}, 503)
            page = OwnServer(partial(copy, told), Metrics().page)
            await page.start(bound)
            async with ClientSession() as session, session.get(url) as answer:
                assert (answer.status, await answer.json()) == (503, {"reason": reason})
            await page.stop()
        assert bound.fileno() > 0


async def test_metrics_and_health_are_for_whoever_asks_by_whatever_name_and_nothing_else_is() -> (
    None
):
    with bind_metrics("127.0.0.1", 0) as bound:
        server = OwnServer(lambda: ({"status": "healthy"}, 200), Metrics().page)
        await server.start(bound)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with ClientSession(headers={"Host": "worker-3.example:9464"}) as session:
            async with session.get(f"{url}/metrics") as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "python_info" in await answer.text()
            for method, path, status in (
                ("GET", "/health", 200),
                ("POST", "/metrics", 405),
                ("DELETE", "/health", 405),
                ("GET", "/table/jobs/", 404),
                ("GET", "/", 404),
            ):
                async with session.request(method, f"{url}{path}") as answer:
                    assert (path, answer.status) == (path, status)
        await server.stop()
