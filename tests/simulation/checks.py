"""The promises, looked for in what a world left behind: its logs, and what was started."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cronstream.core.ledger import mark as marks
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.retry import MAX_ATTEMPTS_CARRIED
from cronstream.core.ledger.state import SkipNews
from cronstream.core.planning.timeline import Revision, spans
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Discarded, Job, Run
from cronstream.core.wire.times import format_time
from tests.simulation.chaining import faults_of_chains
from tests.simulation.checks_of_killers import faults_of_killers
from tests.simulation.checks_of_losses import faults_of_losses
from tests.simulation.checks_of_overlap import faults_of_cancelled, faults_of_overlap
from tests.simulation.checks_of_starts import faults_of_starts
from tests.simulation.deadlines import faults_of_deadlines
from tests.simulation.folding import Folded, fold
from tests.simulation.lending import faults_of_lending
from tests.simulation.loop import moment
from tests.simulation.making_up import faults_of_making_up
from tests.simulation.pausing import faults_of_pauses
from tests.simulation.trusting import faults_of_trust
from tests.simulation.world import World

#: What any two folds of a log have to agree on.
_OF_A_FOLD = (
    *("live", "marks", "recent", "handed_over", "beats", "now", "level", "day", "today"),
    "beginning",
)
_VERDICTS = frozenset(verdict.value for verdict in Verdict)


@dataclass(slots=True)
class Story:
    """What the cluster's log says of one run.

    Attributes:
        verdicts: In the order in which they came; ``withdrawn`` is provisional.
        last: The run as it was at its last verdict.
    """

    verdicts: list[str] = field(default_factory=list)
    last: Run | None = None

    @property
    def final(self) -> list[str]:
        """The verdicts that are not provisional."""
        return [verdict for verdict in self.verdicts if verdict != "withdrawn"]


def broken_promises(world: World) -> list[str]:
    """Return a sentence for each promise that a world has broken."""
    first = [fold(log, retry=False) for log in world.logs_of(retry=False)]
    later = [fold(log, retry=True) for log in world.logs_of(retry=True)]
    ledgers = [folded.ledger for folded in (*first, *later)]
    due = due_times(world)
    stories = _stories([folded.ledger for folded in first], due)
    return [
        *_live(ledgers),
        *_other_folds(world, [*first, *later]),
        *_never_forgotten(ledgers),
        *_verdicts(world, due, stories),
        *_discards(world, stories),
        *faults_of_chains(world, stories),
        *_attempts(world, stories, [folded.ledger for folded in later]),
        *faults_of_trust(world, stories, [folded.ledger for folded in later]),
        *_edits_hold(world),
        *(fault for folded in (*first, *later) for fault in folded.faults),
        *faults_of_losses(world, [*first, *later]),
        *_gave_way(world, set().union(*(folded.too_late for folded in (*first, *later)))),
        *faults_of_starts(world, {run for run, story in stories.items() if story.final}),
        *_set_back_by_whom(world),
        *(f"held though it could have started: {key}" for key in world.late),
        *(f"announced without a slot: {key}" for key in world.without_slot),
        *faults_of_killers(world),
        *faults_of_lending(world),
        *_cancelled_by_people([*first, *later], stories),
        *faults_of_overlap(world, _skipped_for([folded.ledger for folded in first], "overlap")),
        *(fault for one in (*first, *later) for fault in faults_of_cancelled(world, one.last)),
        *faults_of_making_up(world, due),
        *faults_of_pauses(world, [folded.ledger for folded in first]),
        *faults_of_deadlines(world, _skipped_for([folded.ledger for folded in first], "late")),
    ]


def due_times(world: World) -> set[tuple[str, datetime]]:
    """Return each job's due times, by the ``jobs`` topic and from when each revision held."""
    held_from, now = _held_from(world), moment(world.loop.now)
    revisions: dict[str, list[Revision]] = defaultdict(list)
    for number, (_, records) in enumerate(world.jobs.messages):
        for job in records:
            revision = Revision(number, job, None, job.effective_from)
            revision.holds_from = held_from.get((job.name, number), revision.holds_from)
            revisions[job.name].append(revision)
    return {
        (job, due)
        for job, known in revisions.items()
        for revision, end in spans(known)
        if not revision.job.removed
        for due in _multiples(revision.job, revision.holds_from, min(end, now))
    }


