"""The one kind of plain consumer that there is here: without a group, from the beginning."""

import asyncio
import contextlib
from typing import Any

from aiokafka.errors import KafkaError

from cronstream.errors import BrokerError
from cronstream.fitted.to_aiokafka.clients import client_of
from cronstream.settings import Settings
from cronstream.topology.client import new_consumer

#: One that has not disconnected by then is left to its process's end.
_STOP_WITHIN_S = 5.0
#: For somebody who waits in front of a screen any one question is asked for so long.
_ANSWER_WITHIN_S = 10.0


async def start_consumer(settings: Settings, *, gives_up: bool, waits_ms: int = 100) -> Any:
    """Return a consumer that is connected.

    Args:
        settings: Where Kafka is.
        gives_up: Whether somebody waits in front of a screen.
        waits_ms: How long the broker waits, at most, for something to come.

    Raises:
        BrokerError: If no broker answers.
    """
    consumer = new_consumer(
        settings,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=waits_ms,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        **({"request_timeout_ms": int(_ANSWER_WITHIN_S * 1000)} if gives_up else {}),
    )
    try:
        await consumer.start()
    except KafkaError as error:
        with contextlib.suppress(KafkaError):
            await consumer.stop()
        where = ", ".join(settings.bootstrap)
        raise BrokerError(f"no Kafka answers at {where}: {error}") from error
    except asyncio.CancelledError:
        # Who has waited long enough goes on: what is half connected would stay so for ever.
        await stop_consumer(consumer)
        raise
    return consumer


async def stop_consumer(consumer: Any) -> None:
    """Disconnect a consumer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_WITHIN_S):
            await _close(consumer)


async def _close(consumer: Any) -> None:
    """Stop a consumer.

    Its fetcher cancels what it waits for, and takes the end of that for its own (aiokafka 0.14).
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        await client_of(consumer).close()  # What it has not come to.
