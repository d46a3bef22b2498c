"""Looks, every few seconds, for jobs that are overdue in the partitions that a worker owns."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cronstream import clock
from cronstream.core.health.overdue import find_overdue, sentence
from cronstream.core.health.presence import Overdue
from cronstream.core.protocol.member import Member
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Between two looks, each of which takes a moment where there are very many jobs.
_LOOK_S: Final = 5.0
#: Jobs that have a line, or a sentence, of their own: all of a cluster may be overdue at once.
_NAMED: Final = 20


class OverdueWatch:
    """Watches the jobs of one worker's partitions; of a retry worker's there are none."""

    def __init__(self, member: Member, now: Callable[[], datetime] = clock.now) -> None:
        self._member, self._now, self._looked_at = member, now, float("-inf")
        self._found: dict[int, dict[str, Overdue]] = {}

    @property
    def jobs(self) -> list[Overdue]:
        """The jobs that were overdue when it last looked, the longest first."""
        found = [one for of in self._found.values() for one in of.values()]
        return sorted(found, key=lambda one: (one.since, one.job))

    def sentences(self) -> tuple[str, ...]:
        """Return what people should see to."""
        jobs = self.jobs
        more = [f"{len(jobs) - _NAMED} more jobs are overdue"] if len(jobs) > _NAMED else []
        return (*map(sentence, jobs[:_NAMED]), *more)

    def look(self, mono: float) -> None:
        """Look, if it is time to; what another worker owns is that one's to report."""
        if mono - self._looked_at < _LOOK_S or self._member.rebalancing:
            return
        self._looked_at, before, now = mono, self._found, self._now()
        ready = {p: x.ledger for p, x in self._member.owners.items() if x.ready}
        self._found = {
            partition: {one.job: one for one in find_overdue(ledger, now)}
            for partition, ledger in ready.items()
        }
        new = {
            job: one
            for partition, of in self._found.items()
            for job, one in of.items()
            if job not in before.get(partition, {})
        }
        _log_new(new)
        for partition, jobs in before.items():
            for job in sorted(jobs.keys() - self._found.get(partition, jobs).keys()):
                about = fields("overdue-no-more", job=job)
                logger.info("job %s is no longer overdue", job, extra=about)


def _log_new(found: Mapping[str, Overdue]) -> None:
    """Log each job that has become overdue, with a line for the rest if there are very many."""
    for job in sorted(found)[:_NAMED]:
        logger.warning("%s", sentence(found[job]), extra=fields("overdue", job=job))
    if len(found) > _NAMED:
        about = fields("overdue")
        logger.warning("%d more jobs are overdue", len(found) - _NAMED, extra=about)
