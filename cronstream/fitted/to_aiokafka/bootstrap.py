"""Has aiokafka ask its bootstrap addresses again: at the start, and when it has lost all brokers.

aiokafka (0.14) asks them once. When nobody answers then, a client does not start, and Faust's
consumer takes the process with it, though Kafka was there a moment before. And when all brokers
have come to new addresses behind the same bootstrap (a load balancer, a service of Kubernetes, a
tunnel), a client goes on asking the old ones for ever; Kafka's own clients begin again (KIP-899).
"""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from cronstream import clock

#: Between two questions of one client to its bootstrap addresses.
AGAIN_S = 1.0

_CLIENT: Any = AIOKafkaClient  # there is no public way in
_update = _CLIENT._metadata_update
_bootstrap = _CLIENT.bootstrap
_asked_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


class AtStart:
    """Whether a client that nobody answers at its start waits, or gives up, as aiokafka has it.

    For all clients of this process: those of Faust's are made in its depths.
    """

    waits = False


async def _bootstrap_in_time(client: Any) -> None:
    """Find out which brokers there are; while it waits, as soon as there are any.

    Raises:
        KafkaConnectionError: If nobody answers, and it does not wait.
    """
    while True:
        try:
            await _bootstrap(client)
        except KafkaConnectionError:
            if not AtStart.waits:
                raise
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def _update_or_begin_again(client: Any, cluster: Any, topics: Any) -> bool:
    """Return whether it is known now which brokers and topics there are."""
    if await _update(client, cluster, topics):
        return True
    now = clock.monotonic()
    if now - _asked_at.get(client, float("-inf")) < AGAIN_S:
        return False
    _asked_at[client] = now
    try:
        await _bootstrap(client)
    except (TimeoutError, KafkaError, OSError):
        return False
    if cluster is not client.cluster:
        client.force_metadata_update()  # It was given brokers only, and has forgotten all topics.
    return bool(await _update(client, cluster, topics))


def ask_the_bootstrap_again() -> None:
    """Mend all clients of this process, those to come and those that are there."""
    _CLIENT.bootstrap = _bootstrap_in_time
    _CLIENT._metadata_update = _update_or_begin_again
