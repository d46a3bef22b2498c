"""What is paused, as ``/health`` says it: nothing is wrong, but somebody may have forgotten it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cronstream.core.crontab.change import pause_words
from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time

#: No more sentences are said of them.
_NAMED: Final = 20


def pauses_of(jobs: Iterable[Job]) -> list[str]:
    """Return what definitions pause: a sentence for each job, or for all of a cluster."""
    found, of_cluster = list[str](), Counter[tuple[str, str]]()
    for job in jobs:
        word = job.control
        if not job.enabled:
            found.append(f"job {job.name} is paused by the crontab (enabled: false)")
        elif word is not None and word.job is not None:
            found.append(f"job {job.name} is paused {pause_words(word)}")
        elif word is not None:
            # Which cluster that is, and which of its jobs were resumed, is not said with each.
            words = pause_words(word.derive(job="", resumed_at=None))
            of_cluster[word.cluster, words] += 1
    clusters = [
        f"cluster {cluster} is paused {words}: {number} job{'' if number == 1 else 's'}"
        for (cluster, words), number in of_cluster.items()
    ]
    return _bounded([*sorted(clusters), *sorted(found)])


def halts_of(ledgers: Iterable[Ledger]) -> list[str]:
    """Return which jobs their discarded runs have paused, as ledgers have it."""
    return _bounded(
        sorted(
            f"job {name} is paused by its discarded runs since {_second(mark.paused.halted_at)} "
            f"({mark.paused.discards} in a row, the last {mark.paused.halted_by}): "
            f"'cronstream resume {name}' lets it go on"
            for ledger in ledgers
            for name, mark in ledger.book.marks.items()
            if mark.paused.halted_at is not None and not mark.is_removed
        )
    )


def _second(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))


def _bounded(found: list[str]) -> list[str]:
    more = len(found) - _NAMED
    last = [f"and {more} more: 'cronstream jobs --paused' lists all"] if more > 0 else []
    return [*found[:_NAMED], *last]
