"""``cronstream cancel``: ends runs that are under way, and drops those that wait."""

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine, failures, proposals
from cronstream.cli.connection import RunPublisher, publishing, reading
from cronstream.cli.options import check_job, chosen_clusters
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.run_commands import since_of
from cronstream.cli.who import by_option
from cronstream.core.ledger.state import LiveRun, News, State
from cronstream.core.wire.entries import Cancelled
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.levels import needed_level
from cronstream.errors import BrokerError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.live import LiveLedger
from cronstream.history.loading import load
from cronstream.history.scope import LogReader, Scope, clusters
from cronstream.history.words import state_text
from cronstream.topology.reading import LogMessage

#: Beyond the longest grace of what runs, how long it is waited for what becomes of it.
_PATIENCE_S = 30.0
_ACK_S = 30.0
_POLL_S = 0.2


@dataclass(slots=True)
class Target:
    """A run that is to be cancelled.

    Attributes:
        before: Its state when that was asked for.
        holder: The worker that had it then.
        end: What it ended as, and in which words; None while it has not.
    """

    place: LiveLedger
    live: LiveRun
    before: State = State.QUEUED
    holder: str | None = None
    end: News | None = None

    def __post_init__(self) -> None:
        """Note where it stands: the fold goes on."""
        self.before, self.holder = self.live.state, self.live.holder

    @property
    def id(self) -> str:
        """The run's id."""
        return self.live.run.id

    @property
    def is_cancelled(self) -> bool:
        """Whether it ended because of this."""
        return self.end is not None and self.end.reason == SkipReason.CANCELLED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be cancelled, and how.

    Attributes:
        runs: These; or, if there are none, all live runs of `job`.
        within_s: How long it is waited for; None for the usual.
    """

    runs: tuple[str, ...]
    job: str | None
    cluster: str | None
    by: str
    within_s: float | None
    as_json: bool


@click.command
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=proposals.live)
@click.option(
    "--job",
    metavar="JOB",
    shell_complete=proposals.jobs,
    help="All runs of this job that have no verdict.",
)
@click.option(
    "--cluster", metavar="CLUSTER", shell_complete=proposals.clusters, help="Only on this cluster."
)
@by_option
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Wait so long for what becomes of it.  [default: 30, and the grace of what runs]",
)
@json_option
def cancel(**chosen: Any) -> None:
    """End runs that are under way, and drop those that wait.

    A command that runs gets TERM, its grace, and KILL; a run that waits, for its time, a slot or a
    retry, never starts. Each is skipped (cancelled), and is not made again. RUN is a run's id, or
    the beginning of one if it is the only one. The job stays in the crontab.
    """
    wanted = Wanted(**chosen)
    if bool(wanted.runs) == (wanted.job is not None):
        raise click.UsageError("name the runs, or a job with --job")
    click.get_current_context().exit(coroutine.run(_cancel(wanted)))


async def _cancel(wanted: Wanted) -> int:
    """Return the exit status: 0 if all that was asked for has been cancelled."""
    async with reading() as reader:
        targets, status = await _find(reader, wanted)
        if targets:
            await see_that_one_may_publish(reader)
            async with publishing() as publisher:
                await _ask(publisher, wanted.by, targets)
            await _wait(reader, targets, _longest_wait_s(wanted, targets))
    for target in targets:
        _print_target(target, as_json=wanted.as_json)
    return status or (0 if all(target.is_cancelled for target in targets) else failures.FAILED)


# -- which runs ------------------------------------------------------------------------------------


async def _find(reader: LogReader, wanted: Wanted) -> tuple[list[Target], int]:
    """Return what is to be cancelled, and the exit status if something is missing."""
    chosen = await chosen_clusters(reader, wanted.cluster, is_needed=True)
    names = sorted(chosen) if chosen is not None else await clusters(reader)
    if wanted.job is not None:
        targets = await _of_job(reader, names, wanted.job)
        if not targets:
            await check_job(reader, wanted.job)
            say(f"nothing to cancel: job {wanted.job!r} has no run without a verdict")
        return targets, 0
    found: dict[str, Target] = {}
    status = 0
    for run in wanted.runs:
        target = await _of_run(reader, names, run)
        if target is None:
            status = max(status, await _explain(reader, run))
        else:
            found[target.id] = target
    return list(found.values()), status


async def _of_job(reader: LogReader, names: list[str], job: str) -> list[Target]:
    places = [await LiveLedger.of_job(reader, name, job) for name in names]
    return [Target(place, live) for place in places if place for live in place.runs(job)]


async def _of_run(reader: LogReader, names: list[str], run: str) -> Target | None:
    targets = await _of_job(reader, names, run.partition("@")[0])
    exact = [target for target in targets if target.id == run]
    chosen = exact or [target for target in targets if "@" in run and target.id.startswith(run)]
    if len(chosen) > 1:
        some = ", ".join(target.id for target in chosen[:5])
        raise click.UsageError(f"{run!r} may be any of {len(chosen)} runs: {some}")
    return chosen[0] if chosen else None


async def _explain(reader: LogReader, run: str) -> int:
    """Say why there is nothing to cancel, for it is over or has never been; return a status."""
    scope = Scope(since=since_of(run), job=run.partition("@")[0], keep_output=False)
    story = (await load(reader, scope)).get(run)
    if story is None:
        where = "list those without a verdict with 'cronstream runs'"
        say(f"run {run!r}: no run with this id is without a verdict; {where}")
        return failures.NOT_FOUND
    say(f"run {story.id}: it already has its verdict: {state_text(story)}")
    return failures.FAILED


# -- asking, and waiting ---------------------------------------------------------------------------


async def _ask(publisher: RunPublisher, by: str, targets: list[Target]) -> None:
    """Put it on the logs.

    Raises:
        BrokerError: If the broker does not acknowledge it in time, or workers may be too old.
    """
    sent = []
    for target in targets:
        place, job = target.place, target.live.run.job
        entry = Cancelled(run=target.id, reason=SkipReason.CANCELLED, by=by)
        level, needed = place.ledger.book.level, needed_level(entry)
        if needed > level:
            raise BrokerError(
                f"the log of {place.cluster} is at level {level}, and cancelling needs {needed}: "
                "upgrade its workers, and then the schedulers"
            )
        log = publisher.names.log(place.cluster)
        sent.append(publisher.publish(log, job, entry, partitions=place.partitions))
    try:
        async with asyncio.timeout(_ACK_S):
            await asyncio.gather(*sent)
    except TimeoutError as error:
        raise BrokerError(
            f"not acknowledged within {_ACK_S:.0f} s, so it is not known whether it is on the log; "
            "look with 'cronstream runs' before you try again"
        ) from error


def _longest_wait_s(wanted: Wanted, targets: list[Target]) -> float:
    if wanted.within_s is not None:
        return wanted.within_s
    begun = [target.live.run.grace_s for target in targets if target.live.begun]
    return _PATIENCE_S + max(begun, default=0.0)


async def _wait(reader: LogReader, targets: list[Target], limit_s: float) -> None:
    """Fold on until each run has ended, or the limit is reached."""
    places = {(t.place.place.topic, t.place.partition): t.place for t in targets}
    waiting = {(target.place.cluster, target.id): target for target in targets}
    reader.follow({found.place: found.ledger.book.next_offset for found in places.values()})
    until = clock.monotonic() + limit_s
    while waiting and clock.monotonic() < until:
        for message in await reader.poll(_POLL_S):
            found = places[message.topic, message.partition]
            _note_ends(found, message, waiting)


def _note_ends(
    found: LiveLedger, message: LogMessage, waiting: dict[tuple[str, str], Target]
) -> None:
    for news in found.fold(message):
        target = (found.cluster, news.run.id)
        if news.is_end and target in waiting:
            waiting.pop(target).end = news


# -- printing --------------------------------------------------------------------------------------


def _print_target(target: Target, *, as_json: bool) -> None:
    if as_json:
        emit_json(_fields(target))
    elif target.end is not None:
        but = "" if target.is_cancelled else " before it could be cancelled"
        on = f" on {target.holder}" if target.holder else ""
        emit(f"{target.id}  {target.end.text}{but}; it was {target.before}{on}")
    if target.end is None:
        say(f"run {target.id}: it was asked to end, but has not yet: {_hint(target)}")


def _fields(target: Target) -> dict[str, Any]:
    end = target.end
    return {
        "run": target.id,
        "job": target.live.run.job,
        "cluster": target.place.cluster,
        "before": target.before,
        "worker": target.holder,
        "state": target.live.state if end is None else end.action,
        "reason": None if end is None else end.reason or None,
        "cancelled": target.is_cancelled,
    }


def _hint(target: Target) -> str:
    """Return whom it waits for, and where to look."""
    live, cluster = target.live, target.place.cluster
    if not target.place.has_been_heard:
        return (
            f"nobody has written to that part of the log since; start a worker of {cluster}: this "
            "stands on the log, and holds as soon as it is read"
        )
    if live.holder is not None:
        return f"it is {live.state} on {live.holder}; see that worker's log, and its /health"
    return f"see that a worker and a retry worker of {cluster} are there, and healthy"
