"""What if pauses did not hold, or were told twice? Planted faults."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cronstream.core.ledger import endings, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.state import LiveRun
from cronstream.core.planning import draft, edits
from cronstream.core.planning.controls import is_lifted
from cronstream.core.planning.due import Shard
from cronstream.core.planning.pauses import TICK
from cronstream.core.planning.timeline import NextAfter, Timeline, Told
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Job, Run
from tests.simulation.planting import fault

_learn, _count, _ended = Shard.learn, Mark.count, Timeline.ended_pauses


@fault("25: who is resumed while the cluster is paused stays halted", draft, "is_lifted")
def _only_what_goes_on(job: Job, former: Job | None) -> bool:
    return job.paused_to is None and is_lifted(job, former)


@fault("25: what is queued begins though its job is paused", verdicts, "hold_back_all")
def _goes_on(_book: Book, _job: str) -> None:
    """Do nothing."""


@fault("25: what has begun and is lost in a pause is given up", endings, "_following")
def _given_up(_book: Book, live: LiveRun) -> Run | Skip | None:
    return live.successor if live.asked_to_give_way else live.run


@fault("25: a pause is lost by a takeover", Shard, "learn")
def _forgets_pauses(shard: Shard, job: Job, revision: int) -> None:
    is_new = shard._accepted is None
    _learn(shard, job.derive(control=None) if is_new else job, revision)


@fault("25: an hour of a pause is told twice", Timeline, "ended_pauses")
def _from_the_beginning(
    jobs: Timeline, taken: int, at: datetime, next_after: NextAfter
) -> Iterator[Told]:
    for told in _ended(jobs, taken, at, next_after):
        first = told.revision.next_due(told.revision.holds_from - TICK, next_after)
        yield told._replace(due=first or told.due)


@fault("25: the end of a pause is not told", Timeline, "ended_pauses")
def _never_ends(*_: Any) -> Iterator[Told]:
    return iter(())


@fault("25: a pause holds for what was published ahead", edits, "_pause_bound")
def _from_when_it_is_said(_timeline: Timeline, _revision: Any, at: datetime) -> datetime:
    return at.min.replace(tzinfo=at.tzinfo) + TICK


@fault("25: discarded runs are counted across a success", Mark, "count")
def _counts_on(mark: Mark, run: Run, verdict: Verdict, at: datetime) -> bool:
    return verdict is not Verdict.SUCCEEDED and _count(mark, run, verdict, at)


@fault("25: what a paused job has given back is run after all", verdicts, "withdraw")
def _is_queued_again(book: Book, live: LiveRun) -> None:
    if live.paused:
        live.asked_to_give_way = live.paused = False
        book.queue(live)
    else:
        _withdraw(book, live)


_withdraw = verdicts.withdraw


@fault("25: what follows another begins though its own job is paused", Mark, "holds_back")
def _is_not_concerned(mark: Mark, run: Run) -> bool:
    return run.cause is None and _holds_back(mark, run)


_holds_back = Mark.holds_back
