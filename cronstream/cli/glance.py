"""What Kafka says beside a crontab that is listed: asked in passing, and done without if need be.

Commands about the crontab need no broker. So one that does not answer is no mistake, and is spoken
of only if somebody has named it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.output import say
from cronstream.cli.paused import pauses, sentences
from cronstream.core.health.agreement import crontab_differences, crontab_warnings
from cronstream.core.wire.runs import Job
from cronstream.errors import CronstreamError, NotFoundError
from cronstream.history.pauses import THE_CRONTAB, said
from cronstream.history.roll import roll_now
from cronstream.history.scope import LogReader
from cronstream.settings import given_broker

_WITHIN_S: Final = 3.0

ValueT = TypeVar("ValueT")


def crontabs_there() -> list[str] | None:
    """Return the digests of the crontabs that schedulers have; None if nobody says so.

    If they are several, that is said.
    """
    return _glance(_crontabs, "whether schedulers have different crontabs")


async def _crontabs(reader: LogReader) -> list[str] | None:
    now = clock.now()
    there = [seen.who for seen in (await roll_now(reader)).all() if seen.is_there(now)]
    for line in (*crontab_warnings(there), *crontab_differences(there)):
        say(line)
    return sorted({who.crontab for who in there if who.crontab}) or None


@dataclass(frozen=True, slots=True)
class Pauses:
    """Which of some jobs are paused: by the file that has them, and as schedulers have it.

    Attributes:
        in_file: Those of the file.
        in_force: The others; None if nobody says so.
    """

    in_file: list[dict[str, Any]]
    in_force: list[dict[str, Any]] | None

    def is_paused(self, job: str, due: datetime) -> bool | None:
        """Whether a due time is in a pause, as it stands now; None if that is not known."""
        if self.in_force is None:
            return None
        return any(
            one["job"] == job and (one["until"] is None or due < one["until"])
            for one in self.in_force
        )

    def sentences(self) -> Iterator[str]:
        """Yield them for people."""
        yield from sentences([*self.in_file, *(self.in_force or ())])


def pauses_there(jobs: Collection[Job]) -> Pauses:
    """Return which of some jobs are paused, as a file has them."""
    now, names = clock.now(), {job.name for job in jobs}
    in_file = [one for job in jobs if not job.enabled for one in said(job, now)]
    there = _glance(_pauses, "what people have paused")
    in_force = [one for one in there or () if one["job"] in names and one["by"] != THE_CRONTAB]
    return Pauses(in_file, None if there is None else in_force)


async def _pauses(reader: LogReader) -> list[dict[str, Any]]:
    try:
        return await pauses(reader)
    except NotFoundError:
        return []  # No scheduler has published any job yet.


def _glance(question: Callable[[LogReader], Awaitable[ValueT]], about: str) -> ValueT | None:
    return coroutine.run(_answer(question, about))


async def _answer(question: Callable[[LogReader], Awaitable[ValueT]], about: str) -> ValueT | None:
    try:
        async with asyncio.timeout(_WITHIN_S), reading() as reader:
            return await question(reader)
    except (CronstreamError, TimeoutError) as error:
        if given_broker():
            why = str(error) or f"Kafka has not answered within {_WITHIN_S:.0f} s"
            say(f"it is not known {about}: {why}")
        return None
