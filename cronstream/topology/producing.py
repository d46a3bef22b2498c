"""The one kind of producer that there is here: in it, a message waits as long as it takes."""

import asyncio
import contextlib
import math
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from cronstream.errors import BrokerError
from cronstream.settings import Settings

#: A producer that has not disconnected by then is left to its process's end: it waits until all
#: that is in it is through, and Kafka may be away.
_STOP_WITHIN_S = 3.0
#: Between two questions who leads a partition, while none does.
_ASK_AGAIN_S = 0.05


async def start_producer(
    settings: Settings, max_bytes: int, *, counts_messages: bool = True
) -> Any:
    """Return a producer that is connected.

    Args:
        settings: Where Kafka is.
        max_bytes: How large a message may be.
        counts_messages: Whether Kafka is to drop what comes twice; a message that it does not take
            at all leaves a gap then, and it takes nothing more on that partition.

    Raises:
        BrokerError: If no broker answers.
    """
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        acks="all",
        enable_idempotence=counts_messages,
        request_timeout_ms=300_000,
        max_request_size=max_bytes,
        linger_ms=0,
    )
    # aiokafka (0.14) numbers the messages of a partition, and then gives up one that has waited
    # for the request's timeout if its partition has no leader just then, as when Kafka comes back
    # after minutes: the broker refuses all that follow, since a number is missing
    # (``MessageAccumulator.drain_by_nodes``).
    producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001 - no public way
    _pace(producer.client)
    try:
        await producer.start()
    except KafkaError as error:
        with contextlib.suppress(KafkaError):
            await producer.stop()
        where = ", ".join(settings.bootstrap)
        raise BrokerError(f"no Kafka answers at {where}: {error}") from error
    return producer


def _pace(client: Any) -> None:
    """Have a client wait a moment before it asks who leads a partition.

    While something waits for a partition without a leader, or for a topic that is not there,
    aiokafka (0.14) asks without a pause (``Sender._sender_routine``), which takes half a core.
    """
    ask = client.force_metadata_update

    def ask_in_a_moment() -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def answer(_: Any) -> None:
            if not answered.done():
                answered.set_result(None)

        loop.call_later(_ASK_AGAIN_S, lambda: ask().add_done_callback(answer))
        return answered

    client.force_metadata_update = ask_in_a_moment


async def stop_producer(producer: Any) -> None:
    """Disconnect a producer, if there is one."""
    if producer is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await producer.stop()
