"""What level the installation was raised to, before a process joins its group.

A process that is too old for it must not come as far as that: it would end at the first `Level`
that it reads, be started again by its supervisor, and rebalance the others each time.
"""

import orjson

from cronstream.core import naming
from cronstream.core.job_messages import decode_level
from cronstream.core.levels import LEVEL
from cronstream.core.naming import Role
from cronstream.core.recent import Seen
from cronstream.errors import CronstreamError
from cronstream.settings import Settings
from cronstream.topology.jobs import read_on, see_that_it_goes_on
from cronstream.topology.last_rows import rows_on
from cronstream.topology.reading import Reader


async def read_level(settings: Settings) -> int:
    """Return the highest level that was announced on the ``jobs`` topic, which is kept for ever.

    The row of the first shard's cursor says what it was, and up to where that was read.

    Raises:
        BrokerError: If no broker answers.
        LevelError: If it is above what this process knows.
    """
    async with Reader(settings) as reader:
        end = (await reader.ends(naming.JOBS, [0]))[0]
        level, seen = await _noted(reader, end)
        async for message in read_on(reader, {0: seen}, {0: end}):
            level = max(level, decode_level(message.value))
    return level


async def _noted(reader: Reader, end: int) -> tuple[int, Seen]:
    """Return the level that is noted, and up to where that was read; else where all begins."""
    cursors = naming.changelog(Role.of(None, retry=False).group, naming.CURSORS)
    rows = await rows_on(reader, cursors, [0])
    try:
        noted = orjson.loads(rows[0].lines()[0])["jobs"]
        level, seen = int(noted["level"]), Seen(int(noted["position"]), str(noted["mark"]))
        await see_that_it_goes_on(reader, 0, seen, end)
    except (CronstreamError, KeyError, TypeError, ValueError):
        return 1, Seen(0)
    return (level, seen) if level <= LEVEL else (1, Seen(0))
