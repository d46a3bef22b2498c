"""``/health`` of a process that has not begun."""

from aiohttp import ClientSession

from cronstream.broker.ports import free_port
from cronstream.health import EarlyPage


async def test_it_is_served_until_another_takes_the_port() -> None:
    port = free_port()
    reason = "waiting for Kafka: nobody is there"
    pages = [EarlyPage(lambda: ({"reason": reason}, 503)) for _ in range(3)]

    await pages[0].start("127.0.0.1", port)
    await pages[1].start("127.0.0.1", port)  # it finds the port taken, and says nothing
    async with (
        ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/health") as answer,
    ):
        assert (answer.status, await answer.json()) == (503, {"reason": reason})
    await pages[0].stop()
    await pages[1].stop()
    await pages[2].start("127.0.0.1", port)
    await pages[2].stop()
