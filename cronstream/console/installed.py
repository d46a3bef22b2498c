"""What is in force and who is there, as it stands now: asked of Kafka every few seconds."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from cronstream import clock
from cronstream.console.ahead import Ahead
from cronstream.console.halts import Halts
from cronstream.console.pasts import Pasts
from cronstream.core.health.roll import Roll, Seen
from cronstream.core.trust.judging import Judgement
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job
from cronstream.history.roll import first_offset, read_on
from cronstream.history.scope import LogReader
from cronstream.topology.jobs import JobsLog
from cronstream.topology.last_rows import rows_on
from cronstream.tracing.ids import TraceIds

EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Installed:
    """The installation at one moment.

    Attributes:
        jobs: The jobs in force, by name.
        processes: Those that are there, or were in the last ten minutes.
        now: What time it is by the log's clock, as far as it is known (UTC).
        is_read: Whether the jobs were read once: until then none being known says nothing.
        halted: What is said of the jobs that their discarded runs have paused, by name.
    """

    jobs: dict[str, Job]
    processes: tuple[Seen, ...]
    now: datetime
    is_read: bool = True
    halted: Mapping[str, dict[str, Any]] = field(default_factory=dict)


class Watching:
    """Keeps what is known of the installation up to date.

    Args:
        judge: Says what is thought of a job.
        pasts: Keeps the revisions of jobs.
        on_change: Is called when the jobs in force may be others than they were.

    Attributes:
        found: As it was when it was last asked.
        pasts: The revisions of jobs.
        ahead: What is due next.
        halts: The jobs that their discarded runs have paused.
    """

    def __init__(
        self,
        judge: Callable[[Job | Control], Judgement],
        pasts: Pasts,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._judge, self._on_change = judge, on_change
        self._moved = False
        self.halts = Halts()
        self.pasts, self.ahead = pasts, Ahead()
        self._ids: TraceIds | None = None
        self.found = Installed({}, (), clock.now(), is_read=False)

    def trace(self, run_id: str) -> str | None:
        """Return the id of a run's trace, as it is called where runs are traced."""
        return None if self._ids is None else f"{self._ids.trace(run_id):032x}"

    async def follow(self, reader: LogReader) -> None:
        """Ask now and then, for as long as the reader can read.

        Raises:
            BrokerError: If the broker does not answer.
        """
        jobs: JobsLog | None = None
        roll, offset = Roll(), -1
        kafka = await reader.kafka_id()
        self._ids = TraceIds(kafka, reader.names.prefix) if kafka else None
        while True:
            topics = await reader.layout()
            partitions = topics.get(reader.names.jobs, [])
            if jobs is None and partitions:
                jobs = JobsLog(reader, partial(rows_on, reader, reader.names.kept_jobs), partitions)
                jobs.judge, jobs.on_move = self._judge, self._move
            if reader.names.workers in topics:
                start = await first_offset(reader) if offset < 0 else offset
                offset = await read_on(reader, roll, start)
            known = (await jobs.read_on()).jobs if jobs is not None else ()
            now = max(clock.now(), roll.now or clock.now())
            in_force = {job.name: job for job in known}
            self.found = Installed(in_force, tuple(roll.all()), now, halted=self.halts.found)
            await self.ahead.follow(self.found.jobs, now)
            if self._moved:
                self._moved = False
                self._on_change()
            await asyncio.sleep(EVERY_S)

    async def follow_halts(self, reader: LogReader) -> None:
        """Ask likewise which jobs their discarded runs have paused."""
        await self.halts.follow(reader, lambda: self.found.jobs)

    def _move(self, _: int) -> None:
        self._moved = True
