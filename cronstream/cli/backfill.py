"""``cronstream backfill``: runs due times of the past, each by the definition of its time."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli import coroutine, proposals
from cronstream.cli.connection import publishing, reading
from cronstream.cli.options import check_job
from cronstream.cli.output import emit, emit_json, is_terminal, json_option, say
from cronstream.cli.progress import READING, progress
from cronstream.cli.times import Moment
from cronstream.cli.who import by_option
from cronstream.core.ledger.state import AHEAD
from cronstream.core.planning.backfill import Wanted, not_made, runs_of
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.levels import needed_level
from cronstream.core.wire.runs import Job, Run
from cronstream.core.wire.times import format_time
from cronstream.errors import BrokerError, NotFoundError
from cronstream.history.definitions import DefinitionsRead
from cronstream.history.fields import run_in_brief
from cronstream.history.jobs import jobs_in_force
from cronstream.history.live import LiveLedger
from cronstream.history.loading import load
from cronstream.history.scope import LogReader, Scope
from cronstream.history.story import RunState
from cronstream.settings import settings
from cronstream.steering.publishing import publish_runs
from cronstream.trust.keyring import Keyring

#: More are run only with ``--yes``; and no more in one go.
_ASKED_ABOVE: Final = 100
_MOST: Final = 10_000
#: They are published so many at a time: each lot is judged by the time at which it is sent.
_LOT: Final = 500
#: Runs that are a due time's own.
_COUNT: Final = (None, Cause.LEGACY, Cause.BACKFILL)
_UNITS: Final = {"s": 1, "min": 60, "h": 3600}


class Rate(click.ParamType):
    """So many in a time, as ``1/s``, ``10/min`` or ``2/h``; it is given as the time between two."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return how long it is from one to the next."""
        if isinstance(value, timedelta):
            return value
        amount, _, unit = value.partition("/")
        if unit not in _UNITS or not (amount.isascii() and amount.isdigit()):
            self.fail(f"{value!r} is not like 1/s, 10/min or 2/h", param, ctx)
        if not 1 <= int(amount) <= _UNITS[unit] * 10:
            self.fail(f"{value!r}: it can be 1/h to 10/s", param, ctx)
        return timedelta(seconds=_UNITS[unit] / int(amount))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which due times, and what is done with them."""

    job: str
    since: datetime
    until: datetime
    again: bool
    dry_run: bool
    yes: bool
    as_json: bool


@click.command
@click.argument("job", shell_complete=proposals.jobs)
@click.option(
    "--from", "since", type=Moment(), required=True, metavar="WHEN", help="Due from then on."
)
@click.option(
    "--to",
    "until",
    type=Moment(),
    default="0s",
    show_default="now",
    metavar="WHEN",
    help="Due before then.",
)
@click.option(
    "--rate",
    "every",
    type=Rate(),
    default="1/s",
    show_default=True,
    metavar="RATE",
    help="How many may start in a time: 1/s, 10/min, 2/h.",
)
@click.option("--again", is_flag=True, help="Those that were run before, too.")
@by_option
@click.option("--dry-run", is_flag=True, help="Print what would be run; publish nothing.")
@click.option("--yes", is_flag=True, help="Do not ask where there are more than 100.")
@json_option
def backfill(*, every: timedelta, by: str, **chosen: Any) -> None:
    """Run due times of JOB that are past, each as it was defined then, oldest first.

    Those of which there was a run that was not skipped are left out, whoever asked for it. Each new
    run's id is printed once it is on its cluster's log; it starts when its turn comes. What is
    broken off goes on where it was when it is typed again.
    """
    asked = Asked(**chosen)
    if asked.since >= asked.until:
        raise click.UsageError("--from has to be before --to")
    coroutine.run(_backfill(asked, every, by))


async def _backfill(asked: Asked, every: timedelta, by: str) -> None:
    async with reading() as reader:
        due = await _due(reader, asked)
        if not asked.again:
            due = await _left(reader, asked, due)
        wanted = Wanted(clock.now(), every, by, asked.again)
        fresh = runs_of(due, wanted, await _homes(reader, asked.job))
        if not fresh:
            say("nothing to run")
        elif asked.dry_run:
            _print(fresh, asked)
        else:
            _confirm(fresh, asked)
            await _see_that_it_is_known(reader, fresh)
            await _publish(reader, fresh, asked)
    if fresh:
        _sum_up(fresh, asked)


async def _due(reader: LogReader, asked: Asked) -> list[tuple[datetime, Job]]:
    """Return the due times with their definitions; say which are not known.

    Raises:
        NotFoundError: If nothing is known of the job in that time.
    """
    read = DefinitionsRead(reader, asked.since, Keyring(settings()).believes)
    await read.read()
    history = read.definitions.of.get(asked.job)
    if history is None or history.known_from is None:
        await check_job(reader, asked.job)
        raise NotFoundError(f"no definition of job {asked.job!r} is on the jobs topic")
    if history.known_from > asked.since:
        first = format_time(history.known_from)
        say(f"no definition of job {asked.job!r} is known from before {first}: it begins there")
    until = min(asked.until, clock.now())
    tick = timedelta(microseconds=1)
    found = history.due(asked.since - tick, until - tick)
    due = [(moment, revision.job) for moment, revision in islice(found, _MOST + 1)]
    if len(due) > _MOST:
        raise click.UsageError(
            f"job {asked.job!r} was due more than {_MOST:,} times between these: choose less"
        )
    return due


async def _left(
    reader: LogReader, asked: Asked, due: list[tuple[datetime, Job]]
) -> list[tuple[datetime, Job]]:
    """Return those of which there is no run; say what of the others is left out."""
    scope = Scope(since=asked.since - 2 * AHEAD, job=asked.job, keep_output=False)
    async with progress(READING) as update:
        stories = (await load(reader, scope, update)).runs(job=asked.job)
    made = {
        story.scheduled_at: story.cause is Cause.BACKFILL
        for story in stories
        if story.state is not RunState.SKIPPED and story.cause in _COUNT
    }
    found = Counter(made[moment] for moment, _ in due if moment in made)
    for is_backfill, count in sorted(found.items()):
        what = "backfilled before" if is_backfill else "run as they were due"
        say(f"left out: {count} that were {what} (see --again)")
    return not_made(due, made)


async def _homes(reader: LogReader, job: str) -> dict[str, str]:
    jobs = await jobs_in_force(reader, Keyring(settings()).judge)
    return {job: jobs[job].cluster} if job in jobs else {}


def _confirm(fresh: Sequence[Run], asked: Asked) -> None:
    if len(fresh) <= _ASKED_ABOVE or asked.yes:
        return
    last = format_time(fresh[-1].not_before.replace(microsecond=0))
    what = f"{len(fresh)} runs of {asked.job}, the last from {last} on"
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"{what}: confirm with --yes")
    click.confirm(f"Publish {what}?", abort=True, err=True)


async def _see_that_it_is_known(reader: LogReader, fresh: Sequence[Run]) -> None:
    """See that workers know what a backfill is.

    Raises:
        BrokerError: If they may be too old.
    """
    needed = max(map(needed_level, fresh))
    for cluster in sorted({run.cluster for run in fresh}):
        place = await LiveLedger.of_job(reader, cluster, fresh[0].job)
        if place is not None and place.ledger.book.level < needed:
            raise BrokerError(
                f"the log of {cluster} is at level {place.ledger.book.level}, and a backfill needs "
                f"{needed}: upgrade its workers, and then the schedulers"
            )


async def _publish(reader: LogReader, fresh: Sequence[Run], asked: Asked) -> None:
    async with publishing() as publisher:
        for begin in range(0, len(fresh), _LOT):
            now = clock.now()
            lot = [run.derive(as_of=now) for run in fresh[begin : begin + _LOT]]
            await publish_runs(publisher, reader, lot)
            _print(lot, asked)


def _print(fresh: Sequence[Run], asked: Asked) -> None:
    for run in fresh:
        if asked.as_json:
            emit_json(run_in_brief(run))
        else:
            emit(run.id)


def _sum_up(fresh: Sequence[Run], asked: Asked) -> None:
    runs = "1 run" if len(fresh) == 1 else f"{len(fresh)} runs"
    last = format_time(fresh[-1].not_before.replace(microsecond=0))
    said = "would be published" if asked.dry_run else "published"
    say(f"{runs} {said}; the last may start at {last}")
