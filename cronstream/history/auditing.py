"""Reads what an audit needs, partition by partition and a piece of time after another.

So it keeps what one partition's runs of a piece of time take, however large the ledgers are.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from cronstream import clock
from cronstream.core.audit.chains import Named
from cronstream.core.audit.definitions import JobHistory
from cronstream.core.audit.finding import Kind, Report, Window
from cronstream.core.audit.known import Known, Published
from cronstream.core.audit.partition import PartitionAudit
from cronstream.core.audit.tally import Tally
from cronstream.core.audit.tenancy import own
from cronstream.core.ledger.admission import Place
from cronstream.core.planning.recent import Believes, believe_all
from cronstream.core.wire.codec import decode, decode_entries
from cronstream.core.wire.runs import Discarded
from cronstream.core.wire.times import format_clock
from cronstream.errors import MessageError, NotFoundError, nearest
from cronstream.history.definitions import DefinitionsRead
from cronstream.history.followers import find_entered, find_waiting
from cronstream.history.limits import Limits
from cronstream.history.published import read_published
from cronstream.history.scope import LogReader, clusters, read_between
from cronstream.history.story import LogKind
from cronstream.history.tail import log_topics
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import partition_of

#: A run is on its log less than this before its due time.
BEFORE_DUE: Final = timedelta(minutes=15)
#: A piece of time is cut in two while there are more messages in it than this.
PIECE: Final = 5_000
_SHORTEST: Final = timedelta(seconds=5)
_TELL_EVERY: Final = 2_000


@dataclass(slots=True)
class Watch:
    """Who is notified of an audit while it goes on.

    Attributes:
        report: Of each finding.
        progress: Of messages read, and how many there are.
        say: Of what limits the audit.
        believes: Says whether a job on the topic counts, as for schedulers.
    """

    report: Report
    progress: Callable[[int, int], None]
    say: Callable[[str], None]
    believes: Believes = believe_all


@dataclass(frozen=True, slots=True)
class _Piece:
    """Up to which time, and up to which offset of each topic, a piece of time goes."""

    until: datetime
    ends: dict[str, int]


@dataclass(slots=True)
class _Log:
    """One topic of a cluster, with what is to be read of it."""

    cluster: str
    kind: LogKind
    topic: str
    partitions: list[int]
    beginnings: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


async def audit(reader: LogReader, window: Window, watch: Watch) -> Tally:
    """Hold every due time of the window against the ledgers, up to their present ends.

    Raises:
        BrokerError: If the broker does not answer.
        NotFoundError: If only one job is asked for, and there is no such job, nor a run of it.
    """
    auditor = _Auditor(reader, window, watch)
    await auditor.look()
    for partition in auditor.partitions:
        await auditor.go_through(partition)
    await auditor.close_chains()
    await auditor.note_limits()
    if window.job is not None and not auditor.tally.due:
        await auditor.check_that_there_is(window.job)
    return auditor.tally


class _Auditor:
    """One audit."""

    def __init__(self, reader: LogReader, window: Window, watch: Watch) -> None:
        self.tally = Tally()
        self.partitions: list[int] = []
        self._reader, self._window, self._watch = reader, window, watch
        self._read_from = window.since - BEFORE_DUE
        self._definitions = DefinitionsRead(reader, self._read_from, watch.believes)
        self._logs: list[_Log] = []
        self._now = clock.now()
        self._done = self._total = 0
        self._partition_of: Callable[[str], int] = lambda _: 0
        self._limits = Limits(reader.names.jobs)
        self._published: Published = lambda _, __: None

    async def check_that_there_is(self, job: str) -> None:
        """See that a job is defined, or has been: nothing can be said of one that is not."""
        names = await self._definitions.names()
        if job not in names:
            hint = nearest(job, names)
            why = f"no job {job!r} was ever defined, and there is no run of it"
            raise NotFoundError(f"{why}; {hint}" if hint else why)

    async def look(self) -> None:
        """Read the jobs' definitions, and find out what there is to read."""
        job = self._window.job
        names = [name for name in await clusters(self._reader) if self._window.includes(name)]
        self.tally.chains.clusters = frozenset(names)
        for name in names:
            for at in log_topics(self._reader.names, [name]):
                there = await self._reader.partitions(at.topic)
                self._logs.append(_Log(name, at.kind, at.topic, there))
        count = max((len(log.partitions) for log in self._logs), default=0)
        self.partitions = list(range(count))
        self._partition_of = lru_cache(maxsize=2**16)(lambda name: partition_of(name, count))
        if job is not None and count:
            self.partitions = [partition_of(job, count)]
        # Before the logs' ends, so that all of it is on them.
        self._published = await read_published(self._reader, count)
        self._now = clock.now()
        # What follows from an entry is looked up before it, so that its cause is never missing.
        for log in reversed(self._logs):
            log.partitions = [p for p in log.partitions if p in self.partitions]
            log.ends = await self._reader.ends(log.topic, log.partitions)
            log.beginnings = await self._reader.beginnings(log.topic, log.partitions)
            log.starts = await self._offsets_at(log, self._read_from)
            self._total += sum(log.ends[p] - log.starts[p] for p in log.partitions)
        await self._read_definitions()

    async def _read_definitions(self) -> None:
        await self._definitions.read()
        self._limits.jobs = self._definitions.offsets
        self._window, self._limits.moved = own(self._window, self._definitions.words)

    async def _offsets_at(self, log: _Log, moment: datetime) -> dict[int, int]:
        found = await self._reader.offsets_at(log.topic, log.partitions, moment)
        return {p: min(offset, log.ends[p]) for p, offset in found.items()}

    async def go_through(self, partition: int) -> None:
        """Audit the jobs of one partition."""
        logs = [log for log in self._logs if partition in log.partitions]
        one = await self._begin(partition, logs)
        begun = {log.topic: log.starts[partition] for log in logs}
        whole = _Piece(self._now, {log.topic: log.ends[partition] for log in logs})
        async for piece in self._cut(logs, partition, self._read_from, begun, whole):
            for log in logs:
                await self._read(one, log, partition, (begun[log.topic], piece.ends[log.topic]))
            begun = piece.ends
            one.sweep()
        one.finish(self._now)

    async def _begin(self, partition: int, logs: list[_Log]) -> PartitionAudit:
        window = self._window
        known = await self._known(partition, logs)
        histories = self._histories(partition)
        since = max([window.since, *await self._known_from(partition, logs)])
        if since > window.since and histories:
            self._limits.left_out.append(since)
            self._watch.say(
                f"partition {partition}: due times before {format_clock(since)} of {since:%F} are "
                "left out, since a log has been deleted up to then"
            )
        one = PartitionAudit(
            histories, replace(window, since=since), self.tally, self._watch.report, known
        )
        for log in logs:
            if log.kind is not LogKind.DISCARDED:
                retry = log.kind is LogKind.RETRY
                one.begin(log.cluster, retry=retry, from_middle=log.starts[partition] > 0)
        return one

    async def _known(self, partition: int, logs: list[_Log]) -> Known:
        gone: dict[LogKind, dict[str, datetime]] = {kind: {} for kind in LogKind}
        for log in logs:
            until = await self._gone_until(log, partition)
            if until is not None:
                gone[log.kind][log.cluster] = until
                self._limits.gone[log.topic] = until
        return Known(
            self._read_from,
            self._limits.offsets,
            gone[LogKind.RETRY],
            gone[LogKind.DISCARDED],
            self._published,
        )

    async def _known_from(self, partition: int, logs: list[_Log]) -> list[datetime]:
        """Return from which due times on each cluster's log can show them."""
        firsts = [log for log in logs if log.kind is LogKind.FIRST]
        gone = [await self._gone_until(log, partition) for log in firsts]
        return [min(until + BEFORE_DUE, self._now) for until in gone if until is not None]

    async def close_chains(self) -> None:
        """Report what follows a run and is not there, or is there and follows none."""
        since, chains = max([self._window.since, *self._limits.left_out]), self.tally.chains
        waiting: frozenset[Named] = frozenset()
        if missing := chains.missing(self._window, self._now):
            ends = {log.cluster: log.ends for log in self._logs if log.kind is LogKind.FIRST}
            waiting = await find_waiting(self._reader, missing)
            for run_id, seen in (await find_entered(self._reader, missing, ends)).items():
                chains.see(run_id, seen)
        for finding in chains.findings(self._window, since, self._now, waiting):
            self.tally.due += finding.kind in (Kind.UNEXPLAINED, Kind.WAITING)
            self.tally.open += finding.kind is Kind.WAITING
            self.tally.found[finding.kind] += 1
            self._watch.report(finding)

    async def note_limits(self) -> None:
        """Say why not all could be known."""
        surplus = await self._reader.surplus()
        names = self._reader.names
        topics = {names.jobs, names.ticks, *(log.topic for log in self._logs)}
        self._limits.surplus = {t: counts for t, counts in surplus.items() if t in topics}
        self.tally.limits = list(self._limits.sentences(self.tally))

    def _histories(self, partition: int) -> dict[str, JobHistory]:
        return {
            name: history
            for name, history in self._definitions.definitions.of.items()
            if self._window.job in (None, name) and self._partition_of(name) == partition
        }

    async def _gone_until(self, log: _Log, partition: int) -> datetime | None:
        """Return up to when a topic has been deleted, if that matters: now, if nothing is left."""
        start, end = log.starts[partition], log.ends[partition]
        if start == 0 or start > log.beginnings[partition]:
            return None
        read = read_between(
            self._reader, log.topic, {partition: start}, {partition: min(start + 1, end)}
        )
        firsts = [message.at async for message in read]
        return firsts[0] if firsts else self._now

    async def _cut(
        self, logs: list[_Log], partition: int, since: datetime, begun: dict[str, int], all_: _Piece
    ) -> AsyncIterator[_Piece]:
        """Yield pieces of time, none with many messages, in their order."""
        count = sum(all_.ends[topic] - begun[topic] for topic in begun)
        half = (all_.until - since) / 2
        if count <= PIECE or half < _SHORTEST:
            yield all_
            return
        first_half = _Piece(since + half, {})
        for log in logs:
            found = await self._reader.offsets_at(log.topic, [partition], first_half.until)
            offset = min(found[partition], all_.ends[log.topic])
            first_half.ends[log.topic] = max(offset, begun[log.topic])
        async for piece in self._cut(logs, partition, since, begun, first_half):
            yield piece
        async for piece in self._cut(logs, partition, first_half.until, first_half.ends, all_):
            yield piece

    async def _read(
        self, one: PartitionAudit, log: _Log, partition: int, between: tuple[int, int]
    ) -> None:
        place = Place(log.cluster, log.kind is LogKind.RETRY, partition, self._partition_of)
        start, end = ({partition: offset} for offset in between)
        async for message in read_between(self._reader, log.topic, start, end):
            _fold(one, log, place, message)
            self._done += 1
            if self._done % _TELL_EVERY == 0:
                self._watch.progress(self._done, self._total)


def _fold(one: PartitionAudit, log: _Log, place: Place, message: LogMessage) -> None:
    """Take a message; what cannot be decoded, or does not belong there, no worker takes either."""
    if log.kind is LogKind.DISCARDED:
        try:
            record = decode(message.value, Discarded)
        except MessageError:
            return
        one.fold_discarded(log.cluster, record)
        return
    entries = [e for e in decode_entries(message.value)[0] if place.problem(e) is None]
    one.fold(log.cluster, place.retry, message.offset, message.at, entries)
