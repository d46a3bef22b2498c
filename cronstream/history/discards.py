"""What is on the discarded topics, and which of it was replayed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cronstream.core import naming
from cronstream.core.codec import decode, decode_entries
from cronstream.core.records import Cause, Discarded, Run
from cronstream.errors import MessageError
from cronstream.history.scope import LogReader, Scope, clusters, read_between, read_topic
from cronstream.topology.publish import partition_of

#: Without these bytes a message holds no run with this cause, and need not be decoded.
_REPLAY_MARK = f'"{Cause.REPLAY.value}"'.encode()


@dataclass(frozen=True, slots=True)
class DiscardedRun:
    """A run that is out of attempts.

    Attributes:
        cluster: The cluster on whose discarded topic it is.
        partition: Of that topic; also the one of the job on the cluster's log.
        replays: Ids of the runs that were published in its place since, oldest first.
    """

    run: Run
    cluster: str
    reason: str
    discarded_at: datetime
    partition: int
    offset: int
    replays: tuple[str, ...] = ()


async def discarded_runs(
    reader: LogReader, scope: Scope, *, run_ids: frozenset[str] | None = None
) -> list[DiscardedRun]:
    """Return the discarded runs, in the order in which they were discarded, without replays.

    Args:
        reader: Connected.
        scope: Only from these clusters, this job, and discarded since then.
        run_ids: Only these.

    Raises:
        BrokerError: If the broker does not answer.
    """
    found: dict[str, DiscardedRun] = {}
    for cluster in await clusters(reader):
        if scope.includes(cluster):
            for one in await _discarded_of(reader, cluster, scope):
                if run_ids is None or one.run.id in run_ids:
                    found.setdefault(one.run.id, one)
    return sorted(found.values(), key=lambda one: (one.discarded_at, one.run.id))


async def _discarded_of(reader: LogReader, cluster: str, scope: Scope) -> list[DiscardedRun]:
    topic = naming.discarded(cluster)
    found = []
    async for message in read_topic(reader, topic, scope):
        try:
            record = decode(message.value, Discarded)
        except MessageError:
            continue
        if scope.job is None or record.run.job == scope.job:
            found.append(
                DiscardedRun(
                    record.run,
                    cluster,
                    record.reason,
                    record.discarded_at,
                    message.partition,
                    message.offset,
                )
            )
    return found


async def with_replays(reader: LogReader, discarded: Iterable[DiscardedRun]) -> list[DiscardedRun]:
    """Return the same runs with the replays that were published since each was discarded.

    A replay stands on the log of the run's cluster, on the job's partition, after the discard; so
    only those partitions are read, from the first of the discards on.

    Raises:
        BrokerError: If the broker does not answer.
    """
    runs = list(discarded)
    replays: dict[tuple[str, datetime], list[Run]] = {}
    for cluster in sorted({one.run.cluster for one in runs}):
        mine = [one for one in runs if one.run.cluster == cluster]
        for replay in await _replays_on(reader, cluster, mine):
            replays.setdefault((replay.job, replay.scheduled_at), []).append(replay)
    return [_with(one, replays.get((one.run.job, one.run.scheduled_at), [])) for one in runs]


def _with(one: DiscardedRun, replays: list[Run]) -> DiscardedRun:
    since = [run.id for run in replays if run.as_of is None or run.as_of >= one.discarded_at]
    return replace(one, replays=tuple(dict.fromkeys(since)))


async def _replays_on(reader: LogReader, cluster: str, runs: list[DiscardedRun]) -> list[Run]:
    topic = naming.log(cluster)
    there = await reader.partitions(topic)
    if not there:
        return []
    partitions = sorted({partition_of(one.run.job, len(there)) for one in runs})
    ends = await reader.ends(topic, partitions)
    first = min(one.discarded_at for one in runs)
    start = await reader.offsets_at(topic, partitions, first)
    found: list[Run] = []
    async for message in read_between(reader, topic, start, ends):
        if message.value is not None and _REPLAY_MARK in message.value:
            runs_in_it = [e for e in decode_entries(message.value)[0] if isinstance(e, Run)]
            found += [run for run in runs_in_it if run.cause is Cause.REPLAY]
    return found
