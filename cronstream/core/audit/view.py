"""One cluster's logs, as they see the runs of a partition that is audited."""

from datetime import datetime
from typing import TYPE_CHECKING

from cronstream.core.audit.audited_run import AuditedRun
from cronstream.core.ledger.state import Refusal, SkipNews
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.runs import Run

if TYPE_CHECKING:
    from cronstream.core.audit.partition import PartitionAudit


class View:
    """Hands on what the logs of one cluster say; see `watched_log`."""

    def __init__(self, audit: "PartitionAudit", cluster: str) -> None:
        self._audit, self._cluster = audit, cluster

    def enter(self, run: Run, at: datetime, *, retry: bool) -> AuditedRun | None:
        """Return what is kept of a run that is live now; None if it is not audited."""
        return self._audit.enter(self._cluster, run, at, retry=retry)

    def audited(self, run_id: str) -> AuditedRun | None:
        """Return what is kept of a run; None if it is not audited, or not known."""
        return self._audit.runs.get((self._cluster, run_id))

    def unknown(self, run_id: str, what: str) -> None:
        """Take an entry that names a run that is not audited."""
        self._audit.name_unknown(self._cluster, run_id, what)

    def skipped(self, skip: SkipNews) -> None:
        """Take a span of due times that was skipped."""
        self._audit.skips[skip.job].append((self._cluster, skip))

    def turned_away(self, refusal: Refusal, at: datetime) -> None:
        """Take what the fold has refused, and when."""
        self._audit.turn_away(self._cluster, refusal, at)

    def hold(self, entry: Withdrawal, at: datetime) -> None:
        """Take from when a revision holds."""
        self._audit.hold(entry, at)

    def repair(self, after: datetime) -> None:
        """Take it that due times after a time may be run once more."""
        self._audit.repair(self._cluster, after)
