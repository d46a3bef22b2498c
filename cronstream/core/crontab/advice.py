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

from cronstream.core.crontab.parser import Crontab
from cronstream.core.wire.runs import Job
from cronstream.errors import Place

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
    without = [job for job in crontab.jobs if job.timeout_s is None]
    have = "has" if len(without) == 1 else "have"

    def say(jobs: str) -> str:
        return (
            f"{jobs} {have} no timeout: a command that hangs keeps its slot until it is cancelled, "
            "and with all slots taken no job starts; set 'defaults: {timeout: 1h}', longer than "
            "any of them takes"
        )

    return of_jobs(crontab, "timeout", without, say)


def either_day(crontab: Crontab) -> Iterator[Advice]:
    """Both day fields are restricted, and either is enough: not the first Monday of a month."""
    for job in crontab.jobs:
        fields = _fields(job)
        if fields and not fields[3].startswith("*") and not fields[5].startswith("*"):

            def say(name: str, job: Job = job, days: str = fields[3], week: str = fields[5]) -> str:
                return (
                    f"{name}, schedule {job.schedule!r}, is due on days {days} of the month and on "
                    f"{week} besides: either is enough, as in cron(8). If both are meant, write "
                    "'*' for the day of week, and let the command look at the day itself"
                )

            yield from of_jobs(crontab, "either-day", [job], say)


def each_second(crontab: Crontab) -> Iterator[Advice]:
    """Six fields begin with the second; who wrote a star there may have meant the minute."""
    for job in crontab.jobs:
        fields = _fields(job)
        if fields and fields[0] in {"*", "*/1", "0-59"}:

            def say(name: str, job: Job = job) -> str:
                rest = job.schedule.split(maxsplit=1)[1]
                return (
                    f"{name}, schedule {job.schedule!r}, is due in every second of the minutes "
                    f"that it names: of six fields the first is the second. Write {rest!r}, or "
                    f"{f'0 {rest}'!r}, for once in each"
                )

            yield from of_jobs(crontab, "each-second", [job], say)


def uneven_steps(crontab: Crontab) -> Iterator[Advice]:
    """Steps begin again with each minute, hour or day: every 45 minutes is not what comes of it."""
    for job in crontab.jobs:
        for field, (whole, name, unit) in zip(_fields(job), _WHOLES, strict=False):
            step = field.removeprefix("*/")
            if step == field or not step.isdecimal() or whole % int(step) == 0:
                continue

            def say(
                who: str, job: Job = job, what: tuple[str, str, str] = (step, unit, name)
            ) -> str:
                return (
                    f"{who}, schedule {job.schedule!r}: steps of {what[0]} begin again with each "
                    f"{what[2]}, so the last span is shorter; for even spans write "
                    f"'@every {what[0]}{what[1]}'"
                )

            yield from of_jobs(crontab, "uneven-steps", [job], say)


#: How many seconds, minutes and hours there are, in what, and how lengths of time are written.
_WHOLES: Final = ((60, "minute", "s"), (60, "hour", "m"), (24, "day", "h"))


def _fields(job: Job) -> list[str]:
    """Return the six fields of a schedule, the second first; none if it has a name instead."""
    fields = job.schedule.split()
    if fields[0].startswith("@"):
        return []
    return fields if len(fields) > _FIELDS else ["0", *fields]


_FIELDS: Final = 5
#: All that is looked for.
PIECES: Final[tuple[Piece, ...]] = (timeouts, either_day, each_second, uneven_steps)
