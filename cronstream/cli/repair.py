"""``cronstream repair``: undoes what a clock that was ahead has left in the ledgers."""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import publishing, reading
from cronstream.cli.output import emit, emit_json, is_terminal, json_option, say
from cronstream.cli.who import by_option
from cronstream.cli.workers_command import read_roll
from cronstream.core.health import clocks
from cronstream.core.ledger.settling import waits_too_long
from cronstream.core.ledger.state import AHEAD
from cronstream.core.wire.entries import Repair
from cronstream.core.wire.levels import needed_level
from cronstream.core.wire.naming import Role
from cronstream.core.wire.times import format_time
from cronstream.errors import BrokerError, CronstreamError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.live import LiveLedger
from cronstream.history.scope import LogReader, clusters
from cronstream.steering.connecting import RunPublisher

_ACK_S = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a clock that was ahead has left in one partition of a log.

    Attributes:
        jobs: Of which due times to come count as run.
        until: The last of these due times.
        retries: Ids of runs whose next attempt waits for a time that is too far.
    """

    live: LiveLedger
    jobs: tuple[str, ...]
    until: datetime | None
    retries: tuple[str, ...]

    @property
    def place(self) -> str:
        """The topic and the partition."""
        return f"{self.live.place.topic}/{self.live.place.partition}"

    @property
    def what(self) -> str:
        """What is wrong, for people."""
        parts = []
        if self.until is not None:
            some = f"{len(self.jobs)} jobs" if len(self.jobs) > 1 else f"job {self.jobs[0]!r}"
            until = format_time(self.until.replace(microsecond=0))
            parts.append(f"due times of {some} up to {until} count as run")
        if self.retries:
            some = f"{len(self.retries)} retries" if len(self.retries) > 1 else "a retry"
            parts.append(f"{some} would wait for as long")
        return f"{self.place}: {', and '.join(parts)}, by a clock that was ahead"

    @property
    def sentence(self) -> str:
        """The same, and where to look."""
        return f"{self.what}; see 'cronstream repair --dry-run'"

    @property
    def fields(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "topic": self.live.place.topic,
            "partition": self.live.place.partition,
            "jobs": list(self.jobs),
            "until": self.until,
            "retries": list(self.retries),
        }


async def survey(reader: LogReader, now: datetime) -> list[Found]:
    """Return each partition in which something counts as done that is to come.

    Args:
        reader: Connected.
        now: What time it is.

    Raises:
        BrokerError: If the broker does not answer.
        LevelError: If a log was raised to a level that is not known here.
    """
    found = []
    for cluster in await clusters(reader):
        for role in (Role.of(cluster, retry=False), Role.of(cluster, retry=True)):
            partitions = await reader.partitions(reader.names.log_of(role))
            live = await LiveLedger.of_log(reader, role, partitions) if partitions else []
            found += [_look_at(one, now) for one in live]
    return [one for one in found if one.jobs or one.retries]


def _look_at(live: LiveLedger, now: datetime) -> Found:
    book = live.ledger.book
    ahead = {job: mark.high for job, mark in book.marks.items() if mark.high > now + 2 * AHEAD}
    retries = [r for r, one in sorted(book.live.items()) if waits_too_long(book, one, now)]
    return Found(live, tuple(sorted(ahead)), max(ahead.values(), default=None), tuple(retries))


@click.command
@click.option("--dry-run", is_flag=True, help="Say what would be undone; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@json_option
def repair(*, dry_run: bool, yes: bool, by: str, as_json: bool) -> None:
    """Undo what a clock that was ahead has left behind, once all clocks are right.

    What was due by the clock of Kafka and of the schedulers has run, too early, and counts as run:
    nothing of it runs when its time comes. After this it does, a second time, under the same ids.
    Where no clock was ahead there is nothing to undo, and nothing is changed.
    """
    coroutine.run(_repair(by, dry_run=dry_run, yes=yes or dry_run, as_json=as_json))


async def _repair(by: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    roll, now = await read_roll()
    there = [seen.who for seen in roll.all() if seen.is_there(now)]
    if wrong := clocks.warnings(there):
        raise CronstreamError(f"set the clocks right before that: {'; '.join(wrong)}")
    async with reading() as reader:
        found = await survey(reader, now if there else clock.now())
        if found and not yes:
            _confirm(found)
        if found and not dry_run:
            await see_that_one_may_publish(reader)
            async with publishing() as publisher:
                await _ask(publisher, by, found)
    for one in found:
        if as_json:
            emit_json({**one.fields, "repaired": not dry_run})
        else:
            emit(one.what + ("" if dry_run else ": undone"))
    if not found:
        say("there is nothing to repair: no due time to come counts as run")


def _confirm(found: list[Found]) -> None:
    jobs = sorted({job for one in found for job in one.jobs})
    what = f"what {len(jobs)} jobs have run too early would run again when it is due"
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"{what}: confirm with --yes")
    click.confirm(f"Repair {len(found)} partitions? {what.capitalize()}.", abort=True, err=True)


async def _ask(publisher: RunPublisher, by: str, found: list[Found]) -> None:
    """Put it on the logs.

    Raises:
        BrokerError: If the broker does not acknowledge it in time, or workers may be too old.
    """
    entry = Repair(by=by)
    for one in found:
        if one.live.ledger.book.level < needed_level(entry):
            raise BrokerError(
                f"{one.place} is at level {one.live.ledger.book.level}, and a repair needs "
                f"{needed_level(entry)}: upgrade its workers, and then the schedulers"
            )
    places = [one.live.place for one in found]
    try:
        async with asyncio.timeout(_ACK_S):
            sent = (publisher.append(place.topic, place.partition, entry) for place in places)
            await asyncio.gather(*sent)
    except TimeoutError as error:
        raise BrokerError(
            f"not acknowledged within {_ACK_S:.0f} s, so it is not known what is on the logs; "
            "it does no harm to try again"
        ) from error
