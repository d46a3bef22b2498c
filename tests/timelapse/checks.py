"""The promises, looked for each week, and in the end."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.timeline import Revision, spans
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.enumerations import Outcome, Overlap
from cronstream.core.wire.times import format_time
from tests.simulation.checks_of_starts import faults_of_starts
from tests.simulation.executor import Start
from tests.simulation.loop import START, moment, seconds

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

#: So long after its due time, a run must have its verdict: it may be retried for two days, and its
#: cluster may have no workers for a long weekend.
_PATIENCE_S: Final = 8 * 86_400.0
#: A job that moves begins where its former cluster's due times end; so do edits soon after.
_MOVES: Final = timedelta(hours=1, minutes=2)
#: A start that is later than this needs an excuse.
_LATE_S: Final = 10.0
#: An end may be told this long after: its worker, or the partition, was away.
_TOLD_AFTER_S: Final = 6 * 3600.0
#: With the second of the log's days what was replaced before the first is forgotten.
_DAYS_TO_FORGET: Final = 4
_REMEMBERED: Final = timedelta(days=8)


def broken_so_far(lapse: "Lapse") -> list[str]:
    """Return what is broken of what should be over by now."""
    until = moment(lapse.loop.now - _PATIENCE_S)
    return [
        *lapse.broken,
        *lapse.judge.refused,
        *_verdicts(lapse, until),
        *_folds(lapse),
        *_revisions(lapse),
    ]


def broken_promises(lapse: "Lapse") -> list[str]:
    """Return a sentence for each promise that was broken in three months."""
    with_verdict = {run for run, story in lapse.judge.stories.items() if story.verdicts}
    return [
        *lapse.broken,
        *lapse.judge.refused,
        *_live(lapse),
        *_verdicts(lapse, moment(lapse.loop.now), count=True),
        *_folds(lapse),
        *faults_of_starts(lapse, with_verdict),
        *_edits_hold(lapse),
        *_lateness(lapse),
        *_put_off(lapse),
        *lapse.growth.faults(),
    ]


def due_times(lapse: "Lapse", until: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield each job and due time, by the ``jobs`` topic and from when each revision held."""
    revisions: dict[str, list[Revision]] = defaultdict(list)
    for number, (_, [job]) in enumerate(lapse.jobs.messages):
        schedule = None if job.removed else compile_schedule(job.schedule, job.timezone)
        revision = Revision(number, job, schedule, job.effective_from)
        held_from = lapse.judge.held_from.get((job.name, number))
        revision.holds_from = held_from or revision.holds_from
        revisions[job.name].append(revision)
    for name, known in revisions.items():
        for revision, end in spans(known):
            if revision.schedule is not None:
                last = min(end - TICK, until)
                for due in revision.schedule.between(revision.holds_from - TICK, last):
                    yield name, due


def _verdicts(lapse: "Lapse", until: datetime, *, count: bool = False) -> Iterator[str]:
    judge, known = lapse.judge, set()
    for job, due in due_times(lapse, until):
        run = f"{job}@{format_time(due)}"
        known.add(run)
        verdicts = judge.verdicts(run, job, due)
        if count:
            lapse.count["due times"] += 1
            lapse.count[verdicts[0] if verdicts else "no verdict"] += 1
        if len(verdicts) != 1:
            yield f"{len(verdicts)} verdicts: {run} {verdicts}"
        if (verdicts[:1] == ["discarded"]) != (run in judge.discarded):
            yield f"{verdicts[:1]}, but on the discarded topic, or not: {run}"
    for asked in lapse.manual:
        if asked.not_before <= until and len(found := judge.stories[asked.id].verdicts) != 1:
            yield f"{len(found)} verdicts: {asked.id} {found}"
        known.add(asked.id)
    if count:
        # An edit may hold from just before a run that has begun meanwhile, and stands.
        others = judge.stories.keys() - known
        double = (run for run in others if len(judge.stories[run].verdicts) > 1)
        yield from (f"several verdicts: {run}" for run in double)


def _edits_hold(lapse: "Lapse") -> Iterator[str]:
    """An edit holds from when it says; one that was told late, or of a job that moves, from later.

    What a clock says that is refused for being ahead holds nobody up.
    """
    before: dict[str, str] = {}
    moved_at: dict[str, datetime] = {}
    for number, (_, [job]) in enumerate(lapse.jobs.messages):
        if before.get(job.name, job.cluster) != job.cluster:
            moved_at[job.name] = job.effective_from
        before[job.name] = job.cluster
        moves = job.effective_from - moved_at.get(job.name, START) < _MOVES
        held = lapse.judge.held_from.get((job.name, number))
        if held is None:
            yield f"revision {number} of {job.name} is not told of"
        elif held != job.effective_from and not moves and not _is_excused(lapse, seconds(held)):
            yield f"revision {number} of {job.name} holds from {held}, not {job.effective_from}"


