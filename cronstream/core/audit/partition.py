"""One partition of all clusters: the due times of its jobs, held against its logs.

A job's messages are on the same partition of every log. Its logs may be taken in any order and in
any pieces, so long as each is taken in its own order; `sweep` between two pieces that end at about
the same time settles what cannot change any more.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.audit.audited_run import AuditedRun
from cronstream.core.audit.chains import Seen, followers
from cronstream.core.audit.closing import Closing
from cronstream.core.audit.definitions import NOT_THERE, JobHistory
from cronstream.core.audit.finding import Finding, Kind, Report, Window
from cronstream.core.audit.known import Known, Unknown
from cronstream.core.audit.refusals import Refusals
from cronstream.core.audit.tally import Tally
from cronstream.core.audit.view import View
from cronstream.core.audit.waiting import TAKEN_UP_WITHIN
from cronstream.core.audit.watched_log import WatchedLog
from cronstream.core.ledger.deadline import start_by
from cronstream.core.ledger.mark import LONG_AGO
from cronstream.core.ledger.state import Refusal, SkipNews
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.timeline import Revision
from cronstream.core.wire.entries import Entry, Withdrawal
from cronstream.core.wire.runs import Discarded, Run
from cronstream.core.wire.times import format_time

#: Nothing is new, to the fold, for due times this far behind a job's mark (``mark.WINDOW``).
BEHIND: Final = timedelta(minutes=15)


class PartitionAudit:
    """What is known of one partition's runs.

    Args:
        histories: The jobs of this partition, by name.
        window: What is audited.
        tally: Counts what is settled.
        report: Is given each finding.
        known: From when on the topics report them.
    """

    def __init__(
        self,
        histories: dict[str, JobHistory],
        window: Window,
        tally: Tally,
        report: Report,
        known: Known,
    ) -> None:
        self._histories, self._window = histories, window
        self._tally, self._known = tally, known
        self._closing = Closing(window, tally, report, known)
        self._logs: dict[tuple[str, bool], WatchedLog] = {}
        self._views: dict[str, View] = {}
        self.runs: dict[tuple[str, str], AuditedRun] = {}
        self.skips: defaultdict[str, list[tuple[str, SkipNews]]] = defaultdict(list)
        self._refusals = Refusals()
        #: What is said of runs that nobody has published, by cluster and run.
        self._strays: dict[tuple[str, str], str] = {}

    # -- what is read ---------------------------------------------------------------------------

    def begin(self, cluster: str, *, retry: bool, from_middle: bool) -> None:
        """Say how a log is going to be read, before its first message is taken."""
        view = self._views.setdefault(cluster, View(self, cluster))
        self._logs[cluster, retry] = WatchedLog(retry=retry, from_middle=from_middle, watcher=view)

    def fold(
        self, cluster: str, retry: bool, offset: int, at: datetime, entries: list[Entry]
    ) -> None:
        """Take one message of a log; each log's in order."""
        self._logs[cluster, retry].ledger.fold(offset, at, entries)

    def fold_discarded(self, cluster: str, record: Discarded) -> None:
        """Take what stands on a cluster's discarded topic."""
        audited = self.runs.get((cluster, record.run.id))
        if audited is not None:
            audited.discards = True
        else:
            self.name_unknown(cluster, record.run.id, "discarded")

    # -- what the logs say ---------------------------------------------------------------------

    def _is_audited(self, job: str, due: datetime) -> bool:
        """Whether a due time is in the window, and not accounted for already."""
        if not self._window.covers(due):
            return False
        history = self._histories.get(job)
        return history is None or history.swept is None or due > history.swept

    def enter(self, cluster: str, run: Run, at: datetime, *, retry: bool) -> AuditedRun | None:
        """Return what is kept of a run that is live on a log now."""
        key = (cluster, run.id)
        audited = self.runs.get(key)
        if audited is None and not retry and (seen := Seen.of(run, at)) is not None:
            self._tally.chains.see(run.id, seen)
        if audited is None:
            if run.cause is None:
                wanted = self._is_audited(run.job, run.scheduled_at)
            else:
                wanted = not retry and self._window.covers(at)
            if not wanted or self._window.job not in (None, run.job):
                return None
            audited = self.runs[key] = AuditedRun.of(run, cluster, None if retry else at)
        if retry:
            audited.forwarded = True
        elif audited.scheduled and (audited.revision != run.revision or audited.withdrawn):
            self._check_asked(audited, run)
            audited.revision, audited.withdrawn, audited.published_at = run.revision, False, at
            audited.start_by, audited.followers = start_by(run), followers(run)
        return audited

    def _check_asked(self, audited: AuditedRun, run: Run) -> None:
        history = self._histories.get(run.job)
        problem = history.problem(run) if history else f"its job {NOT_THERE}"
        if problem is None:
            return
        is_defined = history is not None and history.find(run.revision) is not None
        if not is_defined and self._known.has_lost(run.job, run.revision):
            self._tally.unknown[Unknown.DEFINITION] += 1
            return
        audited.faults.append((Kind.UNASKED, f"{problem}, and no person has asked for it"))

    def name_unknown(self, cluster: str, run_id: str, what: str) -> None:
        """Note what is said of a scheduled run in the window that was never published."""
        job, _, due = run_id.partition("@")
        try:
            moment = datetime.fromisoformat(due)
        except ValueError:
            return  # A run with a cause, which may have been published before the window.
        if self._window.job in (None, job) and moment.tzinfo and self._is_audited(job, moment):
            self._strays.setdefault((cluster, run_id), what)

    def hold(self, entry: Withdrawal, at: datetime) -> None:
        """Take from when a revision holds."""
        history = self._histories.get(entry.job)
        if history is not None:
            history.hold(entry, at)

    def repair(self, cluster: str, after: datetime) -> None:
        """Take it that due times after a time may be run once more: a clock was ahead before."""
        now = self._now()
        for audited in list(self.runs.values()):
            is_beyond = audited.cluster == cluster and audited.scheduled and audited.due > after
            if is_beyond and audited.is_complete(now):
                self._close(audited, now)

    def turn_away(self, cluster: str, refusal: Refusal, at: datetime) -> None:
        """Take what the fold of a log has refused."""
        if self._is_audited(refusal.job, refusal.to_at):
            self._refusals.add(cluster, refusal, at)

    # -- what is settled ------------------------------------------------------------------------

    def sweep(self) -> None:
        """Settle what cannot change any more, by what all logs have said so far."""
        by_job = self._runs_by_job()
        now = self._now()
        for name in by_job.keys() | self._histories.keys():
            bound = min(max(self._high(name), LONG_AGO + BEHIND) - BEHIND, self._window.until)
            runs = by_job.get(name, [])
            history = self._histories.get(name)
            if history is not None:
                self._account(history, runs, bound, now, is_end=False)
            for audited in runs:
                past = audited.due <= bound or not audited.scheduled
                if past and (audited.withdrawn or audited.is_complete(now)):
                    self._close(audited, now)

    def finish(self, now: datetime) -> None:
        """Settle all that is left: everything up to `now` has been read."""
        horizon = min(self._window.until, now)
        by_job = self._runs_by_job()
        for history in self._histories.values():
            runs = by_job.get(history.name, [])
            unheard = history.unheard_from(self._known.read_from)
            until = horizon
            if unheard is not None and now - unheard <= TAKEN_UP_WITHIN:
                until = min(horizon, unheard - TICK)
            self._account(history, runs, until, now, is_end=True)
        for audited in list(self.runs.values()):
            self._close(audited, now)
        for (cluster, run_id), what in self._strays.items():
            job = run_id.partition("@")[0]
            text = f"{what}, though it was never published"
            self._closing.report(Finding(Kind.UNASKED, run_id, job, cluster, text))

    def _runs_by_job(self) -> defaultdict[str, list[AuditedRun]]:
        by_job: defaultdict[str, list[AuditedRun]] = defaultdict(list)
        for audited in self.runs.values():
            by_job[audited.job].append(audited)
        return by_job

    def _now(self) -> datetime:
        return max((log.ledger.book.at for log in self._logs.values()), default=LONG_AGO)

    def _high(self, job: str) -> datetime:
        """Return up to which due time a job has been published."""
        marks = (log.ledger.book.marks.get(job) for log in self._logs.values())
        return max((mark.high for mark in marks if mark is not None), default=LONG_AGO)

    def _account(
        self,
        history: JobHistory,
        runs: Iterable[AuditedRun],
        until: datetime,
        now: datetime,
        *,
        is_end: bool,
    ) -> None:
        """Hold a job's due times, up to one, against what its logs have said."""
        start = history.swept or self._window.since - TICK
        if until <= start:
            return
        told: defaultdict[datetime, list[AuditedRun]] = defaultdict(list)
        for audited in runs:
            if audited.scheduled and not audited.withdrawn:
                told[audited.due].append(audited)
        for due, revision in history.due(start, until):
            if not self._window.includes(revision.job.cluster):
                continue
            here = told.get(due)
            if here:
                history.coalesced = None
                self._check_place(here, revision)
            else:
                self._untold(history, revision, due, now if is_end else None)
        history.swept = until
        if history.name in self.skips:
            kept = [one for one in self.skips[history.name] if one[1].to_at > until]
            self.skips[history.name] = kept
        self._refusals.forget(history.name, until)

    def _check_place(self, runs: list[AuditedRun], revision: Revision) -> None:
        clusters = sorted(audited.cluster for audited in runs)
        if len(clusters) > 1:
            text = f"it is on the logs of {' and '.join(clusters)}"
            runs[0].faults.append((Kind.DOUBLED, text))
        elif clusters[0] != revision.job.cluster:
            text = f"it is on the log of {clusters[0]}, and belongs to {revision.job.cluster}"
            runs[0].faults.append((Kind.UNASKED, text))

    def _untold(
        self, history: JobHistory, revision: Revision, due: datetime, end: datetime | None
    ) -> None:
        """Account for a due time without a run."""
        job, cluster = history.name, revision.job.cluster
        for where, skip in self.skips.get(job, ()):
            if where == cluster and skip.from_at <= due <= skip.to_at:
                self._tally.skip(skip.reason.value)
                self._closing.stood_for(history, revision, due, skip.reason)
                return
        self._tally.due += 1
        run_id = f"{job}@{format_time(due)}"
        withdrawn = self.runs.get((cluster, run_id))
        published_beyond = due <= self._high(job)
        refused = self._refusals.why(cluster, revision, due)
        if refused is not None:
            self._closing.report(Finding(Kind.REFUSED, run_id, job, cluster, refused))
            return
        if end is not None and not published_beyond and self._is_to_come(revision, due, end):
            self._tally.open += 1
            return
        if withdrawn is not None:
            text = "withdrawn by an edit, and nothing has taken its place"
        elif published_beyond:
            text = "never published, though later due times were"
        else:
            text = "never published"
        self._closing.report(Finding(Kind.UNEXPLAINED, run_id, job, cluster, text))

    def _is_to_come(self, revision: Revision, due: datetime, now: datetime) -> bool:
        """Whether schedulers have yet to come to a due time; say so if they take long."""
        if now - revision.told_at(due) <= TAKEN_UP_WITHIN:
            return True
        found = self._known.unpublished(revision, due, now)
        if found is not None:
            self._closing.report(found)
        return found is not None

    def _close(self, audited: AuditedRun, now: datetime) -> None:
        """Be done with a run."""
        del self.runs[audited.cluster, audited.run_id]
        logs = (self._logs.get((audited.cluster, retry)) for retry in (False, True))
        first, later = (None if log is None else log.ledger for log in logs)
        self._closing.close(audited, now, first, later)
