"""What consumer groups have committed on the old topic, and whether anybody is in them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.core.planning.legacy import starting_offsets
from cronstream.core.wire import naming
from cronstream.settings import Settings
from cronstream.topology.client import new_admin

T = TypeVar("T")

#: A broker that has just been started has no coordinator for groups yet.
_PATIENCE_S = 30.0
_PAUSE_S = 0.5


class Committed(NamedTuple):
    """An offset that a group has committed, with the note it made of it."""

    offset: int
    note: str


class Groups:
    """Looks at the old topic and its consumer groups; connect it before use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None

    async def __aenter__(self) -> Self:
        """Connect; raises KafkaError if no broker answers."""
        self._admin = new_admin(self._settings)
        try:
            await self._admin.start()
        except KafkaError:
            await self._admin.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._admin.close()

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions, or none if there is no such topic."""
        return (await self._describe([topic]))[topic]

    async def logs(self) -> dict[str, list[int]]:
        """Return every cluster's log with the numbers of its partitions."""
        topics = await self._admin.list_topics()
        return await self._describe(sorted(filter(self._is_cluster_log, topics)))

    def _is_cluster_log(self, topic: str) -> bool:
        prefix, _, cluster = topic.partition(".")
        is_ours = prefix == self._settings.names.prefix
        return is_ours and naming.cluster_problem(cluster) is None

    async def _describe(self, topics: list[str]) -> dict[str, list[int]]:
        found = await self._admin.describe_topics(topics) if topics else []
        return {
            topic["topic"]: sorted(each["partition"] for each in topic["partitions"])
            for topic in found
        }

    async def committed(self, group: str, topic: str) -> dict[int, Committed]:
        """Return what a group has committed, by partition; none if there is no such group."""
        found = await _patiently(lambda: self._admin.list_consumer_group_offsets(group))
        return {
            place.partition: Committed(at.offset, at.metadata or "")
            for place, at in found.items()
            if place.topic == topic and at.offset >= 0
        }

    async def members(self, group: str) -> int:
        """Return how many consumers are in a group now."""
        answers = await _patiently(lambda: self._admin.describe_consumer_groups([group]))
        return sum(len(found[5]) for answer in answers for found in answer.groups)


async def find_starts(
    groups: Groups, settings: Settings, beginnings: Mapping[int, int], own: dict[int, Committed]
) -> dict[int, int]:
    """Return from where each partition of the old topic is to be moved.

    Args:
        groups: Connected.
        settings: Name the old topic, and the group of the old workers if there is one.
        beginnings: The first offset that each partition still has.
        own: What the mover's group has committed.

    Raises:
        LegacyError: If nobody has committed anything there.
    """
    topic, old = settings.legacy_topic or "", None
    if settings.legacy_group:
        old = _offsets(await groups.committed(settings.legacy_group, topic))
    return starting_offsets(topic, beginnings, _offsets(own), old)


def _offsets(committed: Mapping[int, Committed]) -> dict[int, int]:
    return {partition: at.offset for partition, at in committed.items()}


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    give_up_at = clock.monotonic() + _PATIENCE_S
    while True:
        try:
            return await call()
        except KafkaError as error:
            if not error.retriable or clock.monotonic() > give_up_at:
                raise
            await asyncio.sleep(_PAUSE_S)
