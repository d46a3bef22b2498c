"""Each job's definitions over time, and the due times that follow from them.

They come from the ``jobs`` topic; from when each holds, the first `Withdrawal` on a log says.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from cronstream.core.planning.due import FIRST_REACH
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.recent import Believes, believe_all
from cronstream.core.planning.timeline import Revision, spans
from cronstream.core.schedule.schedule import Schedule, compile_schedule
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import Missed
from cronstream.core.wire.job_messages import Definition, decode_jobs
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import ScheduleError

#: A definition that a later one has replaced this long before the window does not matter in it.
_FORMER = timedelta(days=1)
_REMEMBERED = 2**16
#: What is said of a definition that nobody knows.
NOT_THERE = "is not on the jobs topic, or was replaced long before"
#: No revision: which was the first of a job is not known.
_NONE = -1


class Definitions:
    """The definitions of all jobs.

    Args:
        needed_from: Due times before it will not be asked for.
        believes: Whether a job counts, as for schedulers (rule 21).

    Attributes:
        of: By the name of the job.
        bound: A definition that a later one had replaced by then does not matter.
    """

    def __init__(self, needed_from: datetime, believes: Believes = believe_all) -> None:
        self._believes = believes
        self.bound = needed_from - _FORMER
        self.of: dict[str, JobHistory] = {}
        self._calendar = _Calendar()

    def begin(self, kept: Iterable[Definition], dropped_by: int) -> None:
        """Begin a partition with what is kept of it, in the order of revisions.

        Args:
            kept: All of its definitions, but for those that had been replaced before `bound`.
            dropped_by: The last revision that has replaced one of those.
        """
        for job, revision in kept:
            self._define(revision, job, may_be_first=revision > dropped_by)

    def fold(self, revision: int, raw: bytes | None) -> None:
        """Take one message of the ``jobs`` topic; each partition's in order."""
        for job in filter(self._believes, decode_jobs(raw)[0]):
            self._define(revision, job)

    def _define(self, revision: int, job: Job, *, may_be_first: bool = True) -> None:
        history = self.of.get(job.name)
        if history is None:
            history = self.of[job.name] = JobHistory(job.name, self._calendar)
        history.define(revision, job, may_be_first=may_be_first)
        history.forget(self.bound)


class JobHistory:
    """One job's definitions, oldest first.

    Attributes:
        swept: Due times up to it have been accounted for.
        coalesced: The last that was skipped for a later one that is to be run, and the revision
            that it followed; None if there is none.
    """

    __slots__ = ("_calendar", "_first", "_revisions", "_said", "coalesced", "name", "swept")

    def __init__(self, name: str, calendar: "_Calendar | None" = None) -> None:
        self.name = name
        self.swept: datetime | None = None
        self.coalesced: tuple[datetime, int] | None = None
        self._calendar = calendar or _Calendar()
        self._revisions: dict[int, Revision] = {}
        self._said: set[int] = set()
        self._first: int | None = None

    def define(self, number: int, job: Job, *, may_be_first: bool = True) -> None:
        """Take the next definition; the first may have had others before it that are not known."""
        if job.effective_from is None:
            return
        schedule: Schedule | None = None
        if not job.removed:
            # One that cannot be read is never due; the scheduler says so.
            with suppress(ScheduleError):
                schedule = compile_schedule(job.schedule, job.timezone)
        if self._first is None:
            self._first = number if may_be_first else _NONE
        self._revisions[number] = Revision(number, job, schedule, job.effective_from)

    def forget(self, bound: datetime) -> None:
        """Drop definitions that others had replaced at a time."""
        while len(self._revisions) > 1:
            first, second = islice(self._revisions, 2)
            if self._revisions[second].stated_from >= bound:
                break
            del self._revisions[first]

    def hold(self, entry: Withdrawal, at: datetime) -> None:
        """Learn from a log from when a definition holds; the first word on it counts.

        Args:
            entry: What the log says.
            at: When it was appended: a new installation looks back no further than an hour.
        """
        revision = self.find(entry.revision)
        if revision is None or entry.revision in self._said:
            return
        self._said.add(entry.revision)
        revision.holds_from = entry.effective_from
        if entry.revision == self._first:
            revision.holds_from = max(revision.holds_from, at - FIRST_REACH)

    @property
    def known_from(self) -> datetime | None:
        """From when on a definition is known; None if there is none."""
        return min((one.holds_from for one in self._revisions.values()), default=None)

    def find(self, number: int | None) -> Revision | None:
        """Return a definition by its revision."""
        return None if number is None else self._revisions.get(number)

    def unheard_from(self, after: datetime) -> datetime | None:
        """Return from when the first definition since `after` is to hold that no log speaks of."""
        stated = [
            revision.stated_from
            for revision in self._revisions.values()
            if revision.number not in self._said and revision.stated_from >= after
        ]
        return min(stated, default=None)

    def due(self, after: datetime, until: datetime) -> Iterator[tuple[datetime, Revision]]:
        """Yield each due time with ``after < due <= until``, in order, and what it follows."""
        for revision, end in spans(self._revisions.values()):
            if end <= after:
                continue
            due = revision.next_due(after, self._calendar.next_after)
            while due is not None and due < end and due <= until:
                yield due, revision
                due = revision.next_due(due, self._calendar.next_after)

    def problem(self, run: Run) -> str | None:
        """Return why no definition asks for a scheduled run, or None if one does."""
        revision = self.find(run.revision)
        if revision is None:
            return f"revision {run.revision} of its job {NOT_THERE}"
        job, due = revision.job, run.scheduled_at
        schedule = revision.schedule
        if schedule is None or self._calendar.next_after(schedule, due - TICK) != due:
            return f"revision {run.revision} of its job is not due then"
        if due < revision.stated_from:
            return f"revision {run.revision} of its job did not hold yet"
        if job.cluster != run.cluster:
            return f"revision {run.revision} of its job belongs to {job.cluster}"
        if (job.command, job.max_attempts) != (run.command, run.max_attempts):
            return f"it is not what revision {run.revision} of its job says"
        return self._why_not_made_up(revision, run)

    def _why_not_made_up(self, revision: Revision, run: Run) -> str | None:
        """Return why a run that was missed was not to be made up for; None for any other run."""
        if run.as_of is None or run.attempt > 1:
            return None
        if revision.job.missed is Missed.SKIP:
            return f"revision {revision.number} of its job skips what was missed, and so was it"
        if revision.job.missed is Missed.ONCE:
            later = revision.next_due(run.scheduled_at, self._calendar.next_after)
            ends = [end for one, end in spans(self._revisions.values()) if one is revision]
            if later is not None and later <= run.as_of and later < max(ends, default=later):
                return "it was missed, and so was a later due time: only the newest is to run"
        return None


class _Calendar:
    """Next due times; jobs that share a schedule share the arithmetic."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, datetime], datetime | None] = {}

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        key = (id(schedule), moment)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = schedule.next_after(moment)
        return self._known[key]
