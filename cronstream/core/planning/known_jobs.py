"""What all partitions of the ``jobs`` topic say together."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from cronstream.core.planning.controls import Controls, steered
from cronstream.core.planning.recent import Believes, Recent, believe_all
from cronstream.core.wire.installation import House
from cronstream.core.wire.runs import Job

#: What tells whether anything has come, or is thought of otherwise: each partition, as far as read.
State: TypeAlias = tuple[tuple[Recent, int], ...]


class JobsKnown:
    """What the partitions of ``jobs`` say together."""

    def __init__(self, partitions: Iterable[int], believes: Believes = believe_all) -> None:
        self.of = {partition: Recent(believes) for partition in partitions}

    @property
    def state(self) -> State:
        """Is the same as before while nothing has come."""
        return tuple((recent, recent.position) for recent in self.of.values())

    @property
    def installation(self) -> str | None:
        """The id of the installation; None until its topic has said so."""
        return next((r.installation for r in self.of.values() if r.installation), None)

    @property
    def kafka(self) -> str | None:
        """The id of the Kafka that it was begun on, if its topic says so."""
        return next((r.kafka for r in self.of.values() if r.kafka), None)

    @property
    def house(self) -> House | None:
        """The last word on whether processes may work in it: the same on each partition."""
        return next((r.house for r in self.of.values() if r.house), None)

    @property
    def jobs(self) -> list[Job]:
        """The jobs that have not been removed."""
        return [job for recent in self.of.values() for job in recent.in_force()]

    @property
    def controls(self) -> list[Controls]:
        """What people have last asked, by partition, where they have."""
        return [recent.controls for recent in self.of.values() if recent.controls]

    def steered(self, jobs: Iterable[Job], before: Iterable[Job] = ()) -> list[Job]:
        """Return jobs as they are with what people have last asked of them, and their clusters.

        Args:
            jobs: As they are in force, or as a crontab has them.
            before: Those in force, whose words stay where jobs are of a crontab.
        """
        said = self.controls
        words = {job.name: job.control for job in before if job.control is not None}
        if not (said or words):
            return list(jobs)
        kept = (job.derive(control=words[job.name]) if job.name in words else job for job in jobs)
        return [steered(job, said) for job in kept]

    def ahead(self, now: datetime) -> list[Job]:
        """Return definitions, or removals, that hold only from far ahead: see `Recent.ahead`."""
        return [job for recent in self.of.values() for job in recent.ahead(now)]
