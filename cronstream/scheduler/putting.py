"""Puts definitions of jobs on the ``jobs`` topic, with what people want to know of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from cronstream.core.wire.runs import Job
from cronstream.crontab_file import Origins
from cronstream.scheduler.steering import holds_from
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.publish import partition_of

#: So many edits of a partition are sent together: others get their turn.
_TOGETHER = 500


async def put_in_force(
    settings: Settings, world: World, jobs: Iterable[Job], origin: Origins, by: str | None
) -> None:
    """Put every job on its partition, all from one moment on; wait for the broker.

    Where each is written goes along, as it stands now. It makes no difference to `compare`, since
    a line moves with each edit above it: that is no new revision.
    """
    now, parts = world.clock.now(), defaultdict[int, list[Job]](list)
    for job in jobs:
        since, (file, line) = holds_from(job, now, settings.look_ahead_s), origin(job.name)
        signed = {} if job.signature is None else {"signature": None}
        part = parts[partition_of(job.name, settings.shards)]
        part.append(job.derive(effective_from=since, by=by, file=file, line=line, **signed))
        if len(part) == _TOGETHER:
            await _send(settings, world, parts)
    await _send(settings, world, parts)


async def _send(settings: Settings, world: World, parts: dict[int, list[Job]]) -> None:
    """Put jobs on their partitions, wait for the broker, and leave none of them."""
    topic, append_all = settings.names.jobs, world.publisher.append_all
    await asyncio.gather(*(append_all(topic, part, jobs) for part, jobs in parts.items()))
    parts.clear()
