"""What is used of aiokafka's clients that they keep to themselves: there is no public way to it."""

import asyncio
import math
from typing import Any

#: Between two questions who leads a partition, while none does.
_ASK_AGAIN_S = 0.05


def client_of(consumer: Any) -> Any:
    """Return the client below a consumer, which can ask for more than that does."""
    return consumer._client


async def learn(consumer: Any, topics: set[str]) -> None:
    """Have a consumer know who leads these topics, all with one question.

    Asked about a topic that it does not know, aiokafka (0.14) learns of that one, waits for 0.1 s,
    and begins again: nearly a second for the nine topics of three clusters.
    """
    client = consumer._client
    await client.set_topics(client._topics | topics)


def wait_without_end(producer: Any) -> None:
    """Have a message wait in a producer as long as it takes; before the producer is started.

    aiokafka (0.14) numbers the messages of a partition, and then gives up one that has waited for
    the request's timeout if its partition has no leader just then, as when Kafka comes back after
    minutes: the broker refuses all that follow, since a number is missing
    (``MessageAccumulator.drain_by_nodes``).
    """
    producer._message_accumulator._batch_ttl = math.inf


async def send_request(admin: Any, request: Any, node: int | None = None) -> Any:
    """Put a question to a broker that aiokafka has no method for, and return the answer.

    Args:
        admin: A client.
        request: The question.
        node: The broker's number; None for whichever.

    Raises:
        KafkaError: If no broker answers.
        IncompatibleBrokerVersion: If it does not know the question.
    """
    return await admin._send_request(request, node)


def pace(client: Any) -> None:
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


def is_member(consumer: Any) -> bool:
    """Whether it knows its coordinator, which knows it, and still works: an error ends its task."""
    coordinator = getattr(consumer, "_coordinator", None)
    if coordinator is None or coordinator._coordination_task.done():
        return False
    return bool(coordinator.generation > 0) and coordinator.coordinator_id is not None


def member_id(consumer: Any) -> str:
    """Return the name that its group knows it by."""
    return str(consumer._coordinator.member_id)


def pending_error(consumer: Any) -> Any:
    """Return what it has been sent and keeps for whoever polls next: nobody does, outside."""
    return getattr(getattr(consumer, "_coordinator", None), "_pending_exception", None)
