"""Due times of the past that a person wants run after all, and their runs.

Each is a run of its own, with the cause ``backfill``, made from the definition that was in force
when it was due. All are published at once, and each says when it may start: so the command may be
broken off and typed again, and a ledger takes a run once, however often it is asked for.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronstream.core.planning.chain import chained
from cronstream.core.planning.making import run_of
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Job, Run


@dataclass(frozen=True, slots=True)
class Wanted:
    """How due times are to be run.

    Attributes:
        now: When it is asked for (UTC).
        every: Between two starts.
        by: Who asks for it.
        again: Whether what was run before is run once more.
    """

    now: datetime
    every: timedelta
    by: str
    again: bool = False


def number_of(wanted: Wanted) -> int:
    """Return what tells a run from another backfill of its due time.

    It is always the same, so that a ledger knows a second one; but not for who wants it again.
    """
    return int(wanted.now.timestamp() * 1000) if wanted.again else 0


def not_made(
    due: Iterable[tuple[datetime, Job]], made: Collection[datetime]
) -> list[tuple[datetime, Job]]:
    """Return the due times of which there is no run yet, oldest first.

    Args:
        due: Each with the definition that it follows.
        made: Those of which there is one that was not skipped, whatever became of it.
    """
    return [(moment, job) for moment, job in due if moment not in made]


def runs_of(
    due: Iterable[tuple[datetime, Job]], wanted: Wanted, home: Mapping[str, str]
) -> list[Run]:
    """Return the runs of due times, the first to start at once.

    Args:
        due: Each with the definition that it follows, in the order in which they are to start.
        wanted: How they are to be run.
        home: The cluster where a job is now, by its name; else it is where the definition says.
    """
    named = {"cause": Cause.BACKFILL, "number": number_of(wanted), "by": wanted.by}
    return [
        chained(
            run_of(job, None, moment, **named).derive(
                cluster=home.get(job.name, job.cluster),
                not_before=wanted.now + place * wanted.every,
                as_of=wanted.now,
            ),
            job.cluster,
        )
        for place, (moment, job) in enumerate(due)
    ]
