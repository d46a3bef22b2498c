"""The jobs that their discarded runs have paused: asked of the ledgers now and then."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from cronstream import clock
from cronstream.core.wire.runs import Job
from cronstream.history.pauses import halted
from cronstream.history.scope import LogReader
from cronstream.topology.publish import partition_of

#: Between two looks; and so many times as long as a look takes, at least.
_EVERY_S: Final = 10.0
_SHARE: Final = 20


class Halts:
    """Knows which jobs with ``pause_after`` stand still.

    Attributes:
        found: What is said of each of them, by name.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    async def follow(self, reader: LogReader, jobs: Callable[[], Mapping[str, Job]]) -> None:
        """Look now and then, for as long as the reader can read; nothing is read where none may.

        Raises:
            BrokerError: If the broker does not answer.
        """
        while True:
            before = clock.monotonic()
            await self.look(reader, jobs())
            await asyncio.sleep(max(_EVERY_S, _SHARE * (clock.monotonic() - before)))

    async def look(self, reader: LogReader, jobs: Mapping[str, Job]) -> None:
        """Look once, at the ledgers of those that may stand still."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for job in jobs.values():
            if job.pause_after is not None or job.name in self.found:
                wanted[job.cluster].append(job.name)
        found: list[dict[str, Any]] = []
        for cluster, names in wanted.items():
            count = len(await reader.partitions(reader.names.log(cluster)))
            among = {partition_of(name, count) for name in names} if count else set()
            found += await halted(reader, cluster, jobs, among)
        self.found = {one["job"]: one for one in found}
