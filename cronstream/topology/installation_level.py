"""Whether a process may join its group: what its installation says on ``jobs``, read before.

A process that is too old for it must not come as far as that: it would end at the first `Level`
that it reads, be started again by its supervisor, and rebalance the others each time. Nor may one
that was started where nobody works any more, or on a copy of its topics.
"""

from dataclasses import dataclass

import orjson

from cronstream.core.planning.recent import Seen
from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import (
    closed_because,
    decode_house,
    decode_installations,
    decode_level,
    foreign_because,
)
from cronstream.core.wire.levels import LEVEL
from cronstream.errors import CronstreamError, HouseError
from cronstream.settings import Settings
from cronstream.topology.jobs import read_on, see_that_it_goes_on
from cronstream.topology.last_rows import rows_on
from cronstream.topology.log_message import LogMessage
from cronstream.topology.reading import Reader


@dataclass(slots=True)
class Found:
    """What a process finds before it joins.

    Attributes:
        level: The highest that was announced on ``jobs``, which is kept for ever.
        kafka: The id of the Kafka; None if it does not say.
        house: The last word on whether processes may work in the installation.
    """

    level: int = 1
    kafka: str | None = None
    house: House | None = None

    def fold(self, message: LogMessage) -> None:
        """Take what a message says of the installation."""
        self.level = max(self.level, decode_level(message.value))
        self.house = decode_house(message.value) or self.house
        for told in decode_installations(message.value):
            self.kafka = self.kafka or told.kafka


async def look_at_installation(settings: Settings) -> Found:
    """Return what a process has to know before it joins.

    The row of the first shard's cursor says what it was, and up to where that was read.

    Raises:
        BrokerError: If no broker answers.
        LevelError: If it was raised to a level that this process does not know.
        HouseError: If nobody may work in the installation.
    """
    async with Reader(settings) as reader:
        here = await reader.kafka_id()
        end = (await reader.ends(reader.names.jobs, [0]))[0]
        noted, seen = await _noted(reader, end)
        await read_on(reader, {0: seen}, {0: end}, noted.fold)
    see_that_it_is_open(noted.house)
    if reason := foreign_because(noted.kafka, here):
        raise HouseError(reason)
    return Found(noted.level, here)


async def _noted(reader: Reader, end: int) -> tuple[Found, Seen]:
    """Return what is noted, and up to where that was read; else where all begins."""
    rows = await rows_on(reader, reader.names.cursors, [0])
    try:
        noted = orjson.loads(rows[0].lines()[0])["jobs"]
        found = Found(int(noted["level"]), noted.get("kafka"))
        seen = Seen(int(noted["position"]), str(noted["mark"]))
        await see_that_it_goes_on(reader, 0, seen, end)
    except (AttributeError, CronstreamError, KeyError, OverflowError, TypeError, ValueError):
        return Found(), Seen(0)  # It says nothing, or nothing that can be used.
    return (found, seen) if found.level <= LEVEL else (Found(), Seen(0))


def see_that_it_is_open(house: House | None) -> None:
    """Raise an error if nobody may work in an installation.

    Raises:
        HouseError: The sentence says why.
    """
    if reason := closed_because(house):
        raise HouseError(reason)
