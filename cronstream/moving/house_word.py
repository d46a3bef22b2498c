"""Says on ``jobs`` whether processes may work in an installation."""

import asyncio
from collections.abc import Iterable
from importlib.metadata import version
from typing import Protocol

from cronstream.core.wire.entries import Level
from cronstream.core.wire.installation import House
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.messages import Message
from cronstream.core.wire.naming import Names
from cronstream.errors import BrokerError
from cronstream.topology.publish import Ack

#: How long the broker has to take what was sent together.
ACK_S = 60.0


class Appender(Protocol):
    """What is needed of `cronstream.topology.publish.Publisher`."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

    def append(self, topic: str, partition: int, record: Message) -> "asyncio.Future[Ack]":
        """Put a record on a partition."""


async def put_word(publisher: Appender, shards: Iterable[int], house: House) -> None:
    """Put a word on each partition of ``jobs``, with the level that it takes to read it.

    Raises:
        BrokerError: If the broker does not take it.
    """
    level = Level(level=LEVEL, version=version("cronstream"))
    places = sorted(shards)
    await acknowledged(
        publisher.append(publisher.names.jobs, shard, record)
        for record in (level, house)
        for shard in places
    )


async def acknowledged(sent: Iterable["asyncio.Future[Ack]"]) -> list[Ack]:
    """Return where what was sent stands, in its order.

    Raises:
        BrokerError: If the broker does not take all of it.
    """
    try:
        async with asyncio.timeout(ACK_S):
            return list(await asyncio.gather(*sent))
    except TimeoutError as error:
        raise BrokerError(
            f"the broker has not acknowledged all within {ACK_S:.0f} s; give the command again"
        ) from error
