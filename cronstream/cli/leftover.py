"""Which parts ``cronstream up`` keeps: those of the crontab, and of what was taken out of it.

A cluster that is no longer in the crontab may have runs that wait for their retries, or were lost
with their worker. Its workers go on until all of its runs have their verdicts, and none of its jobs
is in force.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Final, TypeAlias

from aiokafka.errors import KafkaError

from cronstream.core.crontab.parser import Crontab
from cronstream.core.wire.naming import Role
from cronstream.crontab_watch import watch_crontab
from cronstream.errors import CronstreamError, CrontabError
from cronstream.history.jobs import jobs_in_force
from cronstream.history.live import LiveLedger
from cronstream.history.scope import LogReader
from cronstream.settings import settings
from cronstream.supervisor import parts
from cronstream.topology.reading import Reader

#: It is looked so often whether such runs have come to their end.
LOOK_S: Final = 5.0
_ANSWERS_WITHIN_S: Final = 60.0

Look: TypeAlias = Callable[[Collection[str]], Awaitable[dict[str, int]]]


async def unfinished(reader: LogReader, named: Collection[str]) -> dict[str, int]:
    """Return how many runs have no verdict, of each cluster that has such runs, or jobs in force.

    Jobs of a cluster that is not in the crontab are in force while that is held back; or they are
    another installation's, which has none of its clusters, and are no matter here.

    Args:
        reader: A connected reader.
        named: The clusters of the crontab, which are not looked at.

    Raises:
        BrokerError: If the broker does not answer.
    """
    layout = await reader.layout()
    others = sorted(set(reader.names.clusters(layout)) - set(named))
    jobs = (await jobs_in_force(reader)).values() if others else ()
    in_force = {job.cluster for job in jobs}
    is_ours = not in_force.isdisjoint(named)
    found = {cluster: 0 for cluster in others if is_ours and cluster in in_force}
    for cluster in others:
        runs, role = 0, Role.of(cluster, retry=False)
        for partition in layout.get(reader.names.log_of(role), []):
            runs += len((await LiveLedger.of(reader, role, partition)).ledger.book.live)
        if runs:
            found[cluster] = runs
    return found


async def look_at(url: str, named: Collection[str]) -> dict[str, int]:
    """Return the same of a Kafka; raises CronstreamError, KafkaError, OSError or TimeoutError."""
    chosen = settings().model_copy(update={"broker": url})
    async with asyncio.timeout(_ANSWERS_WITHIN_S), Reader(chosen, gives_up=True) as reader:
        return await unfinished(reader, named)


class Wanted:
    """The roles that there are to be.

    Args:
        path: The crontab.
        look: Returns how many runs without a verdict clusters have that are not named.
        say: Is given why what is not in the crontab is kept.
    """

    def __init__(self, path: Path, look: Look, say: Callable[[str], None]) -> None:
        self._path, self._say, self._unfinished = path, say, look
        #: The clusters of the crontab; None until it was read.
        self._named: tuple[str, ...] | None = None
        #: Clusters that are kept; and whether it is known that these are all.
        self._left: Collection[str] = ()
        self._is_known = False
        self._told: set[str] = set()

    async def roles(self) -> AsyncGenerator[tuple[Role, ...], None]:
        """Yield them each time that they may have changed; a fault is the scheduler's to report."""
        # It ends by being cancelled: no event of ours is in the hands of what watches files.
        files = watch_crontab(self._path, asyncio.Event())
        coming = asyncio.ensure_future(anext(files))
        try:
            while True:
                waits = self._named is None or (self._is_known and not self._left)
                await asyncio.wait({coming}, timeout=None if waits else LOOK_S)
                found = coming.result() if coming.done() else None
                if found is not None:
                    coming = asyncio.ensure_future(anext(files))
                if isinstance(found, CrontabError):
                    continue
                if found is not None:
                    self._remember(found)
                await self._look()
                yield parts([*(self._named or ()), *self._left])
        finally:
            coming.cancel()
            await asyncio.wait({coming})

    def _remember(self, crontab: Crontab) -> None:
        """Keep what was there until it is known what is left of it."""
        named = tuple(cluster.name for cluster in crontab.clusters)
        self._left = [name for name in (*(self._named or ()), *self._left) if name not in named]
        self._named = named

    async def _look(self) -> None:
        try:
            found = await self._unfinished(self._named or ())
        except (CronstreamError, KafkaError, OSError, TimeoutError):
            self._is_known = False
            return
        waiting = {cluster for cluster, runs in found.items() if runs}
        for cluster in sorted(waiting - self._told):
            self._say(
                f"{cluster} is not in the crontab, and runs of it have no verdict "
                f"({found[cluster]}): its workers go on until they have"
            )
        self._left, self._told, self._is_known = list(found), waiting, True
