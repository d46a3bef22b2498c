"""What is in the way of a partition that takes nothing, and what people are shown of it."""

from collections import defaultdict
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from cronstream.core.planning.cursor import Place
from cronstream.core.wire.naming import Names
from cronstream.scheduler.zones import Zoneless


class Fault(Enum):
    """What may be wrong with the partition itself."""

    SILENT = "it has not acknowledged what was sent"
    LEADERLESS = "it has no leader"
    MISSING = "there is no such topic"


#: Or else nothing is wrong with it, but a job that belongs there cannot be read here.
Obstacle: TypeAlias = Fault | Zoneless


def sentences(names: Names, obstacles: Mapping[Place, Obstacle]) -> list[str]:
    """Return what people should know: each log with each obstacle, and the remedy."""
    found: dict[tuple[str, Obstacle], list[int]] = defaultdict(list)
    for place, why in sorted(obstacles.items(), key=lambda each: each[0]):
        found[place.cluster, why].append(place.partition)
    return [_sentence(names, cluster, why, parts) for (cluster, why), parts in found.items()]


def _sentence(names: Names, cluster: str, why: Obstacle, partitions: list[int]) -> str:
    log, which = names.log(cluster), ", ".join(map(str, partitions))
    aside = "what is due there is set aside until"
    if isinstance(why, Zoneless):
        return (
            f"nothing is put on partition {which} of {log} ({why}): {aside} that is read, and all "
            "else goes on; give this machine newer time zones, or let a scheduler take over that "
            "has them"
        )
    remedy = "check the brokers of this partition"
    if why is Fault.MISSING:
        remedy = (
            f"start a worker of cluster {cluster}, which creates it, or take the jobs of that "
            "cluster out of the crontab"
        )
    return (
        f"{log} takes nothing on partition {which} ({why.value}): {aside} it does, and all else "
        f"goes on; {remedy}"
    )
