"""Puts definitions of jobs on the ``jobs`` topic, with what people want to know of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

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
        part = parts[partition_of(job.name, settings.shards)]
        part.append(_published(job, effective_from=since, by=by, file=file, line=line))
        if len(part) == _TOGETHER:
            await _send(settings, world, parts)
    await _send(settings, world, parts)


def _published(job: Job, **of: Any) -> Job:
    """Return a job as it is published; one that was only in the file is given that itself.

    So there is no second copy of each, of very many, while the file is put in force.
    """
    if job.effective_from is not None or job.signature is not None:
        return job.derive(**of, signature=None)
    for name, value in of.items():
        setattr(job, name, value)
    return job


async def _send(settings: Settings, world: World, parts: dict[int, list[Job]]) -> None:
    """Put jobs on their partitions, wait for the broker, and leave none of them."""
    topic, append_all = settings.names.jobs, world.publisher.append_all
    await asyncio.gather(*(append_all(topic, part, jobs) for part, jobs in parts.items()))
    parts.clear()
