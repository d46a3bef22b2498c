"""How commands reach Kafka: found out within seconds, and an absent one is said in one line."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import click

from cronstream.cli.lean import load
from cronstream.settings import Settings, settings
from cronstream.steering.connecting import RunPublisher, StartableReader, Ways, connected


async def _topic_faults(settings: Settings, clusters: Sequence[str]) -> list[str]:
    """Return what is wrong with the topics of an installation that has these clusters."""
    examining = load("cronstream.topology.examining")  # which most commands need not load
    found: list[str] = await examining.topic_faults(settings, clusters)
    return found


async def _kafka_facts(settings: Settings) -> Any:
    """Return `KafkaFacts`; None if there is no installation yet."""
    return await load("cronstream.topology.examining").kafka_facts(settings)


@dataclass(frozen=True, slots=True)
class Connections(Ways):
    """How to get at Kafka; tests put their own in click's ``obj``."""

    topic_faults: Callable[[Settings, Sequence[str]], Awaitable[list[str]]] = _topic_faults
    kafka_facts: Callable[[Settings], Awaitable[Any]] = _kafka_facts


def connections() -> Connections:
    """Return what the command that runs now is to use."""
    return click.get_current_context().find_object(Connections) or Connections()


def reading() -> AbstractAsyncContextManager[StartableReader]:
    """Give a connected reader; raises BrokerError if no broker answers, or it fails meanwhile."""
    return connected(settings(), connections().reader, connections())


def publishing() -> AbstractAsyncContextManager[RunPublisher]:
    """Give a connected publisher; raises BrokerError if no broker answers, or it fails."""
    return connected(settings(), connections().publisher, connections())


def publishing_as_it_is() -> AbstractAsyncContextManager[RunPublisher]:
    """Give likewise a publisher that signs nothing: what it is given is others' word."""

    def unsigned(settings: Settings) -> RunPublisher:
        return connections().publisher(settings.model_copy(update={"signing_key": None}))

    return connected(settings(), unsigned, connections())
