"""Jobs in a time zone that this machine does not know, though another scheduler's may.

Such a scheduler makes way for one whose time zones are newer, and does not join while that is
there. If none is, it fires all else (`cronstream.scheduler.lagging`).
"""

from collections.abc import Iterable

from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.runs import Job
from cronstream.errors import ZoneError
from cronstream.system import tzdata_version

#: How each sentence of `zoneless` begins.
ZONELESS = "time zone "


def zoneless(job: Job) -> str:
    """Return a sentence that says that a job's time zone is not known here."""
    tzdata = tzdata_version() or "without a version"
    return f"{ZONELESS}{job.timezone!r} of job {job.name!r} is not known here, by tzdata {tzdata}"


def makes_way(sentence: str, other: str) -> str:
    """Return why a scheduler ends, or does not join, by a sentence of `zoneless`."""
    return (
        f"{sentence}, and {other} has newer time zones: upgrade them here (pip install -U tzdata)"
    )


def see_to_zones(jobs: Iterable[Job], other: str) -> None:
    """See that the zones of all jobs in force are known here, since `other` has newer ones.

    Raises:
        ZoneError: If one is not: this process is not to join.
    """
    for job in jobs:
        if not _is_known(job.timezone):
            raise ZoneError(makes_way(zoneless(job), other))


def _is_known(zone: str) -> bool:
    try:
        find_zone(zone)
    except ZoneError:
        return False
    return True
