"""Advice about a crontab: what is valid, but may not be what was meant, or not wise.

A piece of advice is a function that is given the crontab and yields what it has to say of it. To
add one, write it here, or in a module of its own if it is long, and name it in `PIECES`. It knows
only the crontab: no time, no machine. What it says is one sentence, that something is so and what
to do about it, and it is said once: of many jobs that have something in common, it names some, and
stands at the first (`of_jobs` does both).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cronstream.core.crontab.herds import Herd, Spread, herds
from cronstream.core.crontab.parser import Crontab
from cronstream.core.schedule.clock import EverySchedule
from cronstream.core.schedule.expression import compile_expression
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time
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
        spreads: What each of them may say instead, if it is about a herd.
    """

    kind: str
    place: Place | None
    sentence: str
    jobs: tuple[str, ...] = ()
    spreads: tuple[Spread, ...] = ()


Piece: TypeAlias = Callable[[Crontab], Iterator[Advice]]


def advise(crontab: Crontab, slots: int | None = None) -> list[Advice]:
    """Return all advice on a crontab, in the order of its text.

    Args:
        crontab: Valid.
        slots: Of a worker; None if that is not known.
    """
    found = [advice for piece in PIECES for advice in piece(crontab)]
    found += [_of_herd(crontab, herd, slots) for herd in herds(crontab, slots)]
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
    for job, expression, fields in _with_fields(crontab):
        if not fields[3].startswith("*") and not fields[5].startswith("*"):

            def say(
                name: str, what: str = expression, days: str = fields[3], week: str = fields[5]
            ) -> str:
                day = "day" if days.isdecimal() else "days"
                return (
                    f"{name}, schedule {what!r}, is due on {day} {days} of the month and on "
                    f"{week} besides: either is enough, as in cron(8). For a certain one of a "
                    "month write 'mon#1' or '5L'; if both are meant otherwise, write '*' for the "
                    "day of week, and let the command look at the day itself"
                )

            yield from of_jobs(crontab, "either-day", [job], say)


def each_second(crontab: Crontab) -> Iterator[Advice]:
    """Six fields begin with the second; who wrote a star there may have meant the minute."""
    for job, expression, fields in _with_fields(crontab):
        if fields[0] in {"*", "*/1", "0-59"}:

            def say(name: str, what: str = expression) -> str:
                rest = what.split(maxsplit=1)[1]
                return (
                    f"{name}, schedule {what!r}, is due in every second of the minutes "
                    f"that it names: of six fields the first is the second. Write {rest!r}, or "
                    f"{f'0 {rest}'!r}, for once in each"
                )

            yield from of_jobs(crontab, "each-second", [job], say)


def uneven_steps(crontab: Crontab) -> Iterator[Advice]:
    """Steps begin again with each minute, hour or day: every 45 minutes is not what comes of it."""
    for job, expression, fields in _with_fields(crontab):
        for field, (whole, name, unit) in zip(fields, _WHOLES, strict=False):
            step = field.removeprefix("*/")
            if step == field or not step.isdecimal() or whole % int(step) == 0:
                continue

            def say(
                who: str, of: str = expression, what: tuple[str, str, str] = (step, unit, name)
            ) -> str:
                return (
                    f"{who}, schedule {of!r}: steps of {what[0]} begin again with each "
                    f"{what[2]}, so the last span is shorter; for even spans write "
                    f"'@every {what[0]}{what[1]}'"
                )

            yield from of_jobs(crontab, "uneven-steps", [job], say)


def idle_dst(crontab: Crontab) -> Iterator[Advice]:
    """What counts real time knows of no changes of the clocks."""
    having = [job for job in crontab.jobs if "; dst " in job.schedule and _counts_real_time(job)]
    have = "has" if len(having) == 1 else "have"

    def say(jobs: str) -> str:
        return (
            f"{jobs} {have} 'dst', which says nothing of '@every' with real time: clocks may "
            "change, and it goes on; take it out, or write a time of day, as in '0 2 * * *'"
        )

    return of_jobs(crontab, "dst", having, say)


def _counts_real_time(job: Job) -> bool:
    rules, zone = Rules.parse(job.schedule), find_zone(job.timezone)
    members = (compile_expression(text, zone, rules.dst) for text in rules.expressions)
    return all(isinstance(member, EverySchedule) for member in members)


def plain_secrets(crontab: Crontab) -> Iterator[Advice]:
    """A password in the file is on Kafka too, for whoever may read a topic."""
    having = [job for job in crontab.jobs if _secret_names(job)]

    def say(jobs: str) -> str:
        names = sorted({name for job in having for name in _secret_names(job)})
        some = ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
        have = "has" if len(having) == 1 else "have"
        return (
            f"{jobs} {have} what looks like a secret in env ({some}): it is on Kafka, readable to "
            "whoever reads a topic; say where it is instead, 'TOKEN: {file: /run/secrets/token}' "
            "or '{from: TOKEN}'"
        )

    return of_jobs(crontab, "plain-secret", having, say)


#: Names that secrets have, as a word of their own; not of places where one is.
_SECRET: Final = re.compile(
    r".*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIALS?)|"
    r"(?:.*_)?(?:PASS|PWD|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|SECRET_KEY)",
    re.IGNORECASE,
)


def _secret_names(job: Job) -> list[str]:
    """Return the names of variables whose values stand there and should not."""
    env = (job.env or {}).items()
    return [name for name, text in env if text and name != "PWD" and _SECRET.fullmatch(name)]


def _of_herd(crontab: Crontab, herd: Herd, slots: int | None) -> Advice:
    names = tuple(job.name for job in herd.jobs)
    have = ""
    if slots is not None:
        more = "more than the" if len(names) > slots else "and there are"
        have = f", {more} {slots} slots of a worker"
    sentence = (
        f"{_named(names)} of cluster {herd.cluster!r} are due in the same second, as at "
        f"{format_time(herd.at)}{have}; where the time need not be exact, write 'H' in the "
        f"schedule: then {'none' if herd.then < 2 else f'no more than {herd.then}'} of them would "
        "be due together"
    )
    return Advice("herd", crontab.places.get(names[0]), sentence, names, herd.spreads)


#: How many seconds, minutes and hours there are, in what, and how lengths of time are written.
_WHOLES: Final = ((60, "minute", "s"), (60, "hour", "m"), (24, "day", "h"))


def _with_fields(crontab: Crontab) -> Iterator[tuple[Job, str, list[str]]]:
    """Yield each expression of each job that has fields, with all six, the second first."""
    for job in crontab.jobs:
        for expression in Rules.parse(job.schedule).expressions:
            fields = expression.split()
            if not expression.startswith("@"):
                yield job, expression, fields if len(fields) > _FIELDS else ["0", *fields]


_FIELDS: Final = 5
#: All that is looked for.
PIECES: Final[tuple[Piece, ...]] = (
    *(timeouts, either_day, each_second, uneven_steps, idle_dst, plain_secrets),
)
