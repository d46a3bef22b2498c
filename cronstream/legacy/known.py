"""What the new layout already has: its jobs, and the runs that were moved before."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from cronstream import clock
from cronstream.core.planning.legacy import KnownJobs, place_of
from cronstream.core.planning.recent import Seen
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Job, Run
from cronstream.crontab_file import read_crontab
from cronstream.errors import CrontabError
from cronstream.settings import Settings
from cronstream.topology.jobs import read_on
from cronstream.topology.log_message import LogMessage
from cronstream.topology.reading import Reader
from cronstream.topology.resending import came_late

_MARK = f'"{Cause.LEGACY}"'.encode()
#: The crontab is read again for its defaults after this long.
_DEFAULTS_FOR_S = 5.0


class JobsInForce:
    """Follows the ``jobs`` topic, and the crontab's defaults for jobs that are not on it."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._crontab, self._reader = settings.crontab, reader
        self._seen = dict.fromkeys(range(settings.shards), Seen(0))
        self._default: Job | CrontabError | None = None
        self._read_again_at = 0.0
        self.known = KnownJobs()

    async def refresh(self) -> None:
        """Learn all that is on the topic now."""
        ends = await self._reader.ends(self._reader.names.jobs, self._seen)
        await read_on(self._reader, self._seen, ends, self._fold)

    def _fold(self, message: LogMessage) -> None:
        self.known.fold(message.offset, message.value)
        self._seen[message.partition] = Seen.after(message.offset, message.value)

    async def template(self, name: str) -> Job | None:
        """Return what a run of the job is to be like: the job, or what the defaults make.

        None if the defaults do not say in which cluster it is to run.

        Raises:
            CrontabError: If the defaults are needed, and there is no good crontab yet.
        """
        job = self.known.last(name)
        if job is not None:
            return job
        if clock.monotonic() >= self._read_again_at:
            self._default = await self._read_default()
            self._read_again_at = clock.monotonic() + _DEFAULTS_FOR_S
        if isinstance(self._default, CrontabError):
            raise self._default
        return self._default

    async def _read_default(self) -> Job | CrontabError | None:
        """Return what the file says; the last that was good holds while it is broken."""
        try:
            return (await asyncio.to_thread(read_crontab, self._crontab)).default
        except CrontabError as error:
            return self._default if isinstance(self._default, Job) else error


async def moved_before(
    reader: Reader,
    logs: Mapping[str, list[int]],
    since: datetime | None,
    starts: Mapping[int, int],
) -> set[str]:
    """Return the ids of runs on any cluster's log that were made from messages yet to be moved.

    Args:
        reader: A connected reader.
        logs: The partitions of each cluster's log.
        since: Nothing that was appended before matters (UTC); None for all that the logs have.
        starts: The offset of each partition of the old topic from where it is to be moved.
    """
    found: set[str] = set()
    for topic, partitions in logs.items():
        if since is None:
            start = await reader.beginnings(topic, partitions)
        else:
            start = await reader.offsets_at(topic, partitions, since)
        async for message in reader.read(topic, start, await reader.ends(topic, start)):
            if message.value and _MARK in message.value:
                found |= _ids(message.value, message.at, starts)
    return found


def _ids(value: bytes, at: datetime, starts: Mapping[int, int]) -> set[str]:
    """Return the ids in a message, but of what came too late: the fold has refused that."""
    found = set()
    for entry in decode_entries(value)[0]:
        if isinstance(entry, Run) and entry.cause is Cause.LEGACY and not came_late(entry, at):
            partition, offset = place_of(entry.number)
            if offset >= starts.get(partition, offset + 1):
                found.add(entry.id)
    return found
