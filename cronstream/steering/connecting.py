"""How Kafka is reached for what a person asks: found out within seconds, an absent one is said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from aiokafka.errors import KafkaError

from cronstream.core.wire.messages import Message
from cronstream.core.wire.naming import Names
from cronstream.core.wire.rights import Actor, Kind, Right, rights
from cronstream.errors import BrokerError, TopologyError
from cronstream.history.scope import LogReader
from cronstream.settings import Settings
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.reaching import probe
from cronstream.topology.reading import Reader
from cronstream.topology.refusals import missing_right
from cronstream.topology.rights import lacking, sentence
from cronstream.trust.signer import Signer

_CONNECT_S = 5.0
_STOP_S = 3.0


class Startable(Protocol):
    """Something that connects and disconnects."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""


class StartableReader(LogReader, Startable, Protocol):
    """What is needed of `Reader`."""


class RunPublisher(Startable, Protocol):
    """What is needed of `Publisher`."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> asyncio.Future[Ack]:
        """Put a record on the partition of its key."""

    def append(self, topic: str, partition: int, record: Message) -> asyncio.Future[Ack]:
        """Put a record on a partition."""

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> asyncio.Future[Ack]:
        """Put bytes on a partition as they are."""


def brisk_reader(settings: Settings) -> Reader:
    """Return a reader that gives up within seconds when no broker answers."""
    return Reader(settings, gives_up=True)


def signing_publisher(settings: Settings) -> Publisher:
    """Return a publisher that signs what this command asks for, if it has a key."""
    return Publisher(settings, Signer(settings, at_once=True).sign)


StartableT = TypeVar("StartableT", bound=Startable)

#: Gives a connected publisher, and disconnects it.
Publishing: TypeAlias = Callable[[], AbstractAsyncContextManager[RunPublisher]]


@dataclass(frozen=True, slots=True)
class Ways:
    """How to get at Kafka; tests have their own."""

    reader: Callable[[Settings], StartableReader] = brisk_reader
    publisher: Callable[[Settings], RunPublisher] = signing_publisher
    probe: Callable[[Settings], Awaitable[None]] = probe
    lacking: Callable[[Settings, Sequence[Right]], Awaitable[list[Right]]] = lacking


@asynccontextmanager
async def connected(
    chosen: Settings, make: Callable[[Settings], StartableT], ways: Ways
) -> AsyncIterator[StartableT]:
    """Give a client that is connected.

    Raises:
        BrokerError: If no broker answers, or it fails meanwhile.
        TopologyError: If Kafka does not allow what is asked of it.
    """
    await ways.probe(chosen)
    client = make(chosen)
    try:
        await _see_that_it_may(chosen, ways)
        await _start(client, ", ".join(chosen.bootstrap))
        yield client
    except (KafkaError, TimeoutError) as error:
        if missing := missing_right(error):
            raise missing from error
        raise BrokerError(f"Kafka has failed: {str(error) or type(error).__name__}") from error
    finally:
        # aiokafka's consumer may wait for ever for a task whose end it has missed; the process
        # is about to end, and with it the connections.
        with suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(_STOP_S):
                await client.stop()


async def _see_that_it_may(chosen: Settings, ways: Ways) -> None:
    """See that who asks may look: who may not would be told that nothing is there.

    Raises:
        TopologyError: If he may not; the sentence names all that is lacking.
    """
    if chosen.broker_security == "plaintext":
        return
    wanted = [r for r in rights(chosen.names, Actor.READER, ()) if r.kind is Kind.TOPIC]
    missing = await ways.lacking(chosen, wanted)
    if missing:
        raise TopologyError(sentence(chosen, missing, Actor.READER, ()))


async def _start(client: Startable, where: str) -> None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            await client.start()
    except TimeoutError as error:
        raise BrokerError(
            f"what listens at {where} does not answer as a Kafka broker within {_CONNECT_S:.0f} s"
        ) from error
    except OSError as error:
        raise BrokerError(f"no Kafka answers at {where}: {error}") from error
