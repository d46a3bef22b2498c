"""A crontab that would take out much of what is in force: it has to say so itself.

An empty file, or half of one, is a good crontab as often as not. So one that lacks most jobs, or
all of a cluster, is not put in force unless it names just that removal, by its mark. A mark fits no
other removal: it does no harm where it is left in the file.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cronstream.core.crontab.change import Change
from cronstream.core.wire.runs import Job

#: Fewer jobs than these are soon written anew.
LEAST: Final = 4
#: No more jobs are named.
_NAMED: Final = 3
#: Never a number to YAML.
_MARK: Final = re.compile(r"[1-9][0-9]*-jobs-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Removal:
    """What a crontab would take out.

    Attributes:
        jobs: The names, in order.
        in_force: How many jobs are in force.
        clusters: Those of which no job would be left.
    """

    jobs: tuple[str, ...]
    in_force: int
    clusters: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What a crontab says that means it: ``7-jobs-3f9a12c4``."""
        digest = sha256("\n".join(self.jobs).encode()).hexdigest()[:8]
        return f"{len(self.jobs)}-jobs-{digest}"

    def __str__(self) -> str:
        """``7 of the 10 jobs in force (a, b, c, …), all of cluster b``."""
        named = ", ".join(self.jobs[:_NAMED]) + (", …" if len(self.jobs) > _NAMED else "")
        all_of = "".join(f", all of cluster {name}" for name in self.clusters)
        return f"{len(self.jobs)} of the {self.in_force} jobs in force ({named}){all_of}"


def unmeant_removal(in_force: Collection[Job], change: Change, allowed: str) -> Removal | None:
    """Return what a change would take out, if that is much, and the crontab does not mean it.

    Args:
        in_force: The jobs that are in force.
        change: What the crontab would change.
        allowed: The mark of the removal that it means; empty if it means none.
    """
    if len(in_force) < LEAST:
        return None
    before = Counter(job.cluster for job in in_force)
    gone = Counter(job.cluster for job in change.removed)
    filled = {job.cluster for job in [*change.added, *change.changed]}
    emptied = sorted(name for name in gone if gone[name] == before[name] and name not in filled)
    if not emptied and 2 * len(change.removed) <= len(in_force):
        return None
    jobs = tuple(sorted(job.name for job in change.removed))
    removal = Removal(jobs, len(in_force), tuple(emptied))
    return None if removal.mark == allowed else removal


def mark_fault(value: object) -> str:
    """Return what is wrong with a mark in a crontab; empty if nothing is."""
    if isinstance(value, str) and _MARK.fullmatch(value):
        return ""
    return (
        "'allow_removals' is not the mark of a removal, such as 7-jobs-3f9a12c4; write the one "
        "that 'cronstream plan' gives, or take the key out"
    )
