"""Due times that were missed (rule 23), and what is made up for: once or each, and never as a herd.

In some worlds jobs say so, and catch-ups move in steps of a few due times, between which a
scheduler may die. And people ask for due times of the past: two of them for the same, now and then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from cronstream.core.planning.due import Shard
from cronstream.core.planning.pace import JOB_EVERY, SHARD_EVERY
from cronstream.core.planning.plan import Plan
from cronstream.core.wire.entries import Level, Skip, Withdrawal
from cronstream.core.wire.enumerations import Cause, Missed, SkipReason
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Share of the worlds in which jobs are made up for, and in which people ask for backfills.
_SHARE: Final = 0.4
_BACKFILLS: Final = 0.2
#: Steps of a catch-up there.
_STEPS: Final = (2, 5, 10_000)


class Planned(NamedTuple):
    """What a scheduler was about to publish.

    Attributes:
        who: The process.
        shard: What it knew; another one after each time that it took the shard over.
    """

    who: str
    shard: Shard
    plan: Plan


def make_up(world: "World") -> None:
    """Have the jobs of some worlds made up for; not where processes are of an old level."""
    dice = Random(f"{world.seed} make up")
    if any(process.upgraded_at for process in world.processes):
        return
    if dice.random() < _SHARE:
        world.step_of_catch_up = dice.choice(_STEPS)
        for name, job in world.file.items():
            grace_s, missed = dice.choice((0.0, 1.5, job.missed_grace_s)), dice.choice(list(Missed))
            world.file[name] = job.derive(missed=missed, missed_grace_s=grace_s)
            if missed is Missed.ONCE:
                # So that several due times of an outage are within their grace.
                world.file[name] = world.file[name].derive(schedule="@every 1s")
    if dice.random() < _BACKFILLS:
        at, name = dice.uniform(0.5, 5.0), dice.choice(sorted(world.file))
        world.loop.at(at, partial(world.backfill, name))


def knows_backfills(world: "World") -> bool:
    """Whether both logs of a job may have what a person asks for."""
    logs = [log for retry in (False, True) for log in world.logs_of(retry=retry)]
    return all(
        any(isinstance(entry, Level) for _, entries in log.messages for entry in entries)
        for log in logs
    )


def faults_of_making_up(world: "World", due: set[tuple[str, datetime]]) -> Iterator[str]:
    """Yield what was made up for and should not have been, not, twice, or too fast."""
    of_job: defaultdict[str, list[datetime]] = defaultdict(list)
    for job, moment in sorted(due):
        of_job[job].append(moment)
    runs, skips = _on_the_logs(world)
    made_up = {run.id: run for run in runs if run.cause is None and run.as_of is not None}
    world.count["made up for"] += len(made_up)
    world.count["coalesced"] += sum(s.count for s in skips if s.reason is SkipReason.COALESCED)
    yield from _too_fast(world)
    yield from _not_once(world)
    for skip in skips:
        if skip.reason is SkipReason.MISSED and world.file[skip.job].missed is Missed.ALL:
            yield f"missed, and not made up for: {skip.job} {skip.from_at} to {skip.to_at}"
    for run in made_up.values():
        missed = world.file[run.job].missed
        if missed is Missed.SKIP:
            yield f"made up for, though its job skips what was missed: {run.id}"
        elif missed is Missed.ONCE and _had_a_later(world, run, of_job[run.job]):
            yield f"made up for, though a later one had been missed, too: {run.id}"
    yield from _backfilled_twice(world)


def _had_a_later(world: "World", run: Run, due: list[datetime]) -> bool:
    """Whether a later due time had come when a run was made up for, as far as was known."""
    assert run.as_of is not None
    for number, (_, [job]) in enumerate(world.jobs.messages):
        if job.name == run.job and number > (run.revision or 0) and job.effective_from <= run.as_of:
            return False
    return any(run.scheduled_at < moment <= run.as_of for moment in due)


def _on_the_logs(world: "World") -> tuple[list[Run], list[Skip]]:
    entries = [
        entry
        for log in world.logs_of(retry=False)
        for _, entries in log.messages
        for entry in entries
    ]
    runs = [entry for entry in entries if isinstance(entry, Run)]
    return runs, [entry for entry in entries if isinstance(entry, Skip)]


def _too_fast(world: "World") -> Iterator[str]:
    """Of what one scheduler gives out, each starts a while after the one before."""
    given: dict[tuple[str, int], dict[datetime, list[Run]]] = {}
    for who, shard, plan in world.planned:
        # A plan that is made again takes the place of the one before.
        given.setdefault((who, id(shard)), {})[plan.base.at] = [
            entry
            for _, entry in plan.messages
            if isinstance(entry, Run) and entry.as_of is not None
        ]
    for plans in given.values():
        last: datetime | None = None
        of_job: dict[str, datetime] = {}
        runs = (run for of_plan in plans.values() for run in of_plan)
        for run in sorted(runs, key=lambda run: run.not_before):
            before = of_job.get(run.job)
            of_job[run.job], at = run.not_before, run.not_before
            if before is not None and at - before < JOB_EVERY:
                yield f"two of a job within {(at - before).total_seconds()} s: {run.id}"
            if last is not None and at - last < SHARD_EVERY:
                yield f"made up for {(at - last).total_seconds()} s after the one before: {run.id}"
            last = at


def _not_once(world: "World") -> Iterator[str]:
    """Of what one run is to stand for, exactly one is run."""
    for _, _, plan in world.planned:
        noted = plan.base.noted
        if noted is None:
            continue
        entries = [entry for _, entry in plan.messages]
        edited = {entry.job for entry in entries if isinstance(entry, Withdrawal)}
        late = Counter(
            entry.job
            for entry in entries
            if isinstance(entry, Run) and plan.base.at < entry.scheduled_at <= noted.now
        )
        for job in sorted(_given_way(plan) - edited):
            if late[job] > 1 or (late[job] == 0 and plan.cursor.at >= noted.now):
                yield f"run {late[job]} times for one outage: {job}, up to {noted.now}"


def _given_way(plan: Plan) -> set[str]:
    """Return the jobs of which some due times go for a later one."""
    skips = [entry for _, entry in plan.messages if isinstance(entry, Skip)]
    coalesced = [skip for skip in skips if skip.reason is SkipReason.COALESCED]
    return {skip.job for skip in coalesced if skip.to_at > plan.base.at}


def _backfilled_twice(world: "World") -> Iterator[str]:
    """What two people ask for is run once."""
    begun: defaultdict[tuple[str, datetime], set[str]] = defaultdict(set)
    for start in world.starts:
        if start.run.cause is Cause.BACKFILL:
            begun[start.run.job, start.run.scheduled_at].add(start.run.id)
    world.count["backfilled"] += len(begun)
    for (job, moment), ids in begun.items():
        if len(ids) > 1:
            yield f"backfilled {len(ids)} times: {job}@{format_time(moment)}"
