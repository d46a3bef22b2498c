"""What was started of jobs whose runs may not overlap (rule 17)."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise

from cronstream.core.ledger.state import at_once
from cronstream.core.wire.enumerations import Cause, Outcome, Overlap
from tests.simulation.checks_of_starts import silence, was_silent
from tests.simulation.executor import Start
from tests.simulation.several import too_many
from tests.simulation.world import World

#: After the trouble, whoever was stopped or cut off has come back and read everything.
_BACK_S = 12.0


def faults_of_overlap(world: World, skipped: set[str]) -> Iterator[str]:
    """Yield where runs of a job overlapped, or took a wrong turn.

    Args:
        world: Whose commands.
        skipped: Ids of the runs that were skipped because of their overlap policy.
    """
    world.count["skipped for overlap"] += len(skipped)
    jobs: defaultdict[str, list[Start]] = defaultdict(list)
    for start in world.starts:
        jobs[start.run.job].append(start)
        policy = start.run.overlap
        if start.run.id in skipped:
            world.count["replaced"] += 1
            if policy is not Overlap.REPLACE:
                yield f"begun, and yet skipped ({policy}): {start.run.id}"
            elif start.outcome is Outcome.SUCCEEDED and not _was_lost(world, start):
                yield f"succeeded, and yet skipped: {start.run.id}"
    for job, starts in jobs.items():
        policy = world.file[job].overlap
        if policy is not Overlap.ALLOW:
            yield from _of_job(world, starts)
        if policy is Overlap.QUEUE:
            yield from _out_of_order(starts, world.trouble_until)


def _was_lost(world: World, start: Start) -> bool:
    """Whether its worker may have been lost before its word came through that it succeeded.

    In an outage no word comes through.
    """
    end = start.at if start.end is None else start.end
    outage = silence(world.outages, end, float("inf"))
    return was_silent(world, start, end + outage + 2 * world.timing.lease_s, or_dead=True)


def _of_job(world: World, starts: list[Start]) -> Iterator[str]:
    for i, after in enumerate(starts):
        for before in too_many(world, starts, i):
            yield f"at once: {before.run.id} and {after.run.id} at {after.at:.3f}"
    if any(at_once(start.run) > 1 for start in starts):
        return
    runs = [run for run, _ in groupby(start.run.id for start in starts)]
    for run in {run for run in runs if runs.count(run) > 1}:
        yield f"others began between its attempts: {run}"


def _out_of_order(starts: list[Start], trouble_until: float) -> Iterator[str]:
    # What follows another comes to its line when that is over; where several are under way, one
    # that was lost before it began is behind those that were let begin beside it.
    in_line = [s for s in starts if s.run.cause is not Cause.CHAIN and at_once(s.run) == 1]
    firsts = {start.run.id: start for start in reversed(in_line)}
    calm = [s for s in in_line if firsts[s.run.id] is s and s.at > trouble_until + _BACK_S]
    for before, after in pairwise(calm):
        if before.run.not_before > after.run.not_before:
            yield f"out of order: {before.run.id} before {after.run.id}"


def faults_of_cancelled(world: World, last: dict[str, int]) -> Iterator[str]:
    """Yield what was made again though it was cancelled.

    Args:
        world: Whose commands.
        last: The attempt of each cancelled run that was the last to be made.
    """
    world.count["cancelled"] += len(last)
    for start in world.starts:
        if start.run.attempt > last.get(start.run.id, start.run.attempt):
            yield f"cancelled, yet attempt {start.run.attempt} was made: {start.run.id}"
