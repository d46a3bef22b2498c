"""Advice about a crontab: what is valid, but may not be what was meant, or not wise.

A piece of advice is a function that is given the crontab and yields what it has to say of it. To
add one, write it here, or in a module of its own if it is long, and name it in `PIECES`. It knows
only the crontab: no time, no machine. What it says is one sentence, that something is so and what
to do about it, and it is said once: of many jobs that have something in common, it names some, and
stands at the first (`of_jobs` does both).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cronstream.core.crontab import Crontab
from cronstream.core.problems import Place
from cronstream.core.records import Job

#: Jobs that are named in a sentence.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice.

    Attributes:
        kind: What it is about, in a word, for programs.
        place: Where in the text it is about; None for the text as a whole.
        sentence: What is so, and what to do about it.
        jobs: The names of all jobs that it is about, in the order of the text.
    """

    kind: str
    place: Place | None
    sentence: str
    jobs: tuple[str, ...] = ()


Piece: TypeAlias = Callable[[Crontab], Iterator[Advice]]


def advise(crontab: Crontab) -> list[Advice]:
    """Return all advice on a crontab, in the order of its text."""
    found = [advice for piece in PIECES for advice in piece(crontab)]
    return sorted(found, key=lambda advice: advice.place or Place(1, 1))


def of_jobs(
    crontab: Crontab, kind: str, jobs: Sequence[Job], say: Callable[[str], str]
) -> Iterator[Advice]:
    """Yield one piece of advice on some jobs, at the first of them; none if there are none.

    Args:
        crontab: Where they are from.
        kind: Of the advice.
        jobs: In the order of the text.
        say: Returns the sentence, given the beginning ``job 'a'`` or ``3 jobs (a, b, c)``.
    """
    if not jobs:
        return
    names = tuple(job.name for job in jobs)
    yield Advice(kind, crontab.places.get(names[0]), say(_named(names)), names)


def _named(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"job {names[0]!r}"
    more = len(names) - _NAMED
    some = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{len(names)} jobs ({some})"


def timeouts(crontab: Crontab) -> Iterator[Advice]:
    """A command that hangs has its slot for good; when all are taken, nothing starts any more."""

    def say(jobs: str) -> str:
        have = "has" if jobs.startswith("job ") else "have"
        return (
            f"{jobs} {have} no timeout: a command that hangs keeps its slot until it is cancelled, "
            "and with all slots taken no job starts; set 'defaults: {timeout: 1h}', longer than "
            "any of them takes"
        )

    return of_jobs(crontab, "timeout", [job for job in crontab.jobs if job.timeout_s is None], say)


#: All that is looked for.
PIECES: Final[tuple[Piece, ...]] = (timeouts,)
