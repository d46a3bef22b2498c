"""How commands reach Kafka: found out within seconds, and an absent one is said in one line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import click
from aiokafka.errors import KafkaError

from cronstream.cli.believed import see_that_it_is_believed, see_that_it_may
from cronstream.cli.lean import load
from cronstream.core.wire.messages import Message
from cronstream.core.wire.naming import Names
from cronstream.core.wire.rights import Actor, Right, rights
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, NotFoundError, TopologyError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.scope import LogReader
from cronstream.settings import Settings, settings
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.reaching import probe
from cronstream.topology.reading import Reader
from cronstream.topology.refusals import missing_right
from cronstream.topology.resending import resend_until_accepted
from cronstream.topology.rights import lacking, sentence
from cronstream.trust.keyring import judge_for_command
from cronstream.trust.signer import Signer

_CONNECT_S = 5.0
_ACK_S = 30.0
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


async def _topic_faults(settings: Settings, clusters: Sequence[str]) -> list[str]:
    """Return what is wrong with the topics of an installation that has these clusters."""
    examining = load("cronstream.topology.examining")  # which most commands need not load
    found: list[str] = await examining.topic_faults(settings, clusters)
    return found


async def _kafka_facts(settings: Settings) -> Any:
    """Return `KafkaFacts`; None if there is no installation yet."""
    return await load("cronstream.topology.examining").kafka_facts(settings)


StartableT = TypeVar("StartableT", bound=Startable)


@dataclass(frozen=True, slots=True)
class Connections:
    """How to get at Kafka; tests put their own in click's ``obj``."""

    reader: Callable[[Settings], StartableReader] = brisk_reader
    publisher: Callable[[Settings], RunPublisher] = signing_publisher
    probe: Callable[[Settings], Awaitable[None]] = probe
    lacking: Callable[[Settings, Sequence[Right]], Awaitable[list[Right]]] = lacking
    topic_faults: Callable[[Settings, Sequence[str]], Awaitable[list[str]]] = _topic_faults
    kafka_facts: Callable[[Settings], Awaitable[Any]] = _kafka_facts


def connections() -> Connections:
    """Return what the command that runs now is to use."""
    return click.get_current_context().find_object(Connections) or Connections()


def reading() -> AbstractAsyncContextManager[StartableReader]:
    """Give a connected reader; raises BrokerError if no broker answers, or it fails meanwhile."""
    return _connected(connections().reader)


def publishing() -> AbstractAsyncContextManager[RunPublisher]:
    """Give a connected publisher; raises BrokerError if no broker answers, or it fails."""
    return _connected(connections().publisher)


def publishing_as_it_is() -> AbstractAsyncContextManager[RunPublisher]:
    """Give likewise a publisher that signs nothing: what it is given is others' word."""

    def unsigned(settings: Settings) -> RunPublisher:
        return connections().publisher(settings.model_copy(update={"signing_key": None}))

    return _connected(unsigned)


@asynccontextmanager
async def _connected(make: Callable[[Settings], StartableT]) -> AsyncIterator[StartableT]:
    chosen = settings()
    await connections().probe(chosen)
    client = make(chosen)
    try:
        await _see_that_it_may(chosen)
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


async def _see_that_it_may(chosen: Settings) -> None:
    """See that who types this may look: who may not would be told that nothing is there.

    Raises:
        TopologyError: If he may not; the sentence names all that is lacking.
    """
    if chosen.broker_security == "plaintext":
        return
    missing = await connections().lacking(chosen, rights(chosen.names, Actor.READER, ()))
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


async def publish_runs(publisher: RunPublisher, reader: LogReader, runs: list[Run]) -> list[Ack]:
    """Publish runs with a cause to their clusters' logs; return where each of them stands.

    A run that the broker got too long after it was judged is refused by the fold (rule 11), which
    its acknowledgement shows; it is sent again then, judged by the log's clock.

    Raises:
        NotFoundError: If a cluster has no log.
        HouseError: If the installation has moved, or is being imported.
        KeysError: If workers there would not run what is signed so, or not signed.
        BrokerError: If the broker does not acknowledge one in time.
    """
    await see_that_one_may_publish(reader)
    asked = {run.cluster for run in runs}
    signer = Signer(settings(), at_once=True)
    see_that_it_may(runs, signer, judge_for_command(settings()))
    await see_that_it_is_believed(reader, asked, signer.id)
    counts = {}
    for cluster in sorted(asked):
        log = reader.names.log(cluster)
        counts[cluster] = len(await reader.partitions(log))
        if not counts[cluster]:
            raise NotFoundError(f"there is no cluster {cluster!r} on this broker: no topic {log}")

    async def send(run: Run) -> Ack:
        return await _acknowledged(run, _send(publisher, run, counts[run.cluster]))

    sent = [(run, _send(publisher, run, counts[run.cluster])) for run in runs]
    return [await resend_until_accepted(run, _acknowledged(run, ack), send) for run, ack in sent]


def _send(publisher: RunPublisher, run: Run, partitions: int) -> asyncio.Future[Ack]:
    return publisher.publish(publisher.names.log(run.cluster), run.job, run, partitions=partitions)


async def _acknowledged(run: Run, sent: asyncio.Future[Ack]) -> Ack:
    try:
        async with asyncio.timeout(_ACK_S):
            return await sent
    except TimeoutError as error:
        raise BrokerError(
            f"run {run.id}: not acknowledged within {_ACK_S:.0f} s, so it is not known whether "
            f"it is on the log; look with 'cronstream show {run.id}' before you try again"
        ) from error
