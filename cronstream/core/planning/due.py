"""What a scheduler shard has to publish: the runs between two moments.

A plan is a pure function of what was learnt from the ``jobs`` topic, the cursor, and now. So a
plan that was not published, or only in part, is simply made again: the same runs with the same
ids. It costs as much as is due: a heap holds the next due time of each job, and jobs of one
schedule share the arithmetic.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.planning.agenda import Agenda
from cronstream.core.planning.cursor import Cursor, Lag, Noted
from cronstream.core.planning.draft import Draft
from cronstream.core.planning.edits import bring_into_force, publish_again
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.plan import CatchUp, Plan
from cronstream.core.planning.timeline import Revision, Timeline
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.errors import MessageError, ScheduleError

#: A new installation, or one that has lost its cursor, looks back no further than this.
FIRST_REACH: Final = timedelta(hours=1)
#: An edit holds from no earlier than this before the time that was published ahead: the fold of a
#: log knows settled due times about as far back, and would take older ones for new.
REACH: Final = timedelta(minutes=10)
#: A catch-up moves in steps of about this many due times.
STEP: Final = 10_000
#: The former cluster of a job that has moved is remembered this long.
_KEEP_MOVED: Final = timedelta(hours=1)


class Shard:
    """The jobs of one shard, with what is due of each.

    Args:
        look_ahead_s: Seconds before its due time that a run is published.
        holds: From when revisions hold, where it is noted.
        step: A catch-up moves in steps of about so many due times; None for `STEP`.
    """

    def __init__(
        self,
        look_ahead_s: float,
        holds: Mapping[int, datetime] | None = None,
        *,
        step: int | None = None,
    ) -> None:
        self._step = step
        self._look_ahead = timedelta(seconds=look_ahead_s)
        self._reach = self._look_ahead + REACH
        self._holds = holds or {}
        self._by_name: dict[str, Timeline] = {}
        self._timelines: list[Timeline] = []
        #: What was learnt since the plan that was accepted last.
        self._learnt: list[tuple[Timeline, Revision]] = []
        self._several: set[Timeline] = set()
        #: How many jobs each cluster has.
        self._per_cluster: Counter[str] = Counter()
        self._end = 0
        self._max_grace = timedelta()
        self._agenda = Agenda()
        #: The cursor that the agenda stands at; None while a plan is out, and before the first.
        self._agenda_at: datetime | None = None
        self._accepted: Cursor | None = None
        self._planned = 0

    @property
    def jobs(self) -> int:
        """How many jobs there are that have not been removed."""
        return self._per_cluster.total()

    def names(self) -> list[str]:
        """Return the names of the jobs that have not been removed."""
        last = (timeline.revisions[-1].job for timeline in self._timelines)
        return [job.name for job in last if not job.removed]

    def latest(self, name: str) -> Revision | None:
        """Return what was learnt last of a job, which may be its removal."""
        timeline = self._by_name.get(name)
        return None if timeline is None else timeline.revisions[-1]

    def paused(self, now: datetime) -> Iterator[Job]:
        """Yield the jobs that their last definitions pause at a time."""
        for last in (timeline.revisions[-1] for timeline in self._timelines):
            if now < last.paused_to and not last.job.removed:
                yield last.job

    def next_due(self, name: str, after: datetime) -> datetime | None:
        """Return when a job is due next, strictly after a moment; None if it never is."""
        timeline = self._by_name.get(name)
        if timeline is None:
            return None
        return timeline.next_due(after, lambda schedule, moment: schedule.next_after(moment))

    def soonest(self, left_out: Container[str]) -> dict[str, datetime]:
        """Return, for each cluster, when a job of it is due next that is not left out.

        Of what is not published yet: due times within the look-ahead are. None are known before
        the first plan.
        """
        return self._agenda.soonest(self._timelines, left_out)

    @property
    def clusters(self) -> set[str]:
        """The clusters of those jobs."""
        return {cluster for cluster, jobs in self._per_cluster.items() if jobs}

    def learn(self, job: Job, revision: int) -> None:
        """Take one job of the shard's ``jobs`` partition, in the order of offsets.

        What was learnt before is passed over.

        Raises:
            ScheduleError: If its schedule cannot be read. It has been learnt all the same, as
                a job that is never due.
            MessageError: If it does not say from when it holds; it has not been learnt.
        """
        if job.effective_from is None:
            raise MessageError(f"job {job.name!r} does not say from when it holds")
        timeline = self._by_name.get(job.name)
        if timeline is not None and timeline.revisions[-1].number >= revision:
            return
        self._count(job, timeline)
        learnt = Revision(revision, job, None, job.effective_from)
        learnt.holds_from = self._holds.get(revision, learnt.holds_from)
        if timeline is None:
            timeline = self._by_name[job.name] = Timeline(len(self._timelines), learnt)
            self._timelines.append(timeline)
        else:
            timeline.revisions += (learnt,)
            self._several.add(timeline)
        self._learnt.append((timeline, learnt))
        self._end = max(self._end, revision + 1)
        if not job.removed:
            self._max_grace = max(self._max_grace, learnt.grace)
            try:
                learnt.schedule = compile_schedule(job.schedule, job.timezone)
            except ScheduleError as error:
                raise type(error)(f"job {job.name!r}, revision {revision}: {error}") from error

    def _count(self, job: Job, timeline: Timeline | None) -> None:
        """Count the job in its cluster, and no longer as it was."""
        before = None if timeline is None else timeline.revisions[-1].job
        if before is not None and not before.removed:
            self._per_cluster[before.cluster] -= 1
        if not job.removed:
            self._per_cluster[job.cluster] += 1

    def plan(self, cursor: Cursor, now: datetime, known_to: datetime | None = None) -> Plan:
        """Return what is to be published after `cursor`; `accept` it once that has been done.

        Args:
            cursor: How far all has been published.
            now: By which it is judged what is due, and what has been missed.
            known_to: No due time beyond it is taken, for what holds then has not all been learnt;
                None if that is no matter.

        Raises:
            ValueError: If the cursor is before the one that was accepted last: what came
                before that has been forgotten, so the shard has to be learnt again.
        """
        accepted = self._accepted
        if accepted and (cursor.at < accepted.at or cursor.taken < accepted.taken):
            raise ValueError(f"cursor {cursor.to_row()} is before {accepted.to_row()}")
        if not self._timelines:
            return Plan([], cursor, Lag(cursor.at, cursor.taken))
        if cursor.noted is not None:
            now = cursor.noted.now
        new = cursor.taken == 0
        if new:
            cursor = self._first(cursor, now)
        draft = Draft(now, cursor.at, cursor.course)
        self._planned = len(self._learnt)
        moved, holds = bring_into_force(
            [(timeline, r) for timeline, r in self._learnt if r.number >= cursor.taken],
            cursor,
            draft,
            earliest=None if new else cursor.at - self._reach,
            look_ahead=self._look_ahead,
        )
        self._stand_at(cursor.at, draft)
        until = self._fill(cursor, draft, known_to)
        # Where jobs move, what they ask for depends on `now`, too.
        is_noted = cursor.at < now or moved != cursor.moved
        noted = replace(cursor, noted=Noted(until, now)) if is_noted else None
        reached = replace(
            cursor,
            at=until,
            taken=max(cursor.taken, self._end),
            noted=None,
            course=draft.course(until),
            moved={job: at for job, at in moved.items() if at > until - _KEEP_MOVED},
        )
        return Plan(
            messages=draft.messages(),
            cursor=reached,
            base=(noted or cursor).lag,
            noted=noted if cursor.noted is None else None,
            complete=until >= now + self._look_ahead,
            holds=holds,
        )

    def _first(self, cursor: Cursor, now: datetime) -> Cursor:
        """Return where a shard without a cursor begins: jobs run from when they were put in."""
        earliest = min((learnt.stated_from for _, learnt in self._learnt), default=now)
        return replace(cursor, at=min(now, max(earliest, now - FIRST_REACH)) - TICK)

    def _stand_at(self, at: datetime, draft: Draft) -> None:
        """Bring the agenda to the cursor."""
        if self._agenda_at == at:
            for timeline in dict.fromkeys(timeline for timeline, _ in self._learnt):
                self._agenda.change(timeline, at, draft.next_after)
        else:
            self._agenda.rebuild(self._timelines, at, draft.next_after)
        self._agenda_at = None

    def _fill(self, cursor: Cursor, draft: Draft, known_to: datetime | None) -> datetime:
        """Put into the draft what is due beyond the cursor; return how far that goes."""
        all_missed = draft.now - self._max_grace
        step: int | None = self._step or STEP
        if cursor.noted is not None:
            limit, step = cursor.noted.until, None
        else:
            ahead = draft.now + self._look_ahead
            limit = max(cursor.at, min(ahead, known_to or ahead))
            limit = self._agenda.bounded(cursor.at, limit, all_missed)
        return self._agenda.fill(
            draft, self._timelines, limit=limit, all_missed=all_missed, step=step
        )

    def catch_up(
        self, lag: Lag, cursor: Cursor, now: datetime, is_behind: Callable[[str, str], bool]
    ) -> CatchUp:
        """Return what partitions have not had that are behind the shard; a step of it at most.

        Args:
            lag: How far they are.
            cursor: How far the shard is, and what was accepted last.
            now: By which it is judged what has been missed, if that is not noted.
            is_behind: Whether what a cluster gets of a job goes to one of them.
        """
        draft = Draft(now if lag.noted is None else lag.noted.now, lag.at, lag.course)
        timelines = [
            timeline
            for timeline in self._timelines
            if any(is_behind(r.job.cluster, r.job.name) for r in timeline.revisions)
        ]
        for timeline in timelines:
            publish_again(timeline, lag, draft)
        agenda = Agenda()
        agenda.rebuild(timelines, lag.at, draft.next_after)
        is_late = lag.noted is None and lag.at < now
        limit, step = (
            (cursor.at, self._step or STEP) if lag.noted is None else (lag.noted.until, None)
        )
        if lag.noted is None:
            limit = agenda.bounded(lag.at, limit, draft.now - self._max_grace)
        until = agenda.fill(
            draft,
            self._timelines,
            limit=limit,
            all_missed=draft.now - self._max_grace,
            step=step,
        )
        return CatchUp(
            [(cluster, m) for cluster, m in draft.messages() if is_behind(cluster, m.job)],
            reached=Lag(until, cursor.taken, course=draft.course(until)),
            noted=lag._replace(noted=Noted(until, now)) if is_late else None,
        )

    def accept(self, plan: Plan, behind: Collection[Lag] = ()) -> None:
        """Take the plan that was made last as published.

        Args:
            plan: The plan.
            behind: How far the partitions are that are behind: so far back nothing is forgotten.
        """
        del self._learnt[: self._planned]
        at = min([plan.cursor.at, *(lag.at for lag in behind)])
        taken = min([plan.cursor.taken, *(lag.taken for lag in behind)])
        for timeline in list(self._several):
            timeline.settle(at, taken)
            if len(timeline.revisions) == 1:
                self._several.discard(timeline)
        self._agenda_at, self._accepted = plan.cursor.at, plan.cursor
