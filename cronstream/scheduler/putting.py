"""Puts definitions of jobs on the ``jobs`` topic, with what people want to know of them."""

import asyncio
from collections.abc import Iterable

from cronstream.core.wire.runs import Job
from cronstream.crontab_file import Origins
from cronstream.scheduler.steering import holds_from
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.publish import Ack

#: Every so many edits, others get their turn.
_TURN = 500
#: So many edits are on their way to the broker at a time.
_ON_THE_WAY = 5_000


async def put_in_force(
    settings: Settings, world: World, jobs: Iterable[Job], origin: Origins, by: str | None
) -> None:
    """Put every job on its partition, all from one moment on; wait for the broker.

    Where each is written goes along, as it stands now. It makes no difference to `compare`, since
    a line moves with each edit above it: that is no new revision.
    """
    now, topic = world.clock.now(), settings.names.jobs
    sent: list[asyncio.Future[Ack]] = []
    for job in jobs:
        since, (file, line) = holds_from(job, now, settings.look_ahead_s), origin(job.name)
        said = job.derive(effective_from=since, by=by, file=file, line=line, signature=None)
        sent.append(world.publisher.publish(topic, job.name, said, partitions=settings.shards))
        if len(sent) % _TURN == 0:
            await asyncio.sleep(0)
        if len(sent) == _ON_THE_WAY:
            await asyncio.gather(*sent)
            sent.clear()
    await asyncio.gather(*sent)
