"""Which jobs are overdue: a success was expected by now (``expect_within``), and is not there.

That is judged by the marks of the jobs, so by the owner of the cluster's log alone. Whether a
scheduler publishes nothing, a worker starts nothing or a command fails is all the same to it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from cronstream.core.health.presence import Overdue, Presence
from cronstream.core.ledger.fold import Ledger
from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.times import format_time


def find_overdue(ledger: Ledger, now: datetime) -> Iterator[Overdue]:
    """Yield the jobs of a partition that are overdue."""
    for job, mark in ledger.book.marks.items():
        within_s = mark.expect_within_s
        if within_s is not None and mark.is_overdue(now):
            last = mark.succeeded_at
            is_known = last is not None and last >= mark.watched_since
            since = last if last is not None and is_known else mark.watched_since
            yield Overdue(job=job, since=since, within_s=within_s, has_succeeded=is_known)


def sentence(one: Overdue) -> str:
    """Return what there is to say of a job that is overdue, without the end of a sentence."""
    within, since = format_duration(one.within_s), format_time(one.since)
    seen = "its last success was at" if one.has_succeeded else "none is known, watched since"
    return f"job {one.job} is overdue: a success was expected within {within}, {seen} {since}"


def overdue_of(there: Iterable[Presence]) -> list[tuple[str, Overdue]]:
    """Return the jobs that processes announce as overdue, each once, with its cluster.

    For a moment two may announce the same: who owned its partition, and who does now.
    """
    found = {(who.cluster or "", one.job): one for who in there for one in who.overdue}
    named = sorted(found.items(), key=lambda item: (item[1].since, item[0]))
    return [(cluster, one) for (cluster, _), one in named]


def more_overdue(there: Iterable[Presence]) -> int:
    """Return how many more jobs are overdue than are named."""
    return sum(max(0, who.overdue_jobs - len(who.overdue)) for who in there)
