"""One run, from its publication to its verdict, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from cronstream.core.audit import deadlines
from cronstream.core.audit.chains import Named, followers
from cronstream.core.audit.claims import Claim, Claims, End
from cronstream.core.audit.finding import Finding, Kind
from cronstream.core.ledger.deadline import start_by
from cronstream.core.wire.enumerations import FAILURES, Delivery, Outcome, Overlap, Verdict
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time

#: A start may be this much before its time: times on the logs are rounded.
_EARLY: Final = timedelta(milliseconds=5)
#: The same, for one that only the end of the attempt reports: two clocks may be involved.
_EARLY_BY_END: Final = timedelta(milliseconds=250)
#: A start that is on the log this long before its time was made by a clock that is wrong.
EARLY_ON_LOG: Final = timedelta(seconds=1)
#: What a lost worker has to report is waited for until this long after the verdict, by the log.
LINGER: Final = timedelta(minutes=10)
#: What stands on one topic and is missing on another may still be on its way for this long.
ON_ITS_WAY: Final = timedelta(seconds=30)


@dataclass(slots=True)
class AuditedRun:
    """What is kept of a run that is audited.

    Attributes:
        due: The time its schedule names (UTC).
        not_before: When its first attempt was to start (UTC); later than `due` for a replay.
        published_at: When it came on the cluster's log; None if only the retry log knows it.
        scheduled: Whether its schedule asked for it, and no person.
        revision: Of the run that entered last.
        withdrawn: Whether an edit took it away, and nothing has taken its place yet.
        verdicts: On the cluster's log, in their order.
        start_by: Until when it may start; None if whenever it can.
        followers: What follows it, by its verdict.
        reason: Why it was skipped.
        settled_at: When the first verdict came, by the log's clock.
        forwarded: Whether a later attempt has come on the retry log.
        retried_at: When its later attempts were handed to the retry log, by the log's clock.
        has_lost_retries: Whether what the retry log had of it has been deleted.
        has_lost_discard: Whether it may have been on the discarded topic, which was deleted.
        retry_verdict: What the retry log says became of it.
        discards: Whether it is on the discarded topic.
        faults: What was found while its logs were read.
    """

    run_id: str
    job: str
    cluster: str
    due: datetime
    not_before: datetime
    published_at: datetime | None
    scheduled: bool
    revision: int | None = None
    withdrawn: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    start_by: datetime | None = None
    followers: dict[Verdict, tuple[Named, ...]] = field(default_factory=dict)
    reason: str = ""
    settled_at: datetime | None = None
    forwarded: bool = False
    retried_at: datetime | None = None
    has_lost_retries: bool = False
    has_lost_discard: bool = False
    retry_verdict: Verdict | None = None
    discards: bool = False
    claims: Claims = field(default_factory=Claims)
    faults: list[tuple[Kind, str]] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run, cluster: str, published_at: datetime | None) -> "AuditedRun":
        """Return what is kept of a run just read on a cluster's log, whatever cluster it says."""
        at_most_once = run.delivery is Delivery.AT_MOST_ONCE
        no_overlap = run.overlap is not Overlap.ALLOW
        return cls(
            run_id=run.id,
            job=run.job,
            cluster=cluster,
            due=run.scheduled_at,
            not_before=run.not_before,
            published_at=published_at,
            scheduled=run.cause is None,
            start_by=start_by(run),
            followers=followers(run),
            claims=Claims(at_most_once=at_most_once, no_overlap=no_overlap),
        )

    @property
    def verdict(self) -> Verdict | None:
        """What became of it; None while that is open."""
        return self.verdicts[0] if self.verdicts else None

    def settle(self, verdict: Verdict, at: datetime) -> None:
        """Take a verdict of the cluster's log."""
        self.verdicts.append(verdict)
        self.settled_at = self.settled_at or at

    def is_complete(self, now: datetime) -> bool:
        """Whether nothing more is to be expected of it, `now` by the log's clock."""
        if self.settled_at is None:
            return False
        if self.forwarded and self.retry_verdict is None:
            return False
        if self.verdict is Verdict.DISCARDED and not self.discards:
            return False
        lost = any(claim.was_lost for claim in self.claims.of)
        return not lost or now - self.settled_at > LINGER

    def finding(self, kind: Kind, text: str, **facts: Any) -> Finding:
        """Return a finding about it."""
        return Finding(kind, self.run_id, self.job, self.cluster, text, facts)

    @property
    def first_start(self) -> Claim | None:
        """The claim under which it was started first."""
        return next(iter(self.claims.started), None)


