"""Who is there now, read from the workers' topic once."""

import asyncio
from typing import Final

from cronstream import clock
from cronstream.core.health.roll import REMEMBERED, Roll
from cronstream.history.scope import LogReader, read_between

_LOOK_S: Final = 0.1


async def roll_now(reader: LogReader) -> Roll:
    """Return what processes have told of themselves of late; nothing if there is no topic."""
    roll = Roll()
    if reader.names.workers in await reader.topics():
        await read_on(reader, roll, await first_offset(reader))
    return roll


async def clock_difference_s(reader: LogReader, within_s: float) -> float | None:
    """Return how far this machine's clock is ahead of the broker's, in seconds.

    Measured by the next message that a process puts there to announce itself: it is as old as it
    takes to be seen, up to 0.1 s. None if none comes in time, for nobody is there.
    """
    until = clock.monotonic() + within_s
    start = await reader.ends(reader.names.workers, [0])
    while clock.monotonic() < until:
        ends = await reader.ends(reader.names.workers, [0])
        now = clock.now()
        if ends != start:
            async for message in read_between(reader, reader.names.workers, start, ends):
                return (now - message.at).total_seconds()
        await asyncio.sleep(_LOOK_S)
    return None


async def first_offset(reader: LogReader) -> int:
    """Return from where the topic is to be read: whatever the clock here says, a little more."""
    ends = await reader.ends(reader.names.workers, [0])
    last = max(0, ends[0] - 1)
    newest = [m.at async for m in read_between(reader, reader.names.workers, {0: last}, ends)]
    since = (newest[0] if newest else clock.now()) - REMEMBERED
    return (await reader.offsets_at(reader.names.workers, [0], since))[0]


async def read_on(reader: LogReader, roll: Roll, start: int) -> int:
    """Have a roll fold what stands there from an offset on; return where it ends."""
    ends = await reader.ends(reader.names.workers, [0])
    async for message in read_between(reader, reader.names.workers, {0: start}, ends):
        roll.fold(message.offset, message.at, message.key, message.value)
    return ends[0]
