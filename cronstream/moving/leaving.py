"""Takes what is live out of an installation, and sees that nobody works there any more.

It is closed first: whoever is started from then on ends with a sentence. Then everything is read,
and it is seen that nobody has written anything meanwhile.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import orjson
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import HAND_OVER
from cronstream.core.moving.export import Export, LogState, log_state, needed, without_the_past
from cronstream.core.planning.chain import is_handed_over
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import (
    Definition,
    decode_installations,
    decode_jobs,
    decode_level,
    foreign_because,
)
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Discarded, Job, Run
from cronstream.errors import HouseError, MessageError, NotFoundError
from cronstream.history.discards import discarded_runs, with_replays
from cronstream.history.house import last_word
from cronstream.history.scope import LogReader, Scope, read_spans
from cronstream.moving.copies import Shifts, find_shifts
from cronstream.moving.folds import folds
from cronstream.moving.house_word import Appender, put_word
from cronstream.topology.last_rows import rows_on
from cronstream.topology.publish import partition_of


@dataclass(slots=True)
class _Jobs:
    """What the ``jobs`` topic says.

    Attributes:
        published: All definitions, by job.
        level: That was announced.
        installation: The id of the installation.
        kafka: That of the Kafka that it was begun on.
    """

    published: dict[str, list[Definition]] = field(default_factory=dict)
    level: int = 1
    installation: str | None = None
    kafka: str | None = None

    @property
    def in_force(self) -> dict[str, Job]:
        """The jobs that have not been removed."""
        last = {name: there[-1].job for name, there in self.published.items()}
        return {name: job for name, job in last.items() if not job.removed}


@asynccontextmanager
async def closed(reader: LogReader, publisher: Appender, export_id: str) -> AsyncIterator[Export]:
    """Close an installation, and give what is live in it; it is open again if the block fails.

    Raises:
        NotFoundError: If there is no installation on this Kafka.
        HouseError: If it cannot be exported as it is; the sentence says why.
        BrokerError: If the broker does not answer.
    """
    shards = await reader.partitions(reader.names.jobs)
    if not shards:
        raise NotFoundError("there is no installation on this Kafka: nothing to export")
    former = await last_word(reader)
    if former is not None and former.state is HouseState.FILLING:
        raise HouseError(
            f"export {former.export} has been imported here in part: what was exported is in its "
            "file, and what is here is not whole"
        )
    await put_word(publisher, shards, House(state=HouseState.CLOSED, export=export_id))
    try:
        before = await _ends(reader)
        export = await _read(reader, export_id)
        _see_that_nothing_came(before, await _ends(reader))
        yield export
        word = House(state=HouseState.CLOSED, export=export_id, at=export.reached)
        await put_word(publisher, shards, word)
    except BaseException:
        if former is None or former.state is HouseState.OPEN:
            await put_word(publisher, shards, _open_again(former, export_id))
        raise


def _open_again(former: House | None, export_id: str) -> House:
    return former or House(state=HouseState.OPEN, export=export_id)


async def reopen(reader: LogReader, publisher: Appender) -> House:
    """Open an installation again that was exported; return what closed it.

    Raises:
        HouseError: If it is not closed.
        BrokerError: If the broker does not answer.
    """
    former = await last_word(reader)
    if former is None or former.state is not HouseState.CLOSED:
        raise HouseError("this installation was not exported: there is nothing to take back")
    word = House(state=HouseState.OPEN, export=former.export)
    await put_word(publisher, await reader.partitions(reader.names.jobs), word)
    return former


async def _ends(reader: LogReader) -> dict[TopicPartition, int]:
    """Return where each topic ends on which a process that works would write."""
    layout = await reader.layout()
    topics = [reader.names.workers, reader.names.ticks, reader.names.jobs]
    for cluster in reader.names.clusters(layout):
        topics += [reader.names.log(cluster), reader.names.retry_log(cluster)]
    wanted = [TopicPartition(topic, p) for topic in topics for p in layout.get(topic, [])]
    return {place: end for place, (_, end) in (await reader.spans(wanted, None)).items()}


def _see_that_nothing_came(
    before: dict[TopicPartition, int], after: dict[TopicPartition, int]
) -> None:
    changed = sorted(place for place, end in after.items() if before.get(place) != end)
    if changed:
        raise HouseError(
            f"somebody has written to {changed[0].topic} meanwhile: stop every scheduler and "
            "worker ('cronstream workers' lists them), then export once more"
        )


async def _read(reader: LogReader, export_id: str) -> Export:
    jobs = await _read_jobs(reader)
    shards = len(await reader.partitions(reader.names.jobs))
    shifts: Shifts | None = None
    if foreign_because(jobs.kafka, await reader.kafka_id()):
        shifts = await find_shifts(reader, jobs.published, shards)
        jobs.published = shifts.renumbered(jobs.published)
    cursors = await _cursors(reader)
    taken = {cursor.shard: cursor.taken for cursor in cursors}
    reached = min((cursor.at for cursor in cursors), default=clock.now())
    in_force = jobs.in_force
    logs = [
        without_the_past(log, in_force, reached) for log in await _logs(reader, jobs.level, shifts)
    ]
    return Export(
        id=export_id,
        installation=jobs.installation,
        version=version("cronstream"),
        at=clock.now(),
        cursors=cursors,
        definitions=needed(
            jobs.published, logs, reached, lambda job: taken.get(partition_of(job, shards), 0)
        ),
        logs=[log for log in logs if log.live or log.marks or log.recent or log.handed_over],
        discarded=await _discarded(reader, in_force),
    )


async def _read_jobs(reader: LogReader) -> _Jobs:
    found = _Jobs()
    topic = reader.names.jobs
    wanted = [TopicPartition(topic, p) for p in await reader.partitions(topic)]
    async for message in read_spans(reader, await reader.spans(wanted, None)):
        found.level = max(found.level, decode_level(message.value))
        for told in decode_installations(message.value):
            found.installation = found.installation or told.id
            found.kafka = found.kafka or told.kafka
        for job in decode_jobs(message.value)[0]:
            found.published.setdefault(job.name, []).append(Definition(job, message.offset))
    return found


async def _cursors(reader: LogReader) -> list[Cursor]:
    """Return how far the shards have published.

    Raises:
        HouseError: If a partition of a log is behind: what it lacks is in no cursor; or a cursor is
            damaged.
    """
    names = reader.names
    found = await rows_on(reader, names.cursors, await reader.partitions(names.jobs))
    try:
        rows = [orjson.loads(row.lines()[0]) for _, row in sorted(found.items())]
        cursors = [Cursor.from_row(row) for row in rows]
    except (MessageError, orjson.JSONDecodeError) as error:
        remedy = "start the schedulers, which begin it again, stop them, then export"
        raise HouseError(
            f"{names.cursors} has a row that is no cursor ({error}): {remedy}"
        ) from error
    for cursor in cursors:
        for place, lag in cursor.behind.items():
            raise HouseError(
                f"partition {place.partition} of cluster {place.cluster} has taken nothing since "
                f"{lag.at:%F %T}Z: start the schedulers, let them make up for it once it has a "
                "leader ('/health' says so), stop them, then export"
            )
    return cursors


async def _logs(reader: LogReader, level: int, shifts: Shifts | None) -> list[LogState]:
    states, known = [], dict[str, set[str]]()
    for cluster in reader.names.clusters(await reader.layout()):
        for retry in (False, True):
            ledgers = await folds(reader, Role.of(cluster, retry=retry), level, shifts)
            states.append(log_state(cluster, retry=retry, ledgers=ledgers))
            known.setdefault(cluster, set()).update(*map(_known_to, ledgers))
    await _see_that_all_is_handed_over(reader, known)
    return states


def _known_to(ledger: Ledger) -> set[str]:
    book = ledger.book
    return {*book.live, *book.recent, *book.handed_over}


async def _see_that_all_is_handed_over(reader: LogReader, known: dict[str, set[str]]) -> None:
    """See that what follows runs of other clusters is on its log.

    Raises:
        HouseError: If it is not.
    """
    topic, since = reader.names.chains, clock.now() - HAND_OVER
    wanted = [TopicPartition(topic, p) for p in await reader.partitions(topic)]
    async for message in read_spans(reader, await reader.spans(wanted, None)):
        runs = [run for run in decode_entries(message.value)[0] if isinstance(run, Run)]
        for run in filter(is_handed_over, runs):
            is_known = run.id in known.get(run.cluster, {run.id})
            if not is_known and (run.judged_at or since) > since:
                raise HouseError(
                    f"run {run.id} follows one of another cluster, and is not on its log yet: "
                    "start the schedulers, which put it there, stop them, then export"
                )


async def _discarded(reader: LogReader, in_force: dict[str, Job]) -> list[Discarded]:
    """Return the discarded runs that nobody has replayed."""
    homes = {name: job.cluster for name, job in in_force.items()}
    found = await with_replays(reader, await discarded_runs(reader, Scope()), homes)
    return [
        Discarded(run=one.run, reason=one.reason, discarded_at=one.discarded_at)
        for one in found
        if not one.replays
    ]
