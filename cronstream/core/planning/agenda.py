"""What is due next of each job: a heap, which costs as much as is due and not as jobs there are."""

import heapq
from collections.abc import Container, Iterable
from datetime import datetime
from typing import Final, TypeAlias

from cronstream.core.planning.draft import Draft
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.timeline import NextAfter, Revision, Timeline, Told
from cronstream.core.schedule.schedule import Schedule

#: Where all is missed, a step counts about this many due times, once for each schedule.
LEAP_STEP: Final = 50_000
_MIN_LEAP: Final = 200

#: Where the cursor is then, the job's place and the version of its timeline; and what is told:
#: `Told.due`, `revision`, `end` and `paused`. There is one for each job: two tuples take more room.
_Item: TypeAlias = tuple[datetime, int, int, datetime, Revision, datetime, datetime | None]


class Agenda:
    """The next due time of each job after one moment."""

    def __init__(self) -> None:
        self._heap: list[_Item] = []

    def rebuild(self, timelines: Iterable[Timeline], at: datetime, next_after: NextAfter) -> None:
        """Begin again with each job's first due time after `at`."""
        items = (self._item(timeline, at, next_after) for timeline in timelines)
        self._heap = [item for item in items if item is not None]
        heapq.heapify(self._heap)

    def change(self, timeline: Timeline, at: datetime, next_after: NextAfter) -> None:
        """Take a job in again that has got another revision."""
        timeline.version += 1
        item = self._item(timeline, at, next_after)
        if item is not None:
            heapq.heappush(self._heap, item)

    def fill(
        self,
        draft: Draft,
        timelines: list[Timeline],
        *,
        limit: datetime,
        all_missed: datetime,
        step: int | None,
    ) -> datetime:
        """Move what is due into `draft`; return the moment up to which it has all of it.

        Args:
            draft: Gets the due times up to that moment (inclusive).
            timelines: The jobs, by their place.
            limit: No due time after it is taken.
            all_missed: Due times before it have been missed, of whatever job.
            step: Due times after which it stops, at the end of their second; None to go on.
        """
        heap, last = self._heap, None
        while heap and heap[0][0] <= limit:
            at, order, version, due, revision, span_end, paused = heap[0]
            timeline = timelines[order]
            if version != timeline.version:
                heapq.heappop(heap)
                continue
            if step is not None and draft.count >= step and last is not None and at > last:
                return last
            last = done = at
            if paused is not None:
                draft.pause(timeline, Told(at, due, revision, span_end, paused))
            elif at < all_missed:
                end = min(limit, all_missed - TICK, span_end - TICK)
                done = draft.leap(timeline, revision, at, end)
            else:
                draft.add(timeline, revision, at)
            item = self._item(timeline, done, draft.next_after)
            if item is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, item)
        return limit

    def soonest(self, timelines: list[Timeline], left_out: Container[str]) -> dict[str, datetime]:
        """Return the first due time of each cluster's jobs, but for those that are left out.

        Each job is looked at: some 0.3 µs for each.
        """
        found: dict[str, datetime] = {}
        for due, order, version, _, revision, _, paused in self._heap:
            job, is_run = revision.job, paused is None
            if is_run and version == timelines[order].version and job.name not in left_out:
                found[job.cluster] = min(due, found.get(job.cluster, due))
        return found

    def bounded(self, at: datetime, limit: datetime, all_missed: datetime) -> datetime:
        """Return how far a step may go from `at` on, so that counting what is missed is bounded."""
        missed_to = min(limit, all_missed - TICK)
        if at >= missed_to:
            return limit
        # Beyond what has been missed it goes on in the same step: time goes on too, so a catch-up
        # that stopped there would find a bit missed again, without an end.
        leap_to = self._leap_limit(at, missed_to)
        return leap_to if leap_to < missed_to else limit

    def _leap_limit(self, at: datetime, limit: datetime) -> datetime:
        """Return how far a step may go where all is missed, so that counting stays bounded."""
        schedules: dict[int, Schedule] = {}
        for at_then, _, _, _, revision, *_ in self._heap:
            schedule = revision.schedule
            if at_then <= limit and schedule is not None:
                schedules[id(schedule)] = schedule
        allowed = max(_MIN_LEAP, LEAP_STEP // max(1, len(schedules)))
        for schedule in schedules.values():
            due_at = schedule.next_after(at)
            for _ in range(allowed):
                if due_at is None or due_at >= limit:
                    break
                due_at = schedule.next_after(due_at)
            else:
                limit = min(limit, due_at or limit)
        return limit

    def _item(self, timeline: Timeline, after: datetime, next_after: NextAfter) -> _Item | None:
        told = timeline.next_told(after, next_after)
        if told is None:
            return None
        at, due, revision, end, paused = told
        return at, timeline.order, timeline.version, due, revision, end, paused
