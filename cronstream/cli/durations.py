"""How long runs take, for ``simulate``: as given, as in a file, as on the ledgers, or a guess."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from cronstream.cli.lean import load
from cronstream.cli.output import say
from cronstream.core.forecast.lasting import Lasting, Sample
from cronstream.core.limits import LONGEST_S
from cronstream.core.schedule.duration import format_duration, parse_duration
from cronstream.core.wire.runs import Job
from cronstream.errors import BrokerError, nearest

#: What a run is taken to last of which nothing is known.
GUESS_S: Final = 60.0
#: Stands for all jobs of which nothing else is said.
_OTHERS: Final = "*"
#: So many attempts of a job are remembered, the last ones.
_MOST: Final = 1000
_SUCCEEDED: Final = "succeeded"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long attempts of each job take, and from where that is known.

    Attributes:
        given: How many jobs were given on the command line.
        read: How many are in the file.
        observed: How many are on the ledgers.
        guessed: Of how many nothing is known.
    """

    lasting: Mapping[str, Lasting]
    given: int = 0
    read: int = 0
    observed: int = 0
    guessed: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says.

    Attributes:
        seconds: By a job's name, or ``*`` for all others.
        file: Lines as ``cronstream runs --json`` prints them.
        within: How far back the ledgers are asked; zero for not at all.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    file: Path | None = None
    within: timedelta = timedelta()


class JobSeconds(click.ParamType):
    """``JOB=LENGTH``, with a length of time as in the crontab, or a number of seconds."""

    name = "job=length"

    def convert(
        self,
        value: str | tuple[str, float],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, float]:
        """Return the name and the seconds."""
        if not isinstance(value, str):
            return value
        job, _, length = value.rpartition("=")
        if not job:
            self.fail(f"{value!r} names no job; write it like backup=40m, or '*=30s'", param, ctx)
        try:
            bare = length.isascii() and length.isdecimal()
            seconds = parse_duration(f"{length}s" if bare else length)
        except ValueError as error:
            self.fail(f"{value!r}: {length!r} {error}", param, ctx)
        return job, seconds


def durations(jobs: Sequence[Job], given: Given) -> Durations:
    """Return how long attempts of jobs take.

    Raises:
        UsageError: If a name or the file is wrong.
    """
    names = [job.name for job in jobs]
    for name in given.seconds:
        if name != _OTHERS and name not in names:
            hint = nearest(name, names) or "list them with 'cronstream jobs'"
            raise click.UsageError(f"--seconds: there is no job {name!r}; {hint}")
    said = {name: _always(given.seconds[name]) for name in names if name in given.seconds}
    read = _known(_read(given.file), names, said)
    rest = given.seconds.get(_OTHERS)
    if rest is not None:
        others = {name: _always(rest) for name in names if name not in said | read}
        return Durations(others | read | said, given=len(said) + len(others), read=len(read))
    seen = _known(_observed(given.within, names, said | read), names, said | read)
    found = seen | read | said
    guessed = {name: _always(GUESS_S) for name in names if name not in found}
    return Durations(guessed | found, len(said), len(read), len(seen), len(guessed))


def _always(seconds: float) -> Lasting:
    return Lasting((Sample(seconds),))


def _known(
    attempts: Iterable[tuple[str, Sample]], names: Collection[str], but: Collection[str]
) -> dict[str, Lasting]:
    """Return attempts by job, of those that are named, but for some."""
    samples: dict[str, list[Sample]] = {name: [] for name in names if name not in but}
    for name, sample in attempts:
        if name in samples:
            samples[name].append(sample)
    return {name: Lasting(tuple(found[-_MOST:])) for name, found in samples.items() if found}


def _observed(
    within: timedelta, names: Sequence[str], known: Collection[str]
) -> list[tuple[str, Sample]]:
    if not within or all(name in known for name in names):
        return []
    try:
        found: list[tuple[str, Sample]] = load("cronstream.cli.observed").attempts(within)
    except BrokerError as error:
        say(f"{error}")
        guess = format_duration(GUESS_S)
        say(f"so runs of which nothing is said are taken to last {guess} (--seconds '*={guess}')")
        return []
    return found


def _read(file: Path | None) -> list[tuple[str, Sample]]:
    if file is None:
        return []
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--durations: {file} cannot be read ({error})") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            sample = _sample(line)
        except (ValueError, KeyError, TypeError) as error:
            raise click.UsageError(
                f"--durations: {file}:{number}: not a line of 'cronstream runs --json', an object "
                "with 'job' and 'duration_s' in seconds; take it out"
            ) from error
        if sample is not None:
            found.append(sample)
    return found


def _sample(line: str) -> tuple[str, Sample] | None:
    """Return whose attempt a line is about; None if it has not been made, or not ended."""
    if not line.strip():
        return None
    said = json.loads(line)
    seconds = said["duration_s"]
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not 0 <= seconds <= LONGEST_S:
        raise ValueError("out of range")
    outcome = said.get("outcome") or _SUCCEEDED
    return str(said["job"]), Sample(float(seconds), outcome == _SUCCEEDED)
