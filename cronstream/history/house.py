"""Whether processes may work in an installation, for commands that put something there."""

from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import decode_house
from cronstream.history.scope import LogReader, read_between
from cronstream.topology.installation_level import see_that_it_is_open

#: Where nobody may work nobody writes: the word that says so is among the last of its topic.
_LAST = 8


async def last_word(reader: LogReader) -> House | None:
    """Return what ``jobs`` says last of that; None if it says nothing, or nothing lately.

    Raises:
        BrokerError: If the broker does not answer.
    """
    if not await reader.partitions(reader.names.jobs):
        return None
    begin = (await reader.beginnings(reader.names.jobs, [0]))[0]
    end = (await reader.ends(reader.names.jobs, [0]))[0]
    house = None
    start = max(begin, end - _LAST)
    async for message in read_between(reader, reader.names.jobs, {0: start}, {0: end}):
        house = decode_house(message.value) or house
    return house


async def see_that_one_may_publish(reader: LogReader) -> None:
    """See that what is put on a log here will be looked at.

    Raises:
        HouseError: If the installation has moved, or is being imported.
        BrokerError: If the broker does not answer.
    """
    see_that_it_is_open(await last_word(reader))
