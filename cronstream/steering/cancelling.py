"""Runs that are under way end, and those that wait are dropped."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cronstream import clock
from cronstream.core.ledger.state import LiveRun, News, State
from cronstream.core.wire.entries import Cancelled
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.levels import needed_level
from cronstream.errors import AskedError, BrokerError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.live import LiveLedger
from cronstream.history.scope import LogReader
from cronstream.steering.connecting import Publishing, RunPublisher
from cronstream.topology.log_message import LogMessage

#: Beyond the longest grace of what runs, how long it is waited for what becomes of it.
_PATIENCE_S: Final = 30.0
_ACK_S: Final = 30.0
_POLL_S: Final = 0.2


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


async def targets_of_job(reader: LogReader, names: Sequence[str], job: str) -> list[Target]:
    """Return the runs of a job that have no verdict, on some clusters."""
    places = [await LiveLedger.of_job(reader, name, job) for name in names]
    return [Target(place, live) for place in places if place for live in place.runs(job)]


async def target_of(reader: LogReader, names: Sequence[str], run: str) -> Target | None:
    """Return the run of that id without a verdict, or whose id begins so; None if there is none.

    Raises:
        AskedError: If it may be any of several.
    """
    targets = await targets_of_job(reader, names, run.partition("@")[0])
    exact = [target for target in targets if target.id == run]
    chosen = exact or [target for target in targets if "@" in run and target.id.startswith(run)]
    if len(chosen) > 1:
        some = ", ".join(target.id for target in chosen[:5])
        raise AskedError(f"{run!r} may be any of {len(chosen)} runs: {some}")
    return chosen[0] if chosen else None


async def cancel_runs(
    reader: LogReader, publishing: Publishing, by: str, targets: Sequence[Target]
) -> None:
    """Put on the logs that these are to end.

    Raises:
        HouseError: If the installation has moved, or is being imported.
        BrokerError: If the broker does not acknowledge it in time, or workers may be too old.
    """
    await see_that_one_may_publish(reader)
    async with publishing() as publisher:
        await _ask(publisher, by, targets)


async def _ask(publisher: RunPublisher, by: str, targets: Sequence[Target]) -> None:
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


def patience_s(targets: Sequence[Target]) -> float:
    """Return how long it may take until runs have ended that were asked to."""
    begun = [target.live.run.grace_s for target in targets if target.live.begun]
    return _PATIENCE_S + max(begun, default=0.0)


async def until_ended(reader: LogReader, targets: Sequence[Target], limit_s: float) -> None:
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


def hint(target: Target) -> str:
    """Return whom a run waits for that has not ended, and where to look."""
    live, cluster = target.live, target.place.cluster
    if not target.place.has_been_heard:
        return (
            f"nobody has written to that part of the log since; start a worker of {cluster}: this "
            "stands on the log, and holds as soon as it is read"
        )
    if live.holder is not None:
        return f"it is {live.state} on {live.holder}; see that worker's log, and its /health"
    return f"see that a worker and a retry worker of {cluster} are there, and healthy"
