"""The revisions of jobs, read from the beginning of the ``jobs`` topic."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cronstream.core.crontab.revisions import Edit, Revisions
from cronstream.core.wire.job_messages import decode_jobs
from cronstream.core.wire.runs import Job
from cronstream.history.scope import LogReader, Scope, places, read_spans
from cronstream.topology.publish import partition_of


@dataclass(frozen=True, slots=True)
class Past:
    """How far back the topic goes, and what it has.

    Attributes:
        names: The jobs that were found.
        gone_before: What was put there before then is gone (UTC); None if all is there.
    """

    names: frozenset[str]
    gone_before: datetime | None


async def read_past(
    reader: LogReader, job: str | None, counts: Callable[[Job], bool], see: Callable[[Edit], None]
) -> Past:
    """Have each revision of a job seen, or of all jobs: by partition in order.

    Args:
        reader: Reads the topic.
        job: The name of the one that is asked for; None for all.
        counts: Whether schedulers believe a definition.
        see: Is given each.
    """
    topic, layout = reader.names.jobs, await reader.layout()
    spans = await reader.spans(places(layout, [topic], Scope(job=job)), None)
    cut = frozenset(place.partition for place, (start, _) in spans.items() if start > 0)
    revisions, partitions = Revisions(cut), len(layout.get(topic, ()))
    first: dict[int, datetime] = {}
    async for message in read_spans(reader, spans):
        first.setdefault(message.partition, message.at)
        for found in decode_jobs(message.value)[0]:
            if job not in (None, found.name):
                continue
            is_right = partition_of(found.name, partitions) == message.partition
            edit = revisions.fold(
                found,
                message.partition,
                message.offset,
                message.at,
                counts=is_right and counts(found),
            )
            see(edit)
    gone = [at for partition, at in first.items() if partition in cut]
    return Past(frozenset(revisions.names), max(gone, default=None))
