"""How far schedulers have published, as the rows of their cursors say."""

import orjson

from cronstream.core.audit.known import Published
from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.errors import MessageError
from cronstream.history.scope import LogReader
from cronstream.topology.last_rows import rows_on
from cronstream.topology.publish import partition_of


async def read_published(reader: LogReader, partitions: int) -> Published:
    """Return what says of a cluster and a job how far all has been published.

    Args:
        reader: A connected reader.
        partitions: How many each log has.
    """
    changelog = reader.names.cursors
    shards = len(await reader.partitions(reader.names.jobs))
    cursors: dict[int, Cursor] = {}
    for shard, row in (await rows_on(reader, changelog, range(shards))).items():
        try:
            cursors[shard] = Cursor.from_row(orjson.loads(row.lines()[0]))
        except (MessageError, orjson.JSONDecodeError):
            continue  # A scheduler says so, and begins again.

    def published(cluster: str, job: str) -> Lag | None:
        cursor = cursors.get(partition_of(job, shards)) if cursors else None
        if cursor is None:
            return None
        behind = cursor.behind.get(Place(cluster, partition_of(job, partitions)))
        return behind or Lag(cursor.at, cursor.taken)

    return published