def problems(audited: AuditedRun, end: datetime) -> Iterator[Finding]:
    """Yield what breaks a promise about a run.

    Args:
        audited: All that has been read of it.
        end: Up to when its logs have been read.
    """
    for kind, text in dict.fromkeys(audited.faults):
        yield audited.finding(kind, text)
    for text in dict.fromkeys(() if audited.has_lost_retries else audited.claims.faults):
        yield audited.finding(Kind.DOUBLED, text)
    if audited.published_at is None:
        yield audited.finding(Kind.UNASKED, "a later attempt of a run that was never published")
    if len(audited.verdicts) > 1:
        both = " and ".join(audited.verdicts)
        yield audited.finding(Kind.DOUBLED, f"it has {len(audited.verdicts)} verdicts: {both}")
    yield from _starts(audited)
    if not audited.has_lost_retries:
        yield from _numbers(audited, end)
    yield from _contradictions(audited, end)


def _starts(audited: AuditedRun) -> Iterator[Finding]:
    started = audited.claims.started
    for before, after in pairwise(started):
        if before.attempt == after.attempt:
            text = f"attempt {after.attempt} was started by {before.worker} and {after.worker}"
            yield audited.finding(Kind.DOUBLED, text, attempt=after.attempt)
        elif audited.claims.at_most_once and before.outcome not in FAILURES:
            text = f"at_most_once, and attempt {after.attempt} was started after {_ended(before)}"
            yield audited.finding(Kind.DOUBLED, text, attempt=after.attempt)
    for claim in started:
        early = _early(claim)
        if early > 0:
            text = f"attempt {claim.attempt} was started {early:.3f} s early by {claim.worker}"
            facts = {"attempt": claim.attempt, "worker": claim.worker, "early_s": early}
            yield audited.finding(Kind.EARLY, text, **facts)
    skipped_at = audited.settled_at if deadlines.is_late(audited.reason) else None
    for kind, text in deadlines.faults(audited.start_by, audited.first_start, skipped_at):
        yield audited.finding(kind, text)


def _early(claim: Claim) -> float:
    at, by = (claim.told_at, _EARLY) if claim.told_at else (claim.started_at, _EARLY_BY_END)
    if at is None or at >= claim.not_before - by:
        return 0.0
    return (claim.not_before - at).total_seconds()


def _ended(claim: Claim) -> str:
    how = claim.outcome.value if claim.outcome else (claim.end or "it was left open")
    return f"attempt {claim.attempt} ({how})"


def _numbers(audited: AuditedRun, end: datetime) -> Iterator[Finding]:
    """Attempts count from 1 without a gap, and each later one has an end before it."""
    numbers = sorted({claim.attempt for claim in audited.claims.of})
    if numbers != list(range(1, len(numbers) + 1)):
        listed = ", ".join(map(str, numbers))
        yield audited.finding(Kind.GAP, f"its attempts are numbered {listed}")
        return
    last = {claim.attempt: claim for claim in audited.claims.of}
    for number in numbers[1:]:
        before, claim = last[number - 1], last[number]
        if claim.claimed_at > end - ON_ITS_WAY:
            continue
        if before.outcome is Outcome.SUCCEEDED:
            text = f"attempt {number} was made after attempt {number - 1} had succeeded"
            yield audited.finding(Kind.DOUBLED, text, attempt=number)
        elif before.end in (None, End.RELEASED):
            text = f"attempt {number} was made, but attempt {number - 1} has no end"
            yield audited.finding(Kind.GAP, text, attempt=number)


