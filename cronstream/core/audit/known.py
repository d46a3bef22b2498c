"""What the topics no longer have: what an audit cannot know is not the fault of any run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from cronstream.core.audit.audited_run import AuditedRun
from cronstream.core.audit.finding import Finding, Kind
from cronstream.core.planning.cursor import Lag
from cronstream.core.planning.timeline import Revision
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.times import format_clock, format_time


class Unknown(StrEnum):
    """What a topic no longer says of a run."""

    #: The definition that it follows.
    DEFINITION = "definition"
    #: Its later attempts.
    RETRIES = "retries"
    #: Whether it was put on the discarded topic.
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Offsets:
    """What is left of one partition of the ``jobs`` topic; a definition's revision is its offset.

    Attributes:
        first: The first offset that it still has.
        end: The offset that its next message will have.
    """

    first: int = 0
    end: int = 0

    def has_lost(self, revision: int | None) -> bool:
        """Whether a definition was there, and is no more: deleted, or the topic was recreated."""
        return revision is not None and not self.first <= revision < self.end


#: How far schedulers have published what a job has on a cluster's log; None if nobody says so.
Published: TypeAlias = Callable[[str, str], Lag | None]

_ALL: Final = Offsets(0, 2**63)


def _all(_: str) -> Offsets:
    return _ALL


def _not_said(_: str, __: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """From when on the topics report one partition's runs.

    Attributes:
        read_from: From when on the logs are read (UTC).
        jobs: What is left of the ``jobs`` topic, by job.
        retries: For each cluster whose retry log has been deleted up to a time, that time.
        discards: The same of its discarded topic.
        published: How far schedulers have come, by cluster and job.
    """

    read_from: datetime
    jobs: Callable[[str], Offsets] = _all
    retries: Mapping[str, datetime] = field(default_factory=dict)
    discards: Mapping[str, datetime] = field(default_factory=dict)
    published: Published = _not_said

    def has_lost(self, job: str, revision: int | None) -> bool:
        """Whether a definition of a job was on the ``jobs`` topic, and is no more."""
        return self.jobs(job).has_lost(revision)

    def unpublished(self, revision: Revision, due: datetime, now: datetime) -> Finding | None:
        """Return that a due time is on no log, if schedulers have not come so far; else None."""
        job = revision.job
        lag = self.published(job.cluster, job.name)
        if lag is None or (due <= lag.at and revision.number < lag.taken):
            return None
        what = f"schedulers have come to {format_clock(lag.at)} of {lag.at:%F}, and no further"
        if due <= lag.at:
            what = f"no scheduler has taken its definition, revision {revision.number}, into force"
        text = f"not yet published: {what}; it is run or skipped once one goes on"
        run_id, past_due_s = f"{job.name}@{format_time(due)}", (now - due).total_seconds()
        facts = {"past_due_s": past_due_s}
        return Finding(Kind.UNPUBLISHED, run_id, job.name, job.cluster, text, facts)

    def look(self, audited: AuditedRun) -> Iterator[Unknown]:
        """See what the other topics had of a run and have no more; mark it, and yield what."""
        retries = self.retries.get(audited.cluster)
        if retries is not None and audited.retried_at is not None and audited.retried_at < retries:
            audited.has_lost_retries = True
            yield Unknown.RETRIES
        discards = self.discards.get(audited.cluster)
        if discards is None or audited.settled_at is None or audited.discards:
            return
        if audited.verdict is Verdict.DISCARDED and audited.settled_at < discards:
            audited.has_lost_discard = True
            yield Unknown.DISCARD
