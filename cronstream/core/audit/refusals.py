"""Runs that were published, and refused by the fold: no worker will ever make them."""

from collections import defaultdict
from datetime import datetime

from cronstream.core.ledger.mark import OUTDATED, UNKNOWN
from cronstream.core.ledger.state import Refusal
from cronstream.core.planning.timeline import Revision
from cronstream.core.wire.times import format_time


class Refusals:
    """What the logs of a partition have refused for a revision that they do not know."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[tuple[str, Refusal, datetime]]] = defaultdict(list)

    def add(self, cluster: str, refusal: Refusal, at: datetime) -> None:
        """Take one; where a newer revision holds, or its sender sends it again, nothing is lost."""
        if refusal.why in (UNKNOWN, OUTDATED):
            self._of[refusal.job].append((cluster, refusal, at))

    def why(self, cluster: str, revision: Revision, due: datetime) -> str | None:
        """Return what has become of a due time whose run, or skip, was refused."""
        for where, refusal, at in self._of.get(revision.job.name, ()):
            is_its = where == cluster and refusal.revision == revision.number
            if is_its and refusal.from_at <= due <= refusal.to_at:
                when = format_time(at.replace(microsecond=0))
                why = "knows a newer one" if refusal.why == OUTDATED else "does not know it"
                return f"published at {when}, and refused for its revision: the log {why}"
        return None

    def forget(self, job: str, until: datetime) -> None:
        """Let go of due times of a job that are settled."""
        if job in self._of:
            self._of[job] = [one for one in self._of[job] if one[1].to_at > until]
