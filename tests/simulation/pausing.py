"""Jobs that are paused by people, or by their discarded runs (rule 25).

In some worlds people pause jobs and resume them, whatever else goes wrong meanwhile, and jobs say
after how many discarded runs they are paused. What begins although its job is paused is seen, as is
what is skipped though it is not, an hour that is told twice, and what is published although it was
paused.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import News, SkipNews
from cronstream.core.planning.controls import Controls, steered
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import AUTOMATIC, Cause, ControlAction, SkipReason, Verdict
from cronstream.core.wire.runs import Job, Run, Then
from tests.simulation.log import Log
from tests.simulation.loop import moment, seconds

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Share of the worlds in which jobs are paused.
_SHARE: Final = 0.25
#: A worker hears of a pause within this time, if it is not silent; so does its executor.
_HEARD_S: Final = 1.5
#: What says that a run was skipped since its job is paused.
_PAUSED: Final = f"skipped ({SkipReason.PAUSED.value})"
#: What says that a run was given up since another definition holds.
_GIVEN_UP: Final = "while its job was changed"
#: A definition that pauses is said to hold so long after what is published ahead.
MARGIN: Final = timedelta(seconds=1)


def pause_jobs(world: "World", trouble_s: float) -> None:
    """Draw who pauses what, and when; not where processes are of an old level."""
    dice = Random(f"{world.seed} pauses")
    if dice.random() >= _SHARE or any(process.upgraded_at for process in world.processes):
        return
    world.pauses, world.controls = True, Controls()
    for name, job in world.file.items():
        # What is counted goes with a log's beginning, if its snapshots do.
        after = None if world.lives_on else dice.choice((None, None, 1, 2))
        world.file[name] = job.derive(pause_after=after)
    for _ in range(dice.randint(1, 5)):
        at, name = dice.uniform(0, trouble_s), dice.choice(list(world.file))
        until = dice.choice((None, None, at + dice.uniform(1, 5)))
        retries = dice.random() < 0.4
        world.loop.at(at, partial(_pause, world, name, until, retries=retries))
        resumed_at = at + dice.uniform(0.1, 6)
        if dice.random() < 0.7 and resumed_at < trouble_s:
            world.loop.at(resumed_at, partial(_resume, world, name))
    if dice.random() < 0.5 and not world.lives_on:
        _pause_cluster(world, trouble_s, dice)


def _pause(world: "World", name: str, until: float | None, *, retries: bool) -> None:
    if world.lives_on and any(one.job.name == name for one in _following(world)):
        return  # That it is paused goes with a log's beginning, too, and nobody tells its hours.
    to = None if until is None else moment(until)
    _say(world, name, ControlAction.PAUSE, until=to, retries=retries)
    world.count["pauses"] += 1


def _pause_cluster(world: "World", trouble_s: float, dice: Random) -> None:
    """Pause all jobs for a while, and meanwhile resume one that has failed, and others."""
    failing = dice.choice(list(world.file))
    world.file[failing] = world.file[failing].derive(pause_after=1, max_attempts=1)
    world.specs[failing] = replace(world.specs[failing], lasts_s=0.1, fails=1.0, kills=None)
    at = dice.uniform(trouble_s / 2, trouble_s - 1)
    until = moment(at + dice.uniform(2, 6))
    world.loop.at(at, partial(_say, world, None, ControlAction.PAUSE, until=until))
    world.count["pauses"] += 1
    for name in world.file:
        if name == failing or dice.random() < 0.3:
            resumed_at = dice.uniform(at + 0.1, trouble_s)
            world.loop.at(resumed_at, partial(_resume, world, name))


def _following(world: "World") -> Iterator[Then]:
    for job in world.file.values():
        yield from job.then or ()


def _resume(world: "World", name: str) -> None:
    _say(world, name, ControlAction.RESUME)
    world.count["resumed"] += 1


def _say(
    world: "World",
    name: str | None,
    action: ControlAction,
    until: datetime | None = None,
    *,
    retries: bool = False,
) -> None:
    control = Control(
        action=action,
        cluster=world.cluster,
        by="ada",
        at=moment(world.loop.now),
        job=name,
        until=until,
        retries=retries,
    )
    world.controls.hear(control, world.file.get(name or ""))
    for each in world.file if name is None else (name,):
        world.file[each] = steered(world.file[each], [world.controls])


def stated_from(job: Job, wall: datetime, look_ahead_s: float) -> datetime:
    """Return from when a scheduler says that a definition holds (``scheduler.steering``)."""
    if job.removed or job.paused_to is None:
        return wall
    return wall + timedelta(seconds=look_ahead_s) + MARGIN


def faults_of_pauses(world: "World", ledgers: list[Ledger]) -> Iterator[str]:
    """Yield what pauses have not kept from beginning, or have kept though they should not.

    Args:
        world: Whose logs.
        ledgers: The folds of all its cluster's logs.
    """
    if not world.pauses:
        return
    for log in world.logs_of(retry=False):
        yield from _published(log)
    for ledger in ledgers:
        yield from _told(ledger)
    yield from _stay_halted(world, ledgers)
    halted = {job for ledger in ledgers for job in _halted(ledger)}
    skipped = {n.run.id: n.run for ledger in ledgers for n in _news(ledger) if n.text == _PAUSED}
    world.count["skipped as paused"] += len(skipped)
    chained = sum(run.cause is Cause.CHAIN for run in skipped.values())
    world.count["skipped as paused, behind others"] += chained
    world.count["jobs halted"] += len(halted)
    pauses = _pauses(world)
    yield from _began(world, pauses, skipped)
    for ledger in ledgers:
        yield from _given_up(ledger, pauses)
    for run in skipped.values():
        if run.job not in halted and not any(_covers(one, run) for _, one in pauses[run.job]):
            yield f"skipped as paused, though nothing has paused its job: {run.id}"


def _covers(pause: Withdrawal, run: Run) -> bool:
    """Whether a run that has not begun is skipped by a pause."""
    if pause.paused_to is None:
        return False
    if run.cause is not None:
        return run.not_before < pause.paused_to
    return (run.revision or 0) < pause.revision and run.scheduled_at < pause.paused_to


def _began(world: "World", pauses: "_Pauses", skipped: dict[str, Run]) -> Iterator[str]:
    begun: set[str] = set()
    for start in world.starts:
        run = start.run
        if run.cause not in AUTOMATIC or run.id in begun or start.retry or run.attempt > 1:
            continue
        begun.add(run.id)
        # Of what was lost before it could say that it has begun, nobody knows.
        is_lost = any(who == start.worker and end > start.at for who, _, end in world.silences)
        if run.id in skipped and not (skipped[run.id].attempts or is_lost):
            yield f"started, and yet skipped as paused: {run.id}"
        silent_s = _silent_s(world, start.worker, start.at)
        for at, pause in pauses[run.job]:
            late_s = start.at - at - _HEARD_S - silent_s
            newer = (one for by, one in pauses[run.job] if one.revision > pause.revision)
            if late_s > 0 and _covers(pause, run) and all(_covers(one, run) for one in newer):
                yield f"began {late_s:.3f} s after its job was paused: {run.id}"


def _given_up(ledger: Ledger, pauses: "_Pauses") -> Iterator[str]:
    """What is lost is made again, where nothing but pauses has come since."""
    for news in _news(ledger):
        newer = [said for _, said in pauses[news.run.job] if said.revision > _revision(news.run)]
        is_changed = any(said.paused_to is None and not said.lifts for said in newer)
        if _GIVEN_UP in news.text and not is_changed:
            yield f"given up, though its job was only paused: {news.run.id}"


def _revision(run: Run) -> int:
    return run.revision or 0


def _published(log: Log) -> Iterator[str]:
    """Nothing is published that is due in a pause."""
    paused: dict[tuple[str, int | None], datetime] = {}
    for entry in (entry for _, entries in log.messages for entry in entries):
        match entry:
            case Withdrawal(paused_to=datetime() as to):
                paused[entry.job, entry.revision] = to
            case Run(cause=None) if _is_in(paused, entry):
                yield f"published though it was paused: {entry.id}"
            case _:
                pass


def _told(ledger: Ledger) -> Iterator[str]:
    """Each hour of a pause counts once."""
    told: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for news in ledger.book.news:
        if isinstance(news, SkipNews) and news.reason is SkipReason.PAUSED:
            told[news.job].append((news.from_at, news.to_at))
    for job, spans in told.items():
        for (_, last), (first, _) in pairwise(sorted(spans)):
            if first <= last:
                yield f"told twice, though paused once: {job} from {first}"


def _is_in(paused: dict[tuple[str, int | None], datetime], run: Run) -> bool:
    return run.scheduled_at < paused.get((run.job, run.revision), run.scheduled_at)


_Pauses: TypeAlias = defaultdict[str, list[tuple[float, Withdrawal]]]


def _pauses(world: "World") -> _Pauses:
    """Return when each log has said of a job from when a revision holds, and whether it pauses."""
    found: _Pauses = defaultdict(list)
    for log in world.logs_of(retry=False):
        for at, (_, entries) in zip(log.true_times, log.messages, strict=True):
            for entry in entries:
                if isinstance(entry, Withdrawal):
                    found[entry.job].append((at, entry))
    return found


def _news(ledger: Ledger) -> Iterator[News]:
    for news in ledger.book.news:
        if isinstance(news, News) and news.run.cause in AUTOMATIC:
            yield news


def _halted(ledger: Ledger) -> Iterator[str]:
    """Yield the jobs that were halted: so many runs were discarded one after another."""
    streak: defaultdict[str, int] = defaultdict(int)
    for news in _news(ledger):
        job, after = news.run.job, news.run.pause_after
        if news.run.cause is not None:
            continue
        if news.verdict is Verdict.SUCCEEDED:
            streak[job] = 0
        elif news.verdict is Verdict.DISCARDED and after is not None:
            streak[job] += 1
            if streak[job] >= after:
                yield job


def _stay_halted(world: "World", ledgers: list[Ledger]) -> Iterator[str]:
    """A job that was resumed goes on, once nothing else pauses it."""
    resumed = {
        (job.name, number): job.control.lifted_at
        for number, (_, [job]) in enumerate(world.jobs.messages)
        if job.control is not None and job.control.lifted_at is not None
    }
    for ledger, log in zip(ledgers, world.logs_of(retry=False), strict=True):
        since = {job: mark.paused.halted_at for job, mark in ledger.book.marks.items()}
        for at, entries in log.messages:
            for entry in (entry for entry in entries if isinstance(entry, Withdrawal)):
                halted_at = since.get(entry.job)
                if halted_at is None or at <= halted_at:
                    continue
                if resumed.get((entry.job, entry.revision), halted_at) > halted_at:
                    yield f"stays halted though it was resumed: {entry.job}, since {halted_at}"


def _silent_s(world: "World", worker: str, at: float) -> float:
    """Return how long a worker that has just started something had heard of nothing, about."""
    spans = [
        end - start
        for who, start, end in world.silences
        if who == worker and start <= at <= end + _HEARD_S
    ]
    spans += [end - start for start, end in world.outages if start <= at <= end + _HEARD_S]
    slow = 4 * world.slowest_s + max(timing.fence_s for timing in world.timings)
    return sum(spans) + slow


def paused_last(world: "World") -> float:
    """Return when the last pause that ends by itself is over, in simulated seconds."""
    controls = [job.control for job in world.file.values() if job.control is not None]
    return max((seconds(c.until) for c in controls if c.until is not None), default=0.0)
