"""Malformed messages, put on the logs of a cluster; each has to be found in quarantine."""

import asyncio
import random
from collections.abc import Iterable
from typing import TypeAlias

from aiokafka.structs import TopicPartition

from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader

#: What a person, a broken tool or another version might put on a topic.
MALFORMED: tuple[bytes | None, ...] = (
    None,
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"[[[[1]]]]",
    b"[" * 5000,
    b'{"job": "x", "command": "true"}',
    b'{"__faust": {"ns": "cronstream.Nonsense"}}',
    b'{"__faust": {"ns": "cronstream.Run"}, "job": "x", "scheduled_at": "2026-13-41"}',
    b'{"__faust": {"ns": "cronstream.Claimed"}, "run": 7, "version": "x"}',
    b'{"__faust": {"ns": "cronstream.Lost"}, "worker": null, "number": 1e400}',
    b'{"__faust": {"ns": "cronstream.Run"}, "job": "' + b"x" * 100_000 + b'"}',
)
_FOR_EACH_TOPIC = 60
_POLL_S = 0.2

#: Topic, partition and offset of a message.
Place: TypeAlias = tuple[str, int, int]


class Poisoner:
    """Puts malformed messages on the logs of clusters.

    Attributes:
        sent: Where each of them is, once the broker has it.
    """

    def __init__(self, config: Settings, dice: random.Random) -> None:
        self._publisher, self._dice = Publisher(config), dice
        self._partitions = config.partitions
        self.sent: set[Place] = set()

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        await self._publisher.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._publisher.stop()

    async def pour(self, cluster: str) -> None:
        """Put some of each kind on the cluster's log and its retry log, all over them."""
        for topic in (self._publisher.names.log(cluster), self._publisher.names.retry_log(cluster)):
            acks = await asyncio.gather(
                *(
                    self._publisher.put_raw(
                        topic,
                        self._dice.randrange(self._partitions),
                        self._dice.choice(MALFORMED),
                        {},
                    )
                    for _ in range(_FOR_EACH_TOPIC)
                )
            )
            self.sent |= {(topic, ack.partition, ack.offset) for ack in acks}


async def not_set_aside(config: Settings, sent: Iterable[Place], within_s: float) -> set[Place]:
    """Return which of the messages are not in quarantine, even after some time.

    Raises:
        BrokerError: If no broker answers.
    """
    missing = set(sent)
    if not missing:
        return missing
    async with Reader(config) as reader:
        reader.follow({TopicPartition(config.names.quarantine, 0): 0})
        end = asyncio.get_running_loop().time() + within_s
        while missing and asyncio.get_running_loop().time() < end:
            missing -= {_place(message) for message in await reader.poll(_POLL_S)}
    return missing


def _place(message: LogMessage) -> Place:
    headers = dict(message.headers)
    return headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])
