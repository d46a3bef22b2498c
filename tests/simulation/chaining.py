"""Jobs that follow others (rule 24): a run is made for each verdict that it follows, once.

In some worlds a job is followed by another, and that by a third. What follows is known by the run
that it follows, which carries it: one that is lacking is seen, and one more than there should be.
Half of them are in another cluster, so that a scheduler hands them over.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.following import following
from cronstream.core.wire.enumerations import Cause, Ending, Verdict
from cronstream.core.wire.runs import Job, Then
from tests.builders import NAMES

if TYPE_CHECKING:
    from tests.simulation.checks import Story
    from tests.simulation.world import World

#: The cluster of what is handed over. Its logs, and so its workers, are those of the only one.
ELSEWHERE: Final = "elsewhere"
#: Share of the worlds in which jobs follow others.
_SHARE: Final = 0.35


def chain(world: "World") -> None:
    """Have jobs of some worlds follow others; not where processes are of an old level."""
    dice = Random(f"{world.seed} chain")
    if dice.random() >= _SHARE or any(process.upgraded_at for process in world.processes):
        return
    names = list(world.file)
    dice.shuffle(names)
    last: Job | None = None
    for name in names[: dice.choice((2, 3))]:
        job = world.file[name]
        if last is not None:
            job = world.file[name] = job.derive(then=[Then(on=dice.choice([*Ending]), job=last)])
        home = dice.choice((job.cluster, ELSEWHERE))
        last = job.derive(effective_from=None, cluster=home)
    for of in (NAMES.log, NAMES.retry_log, NAMES.discarded):
        world.topics.aliases[of(ELSEWHERE)] = of(world.cluster)


def faults_of_chains(world: "World", stories: Mapping[str, "Story"]) -> Iterator[str]:
    """Yield what follows a run and was not made, or was made more than once or without one."""
    expected: set[str] = set()
    for run, story in list(stories.items()):
        if story.last is None or len(story.final) != 1:
            continue
        for one in following(story.last, Verdict(story.final[0])):
            expected.add(one.run.id)
            after = stories.get(one.run.id)
            world.count["runs that followed"] += 1
            if after is None or len(after.final) != 1:
                yield f"{after.final if after else 'nothing'} where {one.run.id} follows {run}"
    for run, story in stories.items():
        is_chained = story.last is not None and story.last.cause is Cause.CHAIN
        if is_chained and run not in expected:
            yield f"follows nothing: {run}"
