"""A crontab that has not changed since it was in force is not read again.

To read 100,000 jobs takes as long as all else that a scheduler begins with, and what comes of it is
in force already. So it is noted, with one mark, what the file was like, who read it, and which
definitions were in force when they were those of the file. Who begins with all of that unchanged
has the jobs that are in force for what the file says; if anything is different, it is read.
"""

import asyncio
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from cronstream import core
from cronstream.core.crontab.crontab import Recalled
from cronstream.core.crontab.parser import Crontab
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.wire.job_messages import Definition
from cronstream.scheduler.foreign import belongs
from cronstream.scheduler.world import Memory
from cronstream.settings import Settings
from cronstream.system import tzdata_version, version

#: A file with fewer jobs is read in no time.
LEAST: Final = 1000


class Recollection:
    """Notes what the crontab says once that is in force, and recalls it once, at a start."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self._settings, self._memory = settings, memory
        self._there: list[Definition] = []
        self._mark = ""

    def begin(self, known: JobsKnown) -> None:
        """Take what is in force now for what may be recalled."""
        self._there = _in_force(known)

    def recall(self, digest: str) -> Recalled | None:
        """Return what the crontab with a digest says, if that is what is in force; ask once."""
        there, self._there = self._there, []
        if len(there) < LEAST:
            return None
        mark = self._mark_of(digest, there)
        if not self._memory.recalls(mark):
            return None
        self._mark = mark
        return Recalled({job.name: job for job, _ in there})

    async def note(self, crontab: Crontab, known: JobsKnown) -> None:
        """Note that what is in force is what the crontab says, if that was read job by job."""
        there = _in_force(known) if _was_read_by_job(crontab) else []
        if LEAST <= len(there) == len(crontab.jobs):
            await asyncio.to_thread(self._note, crontab.digest, there)

    def _note(self, digest: str, there: list[Definition]) -> None:
        mark = self._mark_of(digest, there)
        if mark != self._mark:
            self._memory.note(mark)
            self._mark = mark

    def _mark_of(self, digest: str, there: list[Definition]) -> str:
        """Return what tells a file, its reader and the definitions in force from all others."""
        since = cache(str)
        lines = sorted(f"{job.name} {n} {since(job.effective_from)}" for job, n in there)
        read_by = f"{digest} {self._settings.lease_s} {_reader()} {tzdata_version()}"
        return sha256("\n".join([read_by, *lines]).encode()).hexdigest()


def _in_force(known: JobsKnown) -> list[Definition]:
    of, partitions = known.of.items(), len(known.of)
    there = (
        recent.last(j.name)
        for p, recent in of
        for j in recent.in_force()
        if belongs(j, p, partitions)
    )
    return [definition for definition in there if definition is not None]


def _was_read_by_job(crontab: Crontab) -> bool:
    parts = crontab.parts.values() or [crontab]
    return not crontab.is_partial and all(part.read is not None for part in parts)


@cache
def _reader() -> str:
    """Return what tells a version of cronstream by what it makes of a crontab."""
    hashed = sha256(version().encode())
    for file in sorted(Path(*core.__path__).rglob("*.py")):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()
