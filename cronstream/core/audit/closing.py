"""What is made of a run once the logs have said all of it: its count, and its faults."""

from datetime import datetime

from cronstream.core.audit.audited_run import AuditedRun, lateness, losses, problems
from cronstream.core.audit.definitions import JobHistory
from cronstream.core.audit.finding import Finding, Kind, Report, Window
from cronstream.core.audit.known import Known
from cronstream.core.audit.tally import Tally
from cronstream.core.audit.waiting import unexplained_wait
from cronstream.core.ledger.fold import Ledger
from cronstream.core.planning.timeline import Revision
from cronstream.core.wire.enumerations import SkipReason, Verdict
from cronstream.core.wire.times import format_time


class Closing:
    """Counts runs and reports them; for the arguments see `PartitionAudit`."""

    def __init__(self, window: Window, tally: Tally, report: Report, known: Known) -> None:
        self._window, self._tally = window, tally
        self._report, self._known = report, known

    def close(
        self, audited: AuditedRun, now: datetime, first: Ledger | None, later: Ledger | None
    ) -> None:
        """Count a run, and report what is wrong with it.

        Args:
            audited: What the logs have said of it.
            now: The logs' time.
            first: The fold of its cluster's log, if that was read.
            later: Likewise of its retry log.
        """
        self._tally.unknown.update(self._known.look(audited))
        if not audited.withdrawn:
            self._count(audited, now, first, later)
        for finding in (*problems(audited, now), *losses(audited)):
            self.report(finding)
        delay_s, late = lateness(audited, self._window.late_after_s)
        if delay_s is not None:
            self._tally.start(audited.cluster, delay_s)
        if late is not None:
            self._tally.late[late.facts["by"]] += 1
            self.report(late)

    def stood_for(
        self, history: JobHistory, revision: Revision, due: datetime, reason: SkipReason
    ) -> None:
        """Take it that a due time was skipped; one that a later one is to stand for needs that."""
        before, history.coalesced = history.coalesced, None
        if reason is SkipReason.COALESCED:
            history.coalesced = due, revision.number
        elif before is not None and before[1] == revision.number:
            run_id = f"{history.name}@{format_time(before[0])}"
            text = "skipped for a later due time (coalesced), and that was skipped as well"
            cluster = revision.job.cluster
            self.report(Finding(Kind.UNEXPLAINED, run_id, history.name, cluster, text))

    def report(self, finding: Finding) -> None:
        """Count a finding, and report it."""
        self._tally.found[finding.kind] += 1
        self._report(finding)

    def _count(
        self, audited: AuditedRun, now: datetime, first: Ledger | None, later: Ledger | None
    ) -> None:
        tally = self._tally
        tally.due += 1
        tally.requested += not audited.scheduled
        if audited.verdict is not None:
            follow = audited.followers.get(audited.verdict, ())
            at = audited.settled_at or now
            tally.chains.expect(follow, audited.run_id, at)
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
            self.report(audited.finding(Kind.WAITING, text, past_due_s=past_due_s))
