"""What is made of a run of which the logs have told all: it is counted, and its faults are told."""

from datetime import datetime

from cronstream.core.audit.audited_run import AuditedRun, lateness, losses, problems
from cronstream.core.audit.finding import Finding, Kind, Report, Window
from cronstream.core.audit.known import Known
from cronstream.core.audit.tally import Tally
from cronstream.core.audit.waiting import unexplained_wait
from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.enumerations import Verdict


class Closing:
    """Counts runs and tells of them; for the arguments see `PartitionAudit`."""

    def __init__(self, window: Window, tally: Tally, report: Report, known: Known) -> None:
        self._window, self._tally = window, tally
        self._report, self._known = report, known

    def close(
        self, audited: AuditedRun, now: datetime, first: Ledger | None, later: Ledger | None
    ) -> None:
        """Count a run, and tell what is wrong with it.

        Args:
            audited: What the logs have told of it.
            now: The logs' time.
            first: The fold of its cluster's log, if that was read.
            later: Likewise of its retry log.
        """
        self._tally.unknown.update(self._known.look(audited))
        if not audited.withdrawn:
            self._count(audited, now, first, later)
        for finding in (*problems(audited, now), *losses(audited)):
            self.tell(finding)
        delay_s, late = lateness(audited, self._window.late_after_s)
        if delay_s is not None:
            self._tally.start(audited.cluster, delay_s)
        if late is not None:
            self._tally.late[late.facts["by"]] += 1
            self.tell(late)

    def tell(self, finding: Finding) -> None:
        """Count a finding, and report it."""
        self._tally.found[finding.kind] += 1
        self._report(finding)

    def _count(
        self, audited: AuditedRun, now: datetime, first: Ledger | None, later: Ledger | None
    ) -> None:
        tally = self._tally
        tally.due += 1
        tally.asked += not audited.scheduled
        if audited.verdict is not None:
            tally.verdicts[audited.verdict.value] += 1
            if audited.verdict is Verdict.SKIPPED:
                tally.skipped[audited.reason] += 1
            return
        tally.open += 1
        if self._window.has_moved:
            return
        text = unexplained_wait(first, later, audited.run_id, now)
        if text is not None and not audited.has_lost_retries:
            past_due_s = (now - audited.due).total_seconds()
            self.tell(audited.finding(Kind.WAITING, text, past_due_s=past_due_s))
