"""Jobs in a time zone that this machine does not know, though another scheduler's may.

Such a scheduler makes way for one whose time zones are newer, and does not join while that is
there. If none is, it fires all else (`cronstream.scheduler.lagging`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.runs import Job
from cronstream.errors import ZoneError
from cronstream.system import tzdata_version


@dataclass(frozen=True, slots=True)
class Zoneless:
    """A job whose time zone is not known here, and the version of the time zones that are."""

    job: str
    timezone: str
    tzdata: str = field(default_factory=lambda: tzdata_version() or "without a version")

    def __str__(self) -> str:
        return (
            f"time zone {self.timezone!r} of job {self.job!r} is not known here, by tzdata "
            f"{self.tzdata}"
        )


def makes_way(job: Zoneless, other: str) -> str:
    """Return why a scheduler ends, or does not join, for a job that another can read."""
    return f"{job}, and {other} has newer time zones: upgrade them here (pip install -U tzdata)"


def see_to_zones(jobs: Iterable[Job], other: str) -> None:
    """See that the zones of all jobs in force are known here, since `other` has newer ones.

    Raises:
        ZoneError: If one is not: this process is not to join.
    """
    for job in jobs:
        if not _is_known(job.timezone):
            raise ZoneError(makes_way(Zoneless(job.name, job.timezone), other))


def _is_known(zone: str) -> bool:
    try:
        find_zone(zone)
    except ZoneError:
        return False
    return True