def _contradictions(audited: AuditedRun, end: datetime) -> Iterator[Finding]:
    verdict = audited.verdict
    if verdict is None or audited.settled_at is None:
        return
    if audited.discards and verdict is not Verdict.DISCARDED:
        yield audited.finding(Kind.CONTRADICTION, f"{verdict}, but it is on the discarded topic")
    if audited.retry_verdict not in (None, verdict):
        text = f"{verdict}, but {audited.retry_verdict} on the retry log"
        yield audited.finding(Kind.CONTRADICTION, text)
    if audited.settled_at > end - ON_ITS_WAY:
        return
    if verdict is Verdict.DISCARDED and not (audited.discards or audited.has_lost_discard):
        yield audited.finding(Kind.CONTRADICTION, "discarded, but it is not on the discarded topic")
    is_known = not audited.has_lost_retries
    if verdict is Verdict.SUCCEEDED and is_known and not _has_succeeded(audited):
        yield audited.finding(Kind.CONTRADICTION, "succeeded, but no attempt has")


def _has_succeeded(audited: AuditedRun) -> bool:
    return any(claim.outcome is Outcome.SUCCEEDED for claim in audited.claims.of)


# -- what the promises allow, and people want to know -----------------------------------------


def losses(audited: AuditedRun) -> Iterator[Finding]:
    """Yield each lost attempt with what became of it, and each that ran beside the next one."""
    started = audited.claims.started
    for claim in audited.claims.of:
        if not claim.was_lost:
            continue
        following = next((c for c in started if c.attempt > claim.attempt), None)
        yield _loss(audited, claim)
        late = claim.late
        if late is None or following is None or following.started_at is None:
            continue
        beside_s = (late.ended_at - following.started_at).total_seconds()
        if beside_s > 0:
            text = (
                f"attempt {claim.attempt} of {claim.worker}, which was lost, still ran for "
                f"{beside_s:.1f} s beside attempt {following.attempt} of {following.worker}"
            )
            facts = {"attempt": claim.attempt, "worker": claim.worker, "beside_s": beside_s}
            yield audited.finding(Kind.OVERRUN, text, **facts)


def _loss(audited: AuditedRun, claim: Claim) -> Finding:
    again = next((c for c in audited.claims.of if c.attempt > claim.attempt), None)
    if again is not None:
        became = f"made again as attempt {again.attempt} by {again.worker}"
    elif any(
        c.attempt == claim.attempt and c.claimed_at > claim.claimed_at for c in audited.claims.of
    ):
        became = "made again, since it had not started"
    elif audited.verdict is not None:
        became = audited.verdict.value
    else:
        became = "to be made again"
    begun = "while it ran" if claim.started_at else "before it reported a start"
    return audited.finding(
        Kind.LOST,
        f"attempt {claim.attempt} was lost with {claim.worker} {begun}; {became}",
        attempt=claim.attempt,
        worker=claim.worker,
        started=claim.started_at is not None,
        lost_at=claim.ended_at,
        became=became,
        late_outcome=claim.late.outcome if claim.late else None,
    )


def lateness(audited: AuditedRun, late_after_s: float) -> tuple[float | None, Finding | None]:
    """Return how late a run was first started, in seconds, and a finding if that is too late."""
    first = audited.first_start
    if first is None or first.started_at is None or audited.published_at is None:
        return None, None
    # What people ask for is due once it is on the log.
    due = audited.not_before if audited.scheduled else max(audited.not_before, audited.published_at)
    delay_s = (first.started_at - due).total_seconds()
    if first.attempt > 1:
        by, why = "lost", f"{_ended(audited.claims.of[0])} came before it had started"
    elif audited.published_at > due:
        by, why = "published", f"it was published at {_clock(audited.published_at)}"
    elif first.claimed_at > due:
        by, why = "claimed", f"no worker claimed it before {_clock(first.claimed_at)}"
        why += (
            ", perhaps since an earlier run had to end first" if audited.claims.no_overlap else ""
        )
    else:
        by, why = "started", f"{first.worker} had claimed it in time, and no slot or no lease"
    if delay_s <= late_after_s:
        return delay_s, None
    text = f"attempt {first.attempt} was started {delay_s:.3f} s late: {why}"
    facts = {"delay_s": round(delay_s, 4), "by": by, "attempt": first.attempt}
    return delay_s, audited.finding(Kind.LATE, text, worker=first.worker, **facts)


def _clock(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
