"""``/health`` of a process that has not begun."""

import socket
from copy import copy
from functools import partial

from aiohttp import ClientSession

from cronstream.health import EarlyPage


async def test_it_is_served_at_a_socket_that_another_serves_at_afterwards() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/health"
        for reason in ("waiting for Kafka: nobody is there", "another"):
            told = ({"reason": reason}, 503)
            page = EarlyPage(partial(copy, told))
            await page.start(bound)
            async with ClientSession() as session, session.get(url) as answer:
                assert (answer.status, await answer.json()) == (503, {"reason": reason})
            await page.stop()
        assert bound.fileno() > 0
