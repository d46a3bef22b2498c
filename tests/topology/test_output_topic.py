"""A worker's end of the topic of output: it hears who follows, and never waits for Kafka."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from cronstream import clock
from cronstream.core.wire.live_output import FOLLOWS, Follow, Written, encode
from cronstream.errors import BrokerError
from cronstream.settings import Settings
from cronstream.topology import output_topic
from cronstream.topology.log_message import LogMessage
from cronstream.topology.output_topic import OutputTopic

FOLLOW = Follow(run="a@x", follower="f")
WRITTEN = Written(run="a@x", attempt=1, worker="w", number=1)
HEADERS = ((FOLLOWS[0], FOLLOWS[1].encode()),)


def a_message(
    value: bytes | None = encode(FOLLOW),
    headers: tuple[tuple[str, bytes], ...] = HEADERS,
    when: datetime | None = None,
) -> LogMessage:
    return LogMessage("cronstream.a.output", 0, 7, when or clock.now(), None, value, headers)


def test_who_follows_is_heard_and_nobody_else() -> None:
    heard: list[Follow] = []
    topic = OutputTopic(Settings(), "a", heard.append)
    long_ago = clock.now() - timedelta(minutes=5)
    for message in (
        a_message(headers=()),
        a_message(when=long_ago),
        a_message(None),
        a_message(b"{"),
        a_message(encode(WRITTEN)),
    ):
        topic._see(message)
    assert heard == []
    topic._see(a_message())
    assert heard == [FOLLOW]


async def test_what_kafka_does_not_take_fills_no_memory() -> None:
    topic = OutputTopic(Settings(), "a", lambda _: None)
    taken = [topic.put(WRITTEN) for _ in range(1_000)]
    assert sum(taken) == 64


@pytest.mark.parametrize(
    "error", [BrokerError("no Kafka answers"), TopicAuthorizationFailedError("a"), OSError("no")]
)
async def test_a_topic_that_cannot_be_used_is_said_once_and_tried_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(output_topic, "_AGAIN_S", 0)
    caplog.set_level(logging.WARNING, output_topic.__name__)
    tries = 0
    is_enough = asyncio.Event()

    async def fails(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries > 3:
            is_enough.set()
        raise error

    monkeypatch.setattr(output_topic, "ensure_topics", fails)
    topic = OutputTopic(Settings(), "a", lambda _: None)
    attending = asyncio.create_task(topic.attend_for_ever())
    await is_enough.wait()
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)
    [line] = caplog.records
    assert vars(line)["fields"]["action"] == "output-not-followed"


async def test_what_is_put_is_sent_in_order_by_a_producer_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[bytes] = []
    is_through = asyncio.Event()

    class Producer:
        async def send_and_wait(self, name: str, value: bytes, *, partition: int) -> None:
            assert (name, partition) == ("cronstream.a.output", 0)
            sent.append(value)
            if len(sent) == 3:
                is_through.set()

        async def stop(self) -> None: ...

    async def start(*_: object, **__: object) -> Producer:
        return Producer()

    monkeypatch.setattr(output_topic, "start_producer", start)
    topic = OutputTopic(Settings(), "a", lambda _: None)
    written = [WRITTEN.model_copy(update={"number": n}) for n in (1, 2, 3)]
    assert all(map(topic.put, written))
    sending = asyncio.create_task(topic._send())
    await is_through.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert sent == [encode(one) for one in written]
