"""What new revisions of jobs change: from when they hold, and what is published again.

What they ask for up to the cursor is published again, since it was published ahead under the
revision before, or not at all (rule 14).
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from cronstream.core.planning.cursor import Cursor, Lag
from cronstream.core.planning.draft import Draft
from cronstream.core.planning.pauses import TICK, hour_of
from cronstream.core.planning.timeline import Revision, Timeline


def bring_into_force(
    edits: Collection[tuple[Timeline, Revision]],
    cursor: Cursor,
    draft: Draft,
    *,
    earliest: datetime | None,
    look_ahead: timedelta,
) -> tuple[dict[str, datetime], dict[int, datetime]]:
    """Bring revisions into force, and draft what they ask for up to the cursor.

    Args:
        edits: The revisions from the cursor's on, each with its job's timeline.
        cursor: How far all has been published.
        draft: Gets their withdrawals, and the due times that follow them now.
        earliest: None of them holds from before it; None for a shard that has published nothing.
        look_ahead: How long before its due time a run is published.

    Returns:
        Which jobs have moved, and from when revisions hold that say otherwise.
    """
    moved = dict(cursor.moved)
    for timeline, revision in edits:
        clusters = timeline.clusters_at(revision)
        if len(clusters) > 1:
            left_at = _left_at(timeline, revision, cursor, draft.now, look_ahead)
            moved[revision.job.name] = max(left_at, moved.get(revision.job.name, left_at))
        revision.holds_from = revision.stated_from
        if earliest is not None:
            revision.holds_from = max(revision.holds_from, earliest)
        if revision.job.name in moved:
            revision.holds_from = max(revision.holds_from, moved[revision.job.name] + TICK)
        revision.holds_from = max(revision.holds_from, _pause_bound(timeline, revision, cursor.at))
        draft.withdraw(revision, timeline.before(revision.number), clusters)
    if earliest is not None:
        for timeline in dict.fromkeys(timeline for timeline, _ in edits):
            _add_again(timeline, cursor.taken, cursor.at, draft)
    holds = {r.number: r.holds_from for _, r in edits if r.holds_from != r.stated_from}
    return moved, holds


def publish_again(timeline: Timeline, lag: Lag, draft: Draft) -> None:
    """Draft for partitions that are behind what a job's revisions ask for that came since."""
    for revision in timeline.revisions:
        if revision.number >= lag.taken:
            former = timeline.before(revision.number)
            draft.withdraw(revision, former, timeline.clusters_at(revision))
    if lag.taken:
        _add_again(timeline, lag.taken, lag.at, draft)


def _left_at(
    timeline: Timeline, revision: Revision, cursor: Cursor, now: datetime, look_ahead: timedelta
) -> datetime:
    """Return up to when the due times of a job that moves are its former cluster's."""
    former = timeline.before(revision.number)
    if former is None or not former.job.removed:
        return cursor.at
    # What was published ahead there goes with its removal: all but what a worker starts before
    # it has heard of that.
    withdrawn_at = now if former.number >= cursor.taken else cursor.at - look_ahead
    return min(cursor.at, withdrawn_at + look_ahead / 6)


def _pause_bound(timeline: Timeline, revision: Revision, at: datetime) -> datetime:
    """Return before what a revision may not hold, where pauses are told by the hour (rule 25).

    One that pauses holds only beyond the cursor: what was published ahead is skipped run by run.
    One that ends a pause does so from no earlier than that has begun, and than is told of it.
    """
    if revision.paused_to > at + TICK:
        return at + TICK
    former = timeline.before(revision.number)
    if former is None or former.paused_to <= former.holds_from:
        return revision.paused_to
    told_to = former.paused_to if former.paused_to - TICK <= at else hour_of(at + TICK)
    return max(former.holds_from, told_to, revision.paused_to)


def _add_again(timeline: Timeline, taken: int, until: datetime, draft: Draft) -> None:
    for told in timeline.ended_pauses(taken, until, draft.next_after):
        draft.pause(timeline, told)
    for due, revision in timeline.due_again(taken, until, draft.next_after):
        draft.add(timeline, revision, due)
