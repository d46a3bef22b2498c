"""Puts definitions of jobs on the ``jobs`` topic, with what people want to know of them."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any, TypeAlias

from cronstream.core.wire.runs import Job
from cronstream.crontab_file import Origins
from cronstream.scheduler.steering import holds_from
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.publish import Ack, partition_of

_Out: TypeAlias = list[asyncio.Future[Ack]]
#: So many edits of a partition are sent together: others get their turn.
_TOGETHER = 500
#: So many jobs are many: what else could be done meanwhile waits for them.
_MANY = 5_000
#: But no longer than this.
_FIRST_S = 5.0


class Putting:
    """Puts jobs on the topic."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings, self._world = settings, world
        #: Since when it is putting many jobs there, in monotonic seconds; long ago if it is not.
        self._since = float("-inf")

    def goes_first(self) -> bool:
        """Whether shards are to learn nothing yet of what is being put there.

        All of it is in force sooner if one is done after the other.
        """
        return self._world.clock.monotonic() - self._since < _FIRST_S

    async def put_in_force(self, jobs: Collection[Job], origin: Origins, by: str | None) -> None:
        """Put every job on its partition, all from one moment on; wait for the broker.

        Where each is written goes along, as it stands now. It makes no difference to `compare`,
        since a line moves with each edit above it: that is no new revision.
        """
        if len(jobs) >= _MANY:
            self._since = self._world.clock.monotonic()
        try:
            await self._put(jobs, origin, by)
        finally:
            self._since = float("-inf")

    async def _put(self, jobs: Collection[Job], origin: Origins, by: str | None) -> None:
        now, out, parts = self._world.clock.now(), _Out(), defaultdict[int, list[Job]](list)
        shards, look_ahead_s = self._settings.shards, self._settings.look_ahead_s
        for job in jobs:
            since, (file, line) = holds_from(job, now, look_ahead_s), origin(job.name)
            part = parts[partition_of(job.name, shards)]
            part.append(_published(job, effective_from=since, by=by, file=file, line=line))
            if len(part) == _TOGETHER:
                out = await self._send(parts, out)
        await asyncio.gather(*await self._send(parts, out))

    async def _send(self, parts: dict[int, list[Job]], out: _Out) -> _Out:
        """Put jobs on their partitions, leave none of them, and wait for those put there before.

        So the broker takes the ones while the others are written out.

        Raises:
            BrokerError: If some are refused, once nothing of both is waited for any more.
        """
        topic, append_all = self._settings.names.jobs, self._world.publisher.append_all
        later = _Out()
        try:
            for part, jobs in parts.items():
                later.append(append_all(topic, part, jobs))
            await asyncio.sleep(0)  # So that they are under way while the next are written out.
            await asyncio.gather(*out)
        except Exception:
            await asyncio.gather(*out, *later, return_exceptions=True)
            raise
        parts.clear()
        return later


def _published(job: Job, **of: Any) -> Job:
    """Return a job as it is published; one that was only in the file is given that itself.

    So there is no second copy of each, of very many, while the file is put in force.
    """
    if job.effective_from is not None or job.signature is not None:
        return job.derive(**of, signature=None)
    for name, value in of.items():
        setattr(job, name, value)
    return job
