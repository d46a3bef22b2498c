"""By whom jobs are paused, why and until when, as their definitions say."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cronstream.core.wire.runs import Job

#: By whom a job with ``enabled: false`` is paused.
THE_CRONTAB: Final = "the crontab"


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
