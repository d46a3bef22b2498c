"""What follows a run of another cluster and was on no log: whether it waits, has come, or is lost.

An audit looks only if something is missing. First at the installation's topic, then at the logs:
what is handed over in between has come.
"""

from collections.abc import Collection, Mapping

from cronstream.core.audit.chains import Named, Seen
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.naming import SCHEDULER
from cronstream.core.wire.runs import Run
from cronstream.history.scope import LogReader, read_between
from cronstream.topology.log_message import LogMessage


async def find_waiting(reader: LogReader, missing: Collection[Named]) -> frozenset[Named]:
    """Return which of these runs schedulers have yet to hand over to their clusters.

    What they are done with, and is on no log, is lost: it is not among them.
    """
    topic = reader.names.chains
    ends = await reader.ends(topic, await reader.partitions(topic))
    done = await reader.committed(reader.names.group(SCHEDULER), topic)
    # A topic that was made anew begins at 0, and so does whoever reads it.
    starts = {p: done.get(p, 0) if done.get(p, 0) <= end else 0 for p, end in ends.items()}
    messages = read_between(reader, topic, starts, ends)
    runs = [run async for message in messages for run in _runs(message)]
    return frozenset((run.cluster, run.id) for run in runs).intersection(missing)


async def find_entered(
    reader: LogReader, missing: Collection[Named], ends: Mapping[str, dict[int, int]]
) -> dict[str, Seen]:
    """Return which of these runs have entered their logs since those were read, by id.

    Args:
        reader: A connected reader.
        missing: The runs.
        ends: Up to where each cluster's log was read.
    """
    found: dict[str, Seen] = {}
    for cluster in sorted({cluster for cluster, _ in missing}):
        topic, start = reader.names.log(cluster), ends[cluster]
        async for message in read_between(reader, topic, start, await reader.ends(topic, start)):
            wanted = [run for run in _runs(message) if (cluster, run.id) in missing]
            found |= {r.id: seen for r in wanted if (seen := Seen.of(r, message.at)) is not None}
    return found


def _runs(message: LogMessage) -> list[Run]:
    return [entry for entry in decode_entries(message.value)[0] if isinstance(entry, Run)]
