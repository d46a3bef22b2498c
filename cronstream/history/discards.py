"""What is on the discarded topics, and which of it was replayed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from aiokafka.structs import TopicPartition

from cronstream.core.wire.codec import decode, decode_entries
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Discarded, Run
from cronstream.errors import MessageError
from cronstream.history.scope import LogReader, Scope, places, read_spans
from cronstream.topology.log_message import LogMessage

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
    layout = await reader.layout()
    clusters = filter(scope.includes, reader.names.clusters(layout))
    topics = {reader.names.discarded(name): name for name in clusters}
    found: dict[str, DiscardedRun] = {}
    spans = await reader.spans(places(layout, topics, scope), scope.since)
    async for message in read_spans(reader, spans):
        one = _discarded_run(topics[message.topic], message)
        if one is None or (scope.job is not None and one.run.job != scope.job):
            continue
        if run_ids is None or one.run.id in run_ids:
            found.setdefault(one.run.id, one)
    return sorted(found.values(), key=lambda one: (one.discarded_at, one.run.id))


def _discarded_run(cluster: str, message: LogMessage) -> DiscardedRun | None:
    try:
        record = decode(message.value, Discarded)
    except MessageError:
        return None
    return DiscardedRun(
        record.run,
        cluster,
        record.reason,
        record.discarded_at,
        message.partition,
        message.offset,
    )


async def with_replays(
    reader: LogReader, discarded: Iterable[DiscardedRun], homes: Mapping[str, str]
) -> list[DiscardedRun]:
    """Return the same runs with the replays that were published since each was discarded.

    A replay stands on the log of the run's cluster, or of the one where its job is now, on the
    job's partition, after the discard; so only those partitions are read, from the first of the
    discards on.

    Args:
        reader: Connected.
        discarded: The runs.
        homes: The clusters of the jobs that are in force, by the jobs' names.

    Raises:
        BrokerError: If the broker does not answer.
    """
    runs = list(discarded)
    layout = await reader.layout()
    wanted = set[TopicPartition]()
    for one in runs:
        scope = Scope(job=one.run.job)
        clusters = {one.run.cluster, homes.get(one.run.job, one.run.cluster)}
        wanted.update(places(layout, map(reader.names.log, clusters), scope))
    first = min((one.discarded_at for one in runs), default=None)
    replays: dict[tuple[str, datetime], list[Run]] = {}
    async for message in read_spans(reader, await reader.spans(sorted(wanted), first)):
        for replay in _replays_in(message.value):
            replays.setdefault((replay.job, replay.scheduled_at), []).append(replay)
    return [_with(one, replays.get((one.run.job, one.run.scheduled_at), [])) for one in runs]


def _replays_in(value: bytes | None) -> list[Run]:
    if value is None or _REPLAY_MARK not in value:
        return []
    runs = [entry for entry in decode_entries(value)[0] if isinstance(entry, Run)]
    return [run for run in runs if run.cause is Cause.REPLAY]


def _with(one: DiscardedRun, replays: list[Run]) -> DiscardedRun:
    since = [run.id for run in replays if run.as_of is None or run.as_of >= one.discarded_at]
    return replace(one, replays=tuple(dict.fromkeys(since)))
