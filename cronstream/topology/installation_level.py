"""What level the installation was raised to, before a process joins its group.

A process that is too old for it must not come as far as that: it would end at the first `Level`
that it reads, be started again by its supervisor, and rebalance the others each time.
"""

from cronstream.core import naming
from cronstream.core.job_messages import decode_level
from cronstream.settings import Settings
from cronstream.topology.reading import Reader


async def read_level(settings: Settings) -> int:
    """Return the highest level that was announced on the ``jobs`` topic, which is kept for ever.

    Raises:
        BrokerError: If no broker answers.
        LevelError: If it is above what this process knows.
    """
    level = 1
    async with Reader(settings) as reader:
        start = await reader.beginnings(naming.JOBS, [0])
        end = await reader.ends(naming.JOBS, [0])
        async for message in reader.read(naming.JOBS, start, end):
            level = max(level, decode_level(message.value))
    return level
