"""Runs of late, for whoever types the beginning of one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.history.discards import discarded_runs
from cronstream.history.loading import load
from cronstream.history.scope import Scope

_SINCE: Final = timedelta(days=1)
_DISCARDED_SINCE: Final = timedelta(days=7)
_SHOWN: Final = 40
_ANSWER_WITHIN_S: Final = 1.5


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


_QUESTIONS: Final[dict[str, Callable[[Any], Awaitable[list[str]]]]] = {
    "runs_of": runs_of,
    "live_of": live_of,
    "discarded_of": discarded_of,
}


def soon(question: str, job: str | None) -> list[str]:
    """Return the answer of one of the questions above, if it can be had at once.

    Raises:
        TimeoutError: If not.
        BrokerError: If no broker answers.
    """

    async def within_limit() -> list[str]:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            return await _QUESTIONS[question](job)

    return coroutine.run(within_limit())
