"""What is due next of each job: a heap, which costs as much as is due and not as jobs there are."""

import heapq
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeAlias

from cronstream.core.planning.draft import Draft
from cronstream.core.planning.timeline import TICK, NextAfter, Revision, Timeline
from cronstream.core.schedule.schedule import Schedule

#: Where all is missed, a step counts about this many due times, once for each schedule.
LEAP_STEP: Final = 50_000
_MIN_LEAP: Final = 200

#: Due time, the job's place, the version of its timeline, the revision, and the end of its span.
_Item: TypeAlias = tuple[datetime, int, int, Revision, datetime]


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
            due, order, version, revision, end = heap[0]
            timeline = timelines[order]
            if version != timeline.version:
                heapq.heappop(heap)
                continue
            if step is not None and draft.count >= step and last is not None and due > last:
                return last
            last = done = due
            if due < all_missed:
                done = draft.leap(order, revision, due, min(limit, all_missed - TICK, end - TICK))
            else:
                draft.add(order, revision, due)
            item = self._item(timeline, done, draft.next_after)
            if item is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, item)
        return limit

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
        for due, _, _, revision, _ in self._heap:
            if due <= limit and revision.schedule is not None:
                schedules[id(revision.schedule)] = revision.schedule
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
        found = timeline.next_due(after, next_after)
        if found is None:
            return None
        due, revision, end = found
        return due, timeline.order, timeline.version, revision, end
