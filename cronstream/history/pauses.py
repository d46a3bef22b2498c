"""By whom jobs are paused, why and until when: as their definitions say, and the ledgers."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Job
from cronstream.history.live import LiveLedger
from cronstream.history.scope import LogReader

#: By whom a job with ``enabled: false`` is paused.
THE_CRONTAB: Final = "the crontab"
#: By whom one with ``pause_after`` is.
ITS_RUNS: Final = "its discarded runs"


def said(job: Job, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the pauses that a definition says."""
    about = {"job": job.name, "cluster": job.cluster}
    if not job.enabled:
        why = {"reason": "enabled: false", "until": None, "retries": False}
        yield {**about, "by": THE_CRONTAB, "since": None, **why}
    word = job.control
    if word is not None and word.is_pause and now < word.ends_at:
        where = f"cluster {word.cluster}" if word.job is None else ""
        reason = ", ".join(filter(None, (where, word.reason))) or None
        since = {"since": word.at, "until": word.until, "retries": word.retries}
        yield {**about, "by": word.by, "reason": reason, **since}


async def halted(
    reader: LogReader,
    cluster: str,
    jobs: Mapping[str, Job],
    among: Collection[int] | None = None,
) -> list[dict[str, Any]]:
    """Return the jobs that their discarded runs have paused, by the ledger of their cluster.

    Args:
        reader: Connected.
        cluster: Whose ledger is looked at.
        jobs: Those in force, by name.
        among: Only those on these partitions of the ledger.
    """
    role = Role.of(cluster, retry=False)
    there = await reader.partitions(reader.names.log_of(role))
    partitions = [number for number in there if among is None or number in among]
    live = await LiveLedger.of_log(reader, role, partitions) if partitions else []
    return [
        {
            "job": name,
            "cluster": cluster,
            "by": ITS_RUNS,
            "since": mark.paused.halted_at,
            "reason": f"{mark.paused.discards} in a row, the last {mark.paused.halted_by}",
            "until": None,
            "retries": False,
        }
        for one in live
        for name, mark in one.ledger.book.marks.items()
        if mark.paused.halted_at is not None and name in jobs and jobs[name].cluster == cluster
    ]
