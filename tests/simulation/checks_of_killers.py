"""Commands that end what runs them: each is stopped in the end, and no other pays for it."""

from collections import Counter
from collections.abc import Iterator

from cronstream.core.ledger.state import MAX_DEATHS, MAX_LOSSES
from cronstream.core.wire.enumerations import Outcome
from tests.simulation.world import World

#: How the reason of a discard says that executors have died with it.
_OF_ITS_OWN = " of its own"
#: What a run ends on one log, at most, from one failure to the next: a worker when nobody is sure
#: of it yet, those that count, and the one that is too many; an executor that others may have been
#: near, and those of its own.
_MOST = (1 + MAX_LOSSES + 1) + (1 + MAX_DEATHS)


def faults_of_killers(world: World) -> Iterator[str]:
    """Yield which killers went on, and who was taken for one and is none."""
    for log in world.topics.of(f"{world.cluster_topic}.discarded"):
        for _, [discarded] in log.messages:
            run = discarded.run
            is_to_blame = world.spec(run.job).is_killer(run)
            if world.struck_alone[run.id] >= MAX_DEATHS:
                continue  # Nobody can tell that from a killer.
            if _OF_ITS_OWN in discarded.reason and not is_to_blame:
                yield f"discarded for what another has done: {run.id}"
    killed = Counter(
        (start.run.id, start.retry, start.run.attempts_left)
        for start in world.starts
        if start.outcome is Outcome.LOST and world.spec(start.run.job).is_killer(start.run)
    )
    world.count["killed"] += killed.total()
    if any(process.upgraded_at for process in world.processes):
        return  # On a log of level 1 nobody can say that an executor has died.
    for (run_id, _, _), times in killed.items():
        if times > _MOST:
            yield f"ended {times} workers or executors: {run_id}"