def _held_from(world: World) -> dict[tuple[str, int], datetime]:
    """Return from when the log says that each revision of a job holds; the first word counts."""
    held_from: dict[tuple[str, int], datetime] = {}
    for log in world.logs_of(retry=False):
        for _, entries in log.messages:
            for entry in entries:
                if isinstance(entry, Withdrawal):
                    held_from.setdefault((entry.job, entry.revision), entry.effective_from)
    return held_from


def _edits_hold(world: World) -> Iterator[str]:
    """An edit holds from when it says, unless it came very late."""
    held_from = _held_from(world)
    former: dict[str, Job] = {}
    for number, (at, [job]) in enumerate(world.jobs.messages):
        late = at - job.effective_from > timedelta(seconds=3)
        held = held_from.get((job.name, number))
        # Pauses begin and end beyond what was published, or told of; also one that an edit ends
        # whose scheduler had not heard of it.
        is_of_pause = job.control is not None or former.get(job.name, job).paused_to is not None
        former[job.name] = job
        if held is not None and is_of_pause and held > job.effective_from:
            continue
        if held is None or (held != job.effective_from and not late):
            yield f"revision {number} of {job.name} holds from {held}, not {job.effective_from}"


def _multiples(job: Job, start: datetime, end: datetime) -> Iterator[datetime]:
    every = timedelta(seconds=int(job.schedule.removeprefix("@every ").removesuffix("s")))
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight - every * (-(start - midnight) // every)
    while due < end:
        yield due
        due += every


def _stories(ledgers: list[Ledger], due: set[tuple[str, datetime]]) -> dict[str, Story]:
    """Tell each run's verdicts; a skip counts for the due times that had none, and no run."""
    stories: defaultdict[str, Story] = defaultdict(Story)
    for ledger in ledgers:
        entered: set[str] = set()
        for news in ledger.book.news:
            if isinstance(news, SkipNews):
                for run in _skipped_by(news, due):
                    if run not in entered and not stories[run].final:
                        stories[run].verdicts.append("skipped")
            elif news.action in _VERDICTS or news.action == "withdrawn":
                stories[news.run.id].verdicts.append(news.action)
                stories[news.run.id].last = news.run
                entered.discard(news.run.id)
            else:
                entered.add(news.run.id)
    return stories


def _skipped_by(news: SkipNews, due: set[tuple[str, datetime]]) -> list[str]:
    return [
        f"{job}@{format_time(at)}"
        for job, at in due
        if job == news.job and news.from_at <= at <= news.to_at
    ]


def _skipped_for(ledgers: list[Ledger], reason: str) -> set[str]:
    return {
        news.run.id
        for ledger in ledgers
        for news in ledger.book.news
        if not isinstance(news, SkipNews) and news.text == f"skipped ({reason})"
    }


def _cancelled_by_people(folds: list[Folded], stories: dict[str, Story]) -> Iterator[str]:
    """What a person has cancelled is skipped, unless it was just about to succeed."""
    for run in sorted(set().union(*(folded.cancelled for folded in folds))):
        final = stories[run].final[:1]
        if final not in (["skipped"], ["succeeded"]):
            yield f"cancelled by a person, yet {final}: {run}"


def _set_back_by_whom(world: World) -> Iterator[str]:
    """Rule 18: a cursor is set back if no right clock had moved it, and by one that may fire.

    A clock that is off by less than the look-ahead may: it would publish from there on, too, and
    what that makes come twice is known.
    """
    for at, skew, cursor in world.set_back:
        if any(start <= at <= end for start, end in world.wrong):
            continue
        if abs(skew) > world.look_ahead_s:
            yield f"a cursor was set back at {at:.3f} by a clock that was off by {skew:.1f} s"
        elif cursor <= moment(at + world.look_ahead_s):
            yield f"a cursor was set back at {at:.3f} that was not ahead: {cursor}"


def _live(ledgers: list[Ledger]) -> Iterator[str]:
    for ledger in ledgers:
        for live in ledger.book.live.values():
            yield f"still {live.state}: {live.run.id}"


def _other_folds(world: World, folds: list[Folded]) -> Iterator[str]:
    """Compare each owner's fold, which may have begun from a row, with one of all that is left."""
    partitions = world.topics.partitions
    whole = [folded.from_start or folded.ledger for folded in folds]
    for worker in world.workers:
        for partition, owner in worker.member.owners.items():
            expected = whole[partition + partitions * worker.retry]
            if owner.ledger.book.next_offset != expected.book.next_offset:
                continue
            for name in _OF_A_FOLD:
                one, other = getattr(owner.ledger.book, name), getattr(expected.book, name)
                if one != other:
                    yield f"two folds differ in {name}: {one} and {other}"


def _never_forgotten(ledgers: list[Ledger]) -> Iterator[str]:
    """Rule 11: nothing is kept of a job of which nobody has told for days."""
    for ledger in ledgers:
        for job, mark in ledger.book.marks.items():
            silent = ledger.book.day - mark.heard
            if silent > marks.KEEP_DAYS and not mark.is_paused(ledger.book.at):
                yield f"kept, though nobody has mentioned it for {silent} days: {job}"


def _verdicts(
    world: World, due: set[tuple[str, datetime]], stories: dict[str, Story]
) -> Iterator[str]:
    expected = {f"{job}@{format_time(at)}" for job, at in due} | {run.id for run in world.manual}
    world.count["due times"] += len(expected)
    for run in sorted(expected):
        final = stories[run].final if run in stories else []
        world.count[final[0] if final else "no verdict"] += 1
        if len(final) != 1:
            yield f"{len(final)} verdicts: {run} {stories[run].verdicts if run in stories else []}"
    for run, story in sorted(stories.items()):
        if len(story.final) > 1 and run not in expected:
            yield f"several verdicts: {run} {story.verdicts}"


def _discards(world: World, stories: dict[str, Story]) -> Iterator[str]:
    logs = world.topics.of(f"{world.cluster_topic}.discarded")
    gone: dict[str, Discarded] = {}
    for log in logs:
        for _, [discarded] in log.messages:
            gone.setdefault(discarded.run.id, discarded)
    for run, story in stories.items():
        if story.final[:1] == ["discarded"] and run not in gone:
            yield f"discarded, but not on the topic: {run}"
        elif story.final[:1] != ["discarded"] and run in gone:
            yield f"on the discarded topic, but {story.verdicts}: {run}"
    for run, discarded in gone.items():
        yield from _gap(world, discarded.run)
        if run not in stories:
            yield f"on the discarded topic, but without a verdict: {run}"


def _attempts(world: World, stories: dict[str, Story], later: list[Ledger]) -> Iterator[str]:
    """Attempts count from 1 without a gap, on either log."""
    for run, story in stories.items():
        if story.last is not None and story.final and story.last.attempts:
            yield from _gap(world, story.last)
        if story.final == ["succeeded"] and not (story.last and story.last.attempts):
            yield f"succeeded without an attempt: {run}"
    for ledger in later:
        for news in ledger.book.news:
            if not isinstance(news, SkipNews) and news.action in _VERDICTS:
                yield from _gap(world, news.run)


def _gap(world: World, run: Run) -> Iterator[str]:
    if run.id in world.trust.renumbered:
        return
    numbers = [attempt.attempt for attempt in run.attempts or []]
    first = numbers[0] if len(numbers) == MAX_ATTEMPTS_CARRIED else 1
    if numbers != list(range(first, first + len(numbers))):
        yield f"attempts with a gap: {run.id} {numbers}"


def _gave_way(world: World, too_late: set[str]) -> Iterator[str]:
    """Rule 13: at_most_once: what was asked to give way before its `Started` never starts."""
    for start in world.starts:
        if start.key in too_late and not start.retry:
            yield f"started after it was asked to give way: {start.key}"