def _is_excused(lapse: "Lapse", at: float) -> bool:
    return any(begin <= at <= end for begin, end, why in lapse.excuses if "clock" not in why)


def _live(lapse: "Lapse") -> Iterator[str]:
    for (cluster, retry, _), folded in lapse.judge.folds.items():
        for live in folded.ledger.book.live.values():
            where = f"{cluster}{' retry' if retry else ''}"
            yield f"still {live.state} on {where}: {live.run.id}"


def _folds(lapse: "Lapse") -> Iterator[str]:
    """A worker's fold, from a row or from what retention left, knows what is live as the whole."""
    for folded in lapse.judge.folds.values():
        yield from folded.faults
    for worker in lapse.workers:
        if not worker.alive:
            continue
        for partition, owner in worker.member.owners.items():
            whole = lapse.judge.fold_of(worker.cluster, retry=worker.retry, partition=partition)
            if owner.ready and owner.ledger.book.next_offset == whole.book.next_offset:
                mine, all_ = _standing(owner.ledger), _standing(whole)
                if mine != all_:
                    yield f"two folds differ on {worker.cluster}: {mine ^ all_} (its own: {mine})"


def _revisions(lapse: "Lapse") -> Iterator[str]:
    """What was replaced is forgotten with the log's days, where nothing is live of the job."""
    for folded in lapse.judge.folds.values():
        book = folded.ledger.book
        if book.day < _DAYS_TO_FORGET:
            continue
        told = {live.run.job for live in book.live.values()}
        for job in book.marks.keys() - told:
            old = [n for n, at in book.marks[job].revisions if at < book.at - _REMEMBERED]
            if len(old) > 1:
                yield f"revisions {old} of {job} are still known"


def _standing(ledger: Ledger) -> set[tuple[str, str, int]]:
    return {(run, live.state.value, live.version) for run, live in ledger.book.live.items()}


def _lateness(lapse: "Lapse") -> Iterator[str]:
    """Nothing is late but where a trouble excuses it.

    What is made again after a loss or an interruption has the time of the attempt before it.
    """
    again = {
        (start.run.id, start.run.attempt + 1)
        for start in lapse.starts
        if start.outcome is not Outcome.FAILED
    }
    for start in _first_of_each(lapse.starts):
        late_s = start.at - seconds(start.run.not_before)
        is_excluded = start.run.cause is not None or start.run.overlap is not Overlap.ALLOW
        is_made_again = (start.run.id, start.run.attempt) in again
        if late_s <= _LATE_S or is_excluded or is_made_again:
            continue
        due_at = start.at - late_s
        if any(begin <= start.at and due_at <= end for begin, end, _ in lapse.excuses):
            lapse.count["late starts, excused"] += 1
        elif _busy_s(lapse.starts, start, due_at) >= lapse.slots * (late_s - _LATE_S):
            lapse.count["late starts, for want of a slot"] += 1
        else:
            yield f"started {late_s:.0f} s late: {start.run.id}#{start.run.attempt}"


def _busy_s(starts: list[Start], start: Start, since: float) -> float:
    """Return for how long the slots of its worker were taken by others before a start."""
    others = (other for other in starts if other.worker == start.worker and other is not start)
    spans = ((max(one.at, since), min(one.end or start.at, start.at)) for one in others)
    return sum(max(0.0, end - begin) for begin, end in spans)


def _put_off(lapse: "Lapse") -> Iterator[str]:
    """A later attempt comes as soon as its backoff says, reckoned from the end of the former."""
    failed = {
        (start.run.id, start.run.attempt): start.at + lapse.specs[start.run.job].lasts_s
        for start in lapse.starts
        if start.outcome is Outcome.FAILED
    }
    for start in lapse.starts:
        ended = failed.get((start.run.id, start.run.attempt - 1))
        if ended is None:
            continue
        backoff = start.run.backoff
        longest = min(backoff.first_s * 2 ** (start.run.attempt - 2), backoff.ceiling_s)
        by_s = seconds(start.run.not_before) - ended - longest * (1 + backoff.jitter)
        if by_s > _TOLD_AFTER_S:
            yield f"put off by {by_s:.0f} s: {start.run.id}#{start.run.attempt}"


def _first_of_each(starts: list[Start]) -> Iterator[Start]:
    seen: set[tuple[str, int]] = set()
    for start in starts:
        if (key := (start.run.id, start.run.attempt)) not in seen:
            seen.add(key)
            yield start
