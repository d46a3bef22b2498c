"""Runs of late, for whoever types the beginning of one."""

from datetime import timedelta
from typing import Final

from cronstream import clock
from cronstream.cli.connection import reading
from cronstream.history.discards import discarded_runs
from cronstream.history.loading import load
from cronstream.history.scope import Scope

_SINCE: Final = timedelta(days=1)
_DISCARDED_SINCE: Final = timedelta(days=7)
_SHOWN: Final = 40


async def runs_of(job: str) -> list[str]:
    """Return the ids of a job's runs of the last day, the newest first."""
    scope = Scope(since=clock.now() - _SINCE, job=job, keep_output=False)
    async with reading() as reader:
        found = (await load(reader, scope)).runs(limit=_SHOWN)
    return [story.id for story in reversed(found)]


async def live_of(job: str | None) -> list[str]:
    """Return the ids of the runs of the last day that have no verdict, the newest first."""
    scope = Scope(since=clock.now() - _SINCE, job=job, keep_output=False)
    async with reading() as reader:
        found = (await load(reader, scope)).runs()
    return [story.id for story in reversed(found) if not story.state.settled][:_SHOWN]


async def discarded_of(job: str | None) -> list[str]:
    """Return the ids of what was discarded in the last week, the newest first."""
    scope = Scope(since=clock.now() - _DISCARDED_SINCE, job=job)
    async with reading() as reader:
        found = await discarded_runs(reader, scope)
    return [one.run.id for one in reversed(found)][:_SHOWN]
