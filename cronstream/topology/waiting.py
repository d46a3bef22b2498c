"""Waits for Kafka at the start of a process, and says what for, again and again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiokafka.errors import IllegalStateError, KafkaError

from cronstream import clock
from cronstream.errors import (
    BrokerError,
    SetupError,
    TopologyError,
    TruncatedError,
    UnreachableError,
)
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.client import new_client
from cronstream.topology.reaching import probe
from cronstream.topology.refusals import missing_right
from cronstream.topology.topics import TopicSpec, ensure_topics

logger = logging.getLogger(__name__)

T = TypeVar("T")

_AGAIN_S = 0.5
#: What is waited for is said when it changes, and so often.
_TELL_EVERY_S = 30.0
#: What is asked again and again is nothing to speak of before.
_SAID_AFTER_S = 5.0
#: How long a Kafka that answers may lack brokers: it may be starting just now.
GIVE_UP_S = 30.0
#: How long all brokers together may take to answer at the addresses they name.
_REACHED_WITHIN_S = 6.0


async def wait_for_topics(
    specs: Iterable[TopicSpec],
    settings: Settings,
    say: Callable[[str], None],
    may: Callable[[], Awaitable[None]],
) -> list[str]:
    """Wait until all topics are there as they are needed; see `ensure_topics`.

    Args:
        specs: The topics.
        settings: Where Kafka is.
        say: Is given what is waited for, each time it was looked.
        may: Raises TopologyError if a right is missing: without it a topic may not even be seen.

    Raises:
        TopologyError: If waiting does not mend it, or has not for too long.
    """
    wait = _Wait()
    wanted = list(specs)
    while True:
        try:
            await may()
            return await ensure_topics(wanted, settings)
        except BrokerError as error:
            fault = error
        except (KafkaError, OSError) as error:
            if missing := missing_right(error):
                raise missing from error
            fault = await _explain(error, settings)
        wait.note(fault)
        say(f"waiting for Kafka: {fault}")
        await asyncio.sleep(_AGAIN_S)


async def until_answered(ask: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Ask Kafka again and again until it answers, and return the answer.

    What lasts is said as in `wait_for_topics`.

    Raises:
        TopologyError: If Kafka answers that this user may not.
        TruncatedError: If a topic ends before what it had reached.
    """
    wait, began = _Wait(), clock.monotonic()
    while True:
        try:
            return await ask(*args)
        except (IllegalStateError, TruncatedError):
            raise  # It is about partitions that are no longer its own, or not what they were.
        except (BrokerError, KafkaError, OSError) as error:
            if missing := missing_right(error):
                raise missing from error
            logger.debug("asking Kafka again (%s)", type(error).__name__)
            if clock.monotonic() - began > _SAID_AFTER_S:
                wait.note(BrokerError(f"Kafka has not answered yet ({_brief(error)})"))
            await asyncio.sleep(_AGAIN_S)


class _Wait:
    """What is waited for, since when, and when that was said."""

    def __init__(self) -> None:
        self._said, self._said_at = "", float("-inf")
        self._lacking_since: float | None = None

    def note(self, fault: BrokerError) -> None:
        """Say what is waited for, if it is time to.

        Raises:
            TopologyError: If Kafka answers, and has lacked something for too long.
        """
        now, text = clock.monotonic(), str(fault)
        if not isinstance(fault, SetupError):
            self._lacking_since = None
        elif self._lacking_since is None:
            self._lacking_since = now
        elif now - self._lacking_since > GIVE_UP_S:
            raise TopologyError(text) from fault
        if text != self._said or now - self._said_at >= _TELL_EVERY_S:
            self._said, self._said_at = text, now
            logger.warning("%s; waiting for it", text, extra=fields("waiting"))


async def _explain(error: Exception, settings: Settings) -> BrokerError:
    """Find out whether nobody answers, or somebody who names brokers that cannot be reached."""
    where = ", ".join(settings.bootstrap)
    client = new_client(settings)
    try:
        async with asyncio.timeout(_REACHED_WITHIN_S):
            await client.bootstrap()
    except (KafkaError, OSError, TimeoutError):
        await client.close()
        try:
            await probe(settings)
        except SetupError as refusal:
            return refusal
        except UnreachableError:
            pass
        return BrokerError(f"no Kafka at {where} yet ({_brief(error)})")
    try:
        named = {
            broker.nodeId: f"{broker.host}:{broker.port}" for broker in client.cluster.brokers()
        }
        if await _is_any_ready(client, named):
            return BrokerError(f"Kafka at {where} is not ready yet ({_brief(error)})")
    finally:
        await client.close()
    return SetupError(
        f"Kafka answers at {where}, but names {', '.join(sorted(named.values()))} as the address "
        "of its brokers, and nobody answers there: see to it that advertised.listeners of each "
        "broker is an address that this machine reaches"
    )


async def _is_any_ready(client: Any, nodes: Iterable[int]) -> bool:
    async def is_ready(node: int) -> bool:
        try:
            async with asyncio.timeout(_REACHED_WITHIN_S):
                return bool(await client.ready(node))
        except TimeoutError:
            return False

    return any(await asyncio.gather(*map(is_ready, nodes)))


def _brief(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, KafkaError) else str(error)
