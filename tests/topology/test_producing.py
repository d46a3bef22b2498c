"""What is mended of the producer."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from cronstream.fitted.to_aiokafka import clients
from cronstream.settings import Settings
from cronstream.topology import producing


class FakeClient:
    """Answers at once, as a broker does that knows no leader either."""

    def __init__(self) -> None:
        self.asked = 0

    def force_metadata_update(self) -> "asyncio.Future[bool]":
        self.asked += 1
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        answered.set_result(True)
        return answered


async def test_who_leads_a_partition_is_asked_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = FakeClient()
    waits: list[float] = []
    loop = asyncio.get_running_loop()

    def call_later(pause_s: float, ask: Callable[[], None]) -> None:
        waits.append(pause_s)
        loop.call_soon(ask)

    monkeypatch.setattr(loop, "call_later", call_later)
    clients.pace(client)
    await client.force_metadata_update()

    assert waits == [clients._ASK_AGAIN_S]
    assert client.asked == 1


async def test_who_no_longer_waits_for_the_answer_is_given_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = FakeClient()
    monkeypatch.setattr(clients, "_ASK_AGAIN_S", 0.0)
    clients.pace(client)
    client.force_metadata_update().cancel()
    while not client.asked:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_every_producer_asks_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(_: AIOKafkaProducer) -> None:
        pass

    monkeypatch.setattr(AIOKafkaProducer, "start", start)
    producer = await producing.start_producer(Settings(), 1_000_000)
    try:
        assert "ask_in_a_moment" in producer.client.force_metadata_update.__name__
    finally:
        await producer.stop()


async def test_what_is_half_connected_is_ended_when_it_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def start(_: AIOKafkaProducer) -> None:
        done.append("start")
        await asyncio.sleep(60)

    async def stop(producer: AIOKafkaProducer) -> None:
        done.append("stop")
        producer._closed = True

    monkeypatch.setattr(AIOKafkaProducer, "start", start)
    monkeypatch.setattr(AIOKafkaProducer, "stop", stop)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await producing.start_producer(Settings(), 1_000_000)
    assert done == ["start", "stop"]
