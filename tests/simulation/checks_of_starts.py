"""What was started, and who was silent meanwhile: attempts, overlaps, losses."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from cronstream.core.wire.enumerations import Outcome
from tests.simulation.executor import Start
from tests.simulation.loop import seconds
from tests.simulation.scale import CLOCKS_DIFFER
from tests.simulation.stage import Stage

_FOR_EVER = float("inf")


def faults_of_starts(world: Stage, with_verdict: set[str]) -> Iterator[str]:
    """Yield what is wrong with the commands that were started.

    Args:
        world: Whose commands.
        with_verdict: Ids of the runs that have a verdict.
    """
    starts = defaultdict(list)
    for start in world.starts:
        starts[start.run.id].append(start)
    for run, found in starts.items():
        if run not in with_verdict:
            yield f"started, but without a verdict: {run}"
        yield from _of_run(world, found)


def _of_run(world: Stage, starts: list[Start]) -> Iterator[str]:
    run = starts[0].run.id
    world.count["starts"] += len(starts)
    numbers = [start.run.attempt for start in starts]
    for number, times in Counter(numbers).items():
        if times > 1:
            yield f"attempt {number} started {times} times: {run}"
    for start in starts:
        early = seconds(start.run.not_before) - start.at
        if early > world.may_be_early_s(start):
            yield f"started {early:.3f} s early: {run} attempt {start.run.attempt}"
    for before, after in pairwise(starts):
        yield from _of_two(world, before, after)
    is_as_ever = not any(process.upgraded_at for process in world.processes)
    if is_as_ever and not world.count["clocks of brokers that stepped"]:
        yield from _lost_early(starts[-1])


def _lost_early(start: Start) -> Iterator[str]:
    """Yield attempts that are said to have been lost though they could not have started yet."""
    if start.retry:
        return
    for attempt in start.run.attempts or ():
        early = start.run.scheduled_at - attempt.ended_at
        if attempt.outcome is Outcome.LOST and early > CLOCKS_DIFFER:
            yield f"lost before it could start: {start.run.id} attempt {attempt.attempt}"


def _of_two(world: Stage, before: Start, after: Start) -> Iterator[str]:
    run, once = after.run, after.run.delivery == "at_most_once"
    if once and before.outcome is not Outcome.FAILED:
        yield f"at_most_once, yet started again: {run.id} after it {before.outcome}"
    done = before.outcome is Outcome.SUCCEEDED
    if done and not was_silent(world, before, after.at, or_dead=True):
        yield f"started again after it succeeded: {run.id} attempt {run.attempt}"
    if before.run.attempt >= run.attempt:
        yield f"attempt {run.attempt} started after attempt {before.run.attempt}: {run.id}"
    if before.end is None or before.end > after.at + 0.001:
        world.count["overlaps"] += 1
        if not may_outlive(world, before, after.at):
            yield f"attempts {before.run.attempt} and {run.attempt} at once: {run.id}"


def may_outlive(world: Stage, before: Start, until: float) -> bool:
    """Whether a command may run on beside what was started when its worker was taken for lost.

    A fenced one may only if its executor was stopped: that is all that keeps it from being ended.
    """
    if not was_silent(world, before, until):
        return False
    return not before.run.fence or any(
        process == before.worker and start <= until and before.at <= end
        for process, start, end in world.stopped
    )


def was_silent(world: Stage, before: Start, until: float, *, or_dead: bool = False) -> bool:
    """Whether the first one's worker was cut off or stopped for about a lease meanwhile.

    What it started when it had been silent for longer than the fence nothing explains.
    """
    lease = max(timing.lease_s for timing in world.timings)
    fence = max(timing.fence_s for timing in world.timings)
    spans = [
        (start, end)
        for process, start, end in world.silences
        if process == before.worker and (or_dead or end < _FOR_EVER)
    ]
    may_start = any(before.at <= start + fence + 0.05 for start, _ in spans)
    return may_start and silence(spans, before.at - lease, until) >= about_a_lease(world)


def about_a_lease(world: Stage) -> float:
    """Return the silence that, with messages that take long, may cost a worker its lease."""
    shortest = min(timing.lease_s for timing in world.timings)
    return shortest - world.timing.beat_s - 4 * world.slowest_s - 0.3


def silence(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """Return how long of a time some spans take, together."""
    total, covered = 0.0, start
    for first, last in sorted(spans):
        until = min(last, end)
        if until > max(first, covered):
            total, covered = total + until - max(first, covered), until
    return total
