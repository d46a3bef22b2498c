"""The state of a ledger with its indexes, and the few ways in which it changes."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from cronstream.core.ledger.mark import LONG_AGO, Mark
from cronstream.core.ledger.places import Place, add_place
from cronstream.core.ledger.state import (
    KEEP,
    KEEP_HANDED_OVER,
    KEEP_LEAST,
    OWN_TIME_SINCE,
    Beat,
    Beginning,
    Ended,
    LiveRun,
    News,
    Refusal,
    SkipNews,
    State,
)
from cronstream.core.wire.entries import Entry, Level
from cronstream.core.wire.enumerations import AUTOMATIC, Overlap, Verdict
from cronstream.core.wire.levels import LEVEL, needed_level
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_clock
from cronstream.errors import LevelError

#: The span by which `Book.day` counts.
DAY: Final = timedelta(days=1)
#: To ask the class each time would take as long as all else (Python 3.11).
_ALLOW, _QUEUED, _DECIDING = Overlap.ALLOW, State.QUEUED, State.DECIDING
#: Four of a run are made: this takes half as long as to call the class.
_news: Final[Callable[[tuple[Run, str, str, str, bool]], News]] = partial(tuple.__new__, News)


class Book:
    """What a ledger has written down.

    Attributes:
        retry: Whether it is the retry log.
        day: How many days there have been messages on, by the log's time: where a clock leaps, it
            goes on by one all the same. By it marks are forgotten, so it begins at level 2.
        today: The day of the last message, as a number.
        known: The highest level that this process knows.
        level: The highest that was announced on the log, if this process knows it.
        assumed: What is taken as announced if the log's beginning is gone.
        learns: Whether revisions are learnt from runs at any level, since what came before the
            first message is not known here.
        beginning: Where the fold has begun in the middle of the log, as long as that matters.
        closed: Why nothing more is folded: the log was raised above what is known.
        aside: Why entries of the message that was folded last were put aside: above `level`, or
            beyond all bounds.
        offset: Of the message that is being folded, or was last.
        next_offset: Everything before this offset has been folded.
        now: When the last message was appended, by the log's clock (UTC); it never goes back.
        at: When the message that is being folded was appended: a broker's clock that was wrong for
            a while is wrong for what was appended then, and for nothing that comes later. At
            level 1, the same as `now`.
        live: Runs without a verdict, by id.
        marks: What is kept of each job's scheduled runs, by job.
        recent: Attempt, verdict and time of settled runs that no schedule's mark guards, by id.
        handed_over: When what follows a run of another cluster had its verdict, by id: it is known
            for longer, since whoever hands it over may have been away when it was handed over.
        beats: The last that was heard of each worker, the one heard last at the end.
        held: Ids of the runs on which each worker's claim stands.
        deciding: Version of each run whose decision is not yet published, by id.
        waiting: Heap of (not before, version, id) of queued runs; it may hold outdated ones.
        lines: Ids of the queued runs that have not begun and may not overlap, by job (rule 17).
        stirred: Jobs with such runs of which something has changed; the owner empties it.
        asks: Whether a holder was asked to give back what it holds, since its job is paused; the
            member that has looked resets it.
        refused: How many entries changed nothing, by kind or reason.
        turned_away: What was refused of the message that was folded last.
        ended: The attempts that have ended by the message that was folded last.
        news: What changed since somebody last emptied it.
    """

    def __init__(self, *, retry: bool, known: int = LEVEL) -> None:
        self.retry, self.known = retry, known
        self.level = self.assumed = 1
        self.learns = False
        self.beginning: Beginning | None = None
        self.closed: LevelError | None = None
        self.aside: list[str] = []
        self.offset = -1
        self.next_offset = 0
        self.now = self.at = LONG_AGO
        self.day = self.today = 0
        self.live: dict[str, LiveRun] = {}
        self.marks: dict[str, Mark] = {}
        self.recent: dict[str, tuple[int, Verdict, datetime]] = {}
        self.handed_over: dict[str, datetime] = {}
        self.beats: dict[str, Beat] = {}
        self.held: dict[str, set[str]] = {}
        self.deciding: dict[str, int] = {}
        self.waiting: list[Place] = []
        self.lines: dict[str, set[str]] = {}
        self.stirred: set[str] = set()
        self.asks = False
        self.refused: Counter[str] = Counter()
        self.turned_away: list[Refusal] = []
        self.ended: list[Ended] = []
        self.news: list[News | SkipNews] = []
        self._of_job: dict[str, set[str]] = {}

    def heed_levels(self, entries: list[Entry]) -> None:
        """See that a message, of which nothing is folded yet, raises the log no higher than known.

        Raises:
            LevelError: If it does, or a message before it has done so.
        """
        for entry in entries:
            if isinstance(entry, Level) and entry.level > self.known:
                self.closed = self.closed or LevelError(entry.level, self.known, entry.version)
        if self.closed is not None:
            raise self.closed

    @property
    def log_time(self) -> datetime | None:
        """When the message was appended: it bounds how far a floor moves; None at level 1."""
        return self.at if self.level >= OWN_TIME_SINCE else None

    def raise_level(self, level: int) -> None:
        """From here on entries of a level count."""
        self.level = max(self.level, level)

    def put_aside(self, entry: Entry) -> None:
        """Refuse an entry of a level that was not announced."""
        self.refused["level"] += 1
        what = f"{type(entry).__name__} of level {needed_level(entry)}"
        self.aside.append(f"{what}, which was not announced here (level {self.level} was)")

    def refuse(self, why: str) -> None:
        """Refuse an entry with a number beyond all bounds."""
        self.refused["bounds"] += 1
        self.aside.append(why)

    def scheduled_runs(self, job: str) -> list[LiveRun]:
        """Return the live runs of a job that its schedule asked for, by due time."""
        return [live for live in self.automatic_runs(job) if live.run.cause is None]

    def automatic_runs(self, job: str) -> list[LiveRun]:
        """Return those, and the ones that follow others, by due time, then id."""
        found = (self.live[run_id] for run_id in self._of_job.get(job, ()))
        automatic = (live for live in found if live.run.cause in AUTOMATIC)
        return sorted(automatic, key=lambda live: (live.run.scheduled_at, live.run.id))

    def line(self, job: str) -> list[LiveRun]:
        """Return the runs of a job in `lines`, by due time, then offset."""
        found = [self.live[run_id] for run_id in self.lines.get(job, ())]
        return sorted(found, key=lambda live: (live.run.not_before, live.version))

    def begun_of(self, job: str) -> list[LiveRun]:
        """Return the runs of a job that have begun, or are about to, and have no verdict."""
        found = [self.live[run_id] for run_id in sorted(self._of_job.get(job, ()))]
        return [live for live in found if live.begun or (live.held and self.is_judged(live))]

    def is_judged(self, live: LiveRun) -> bool:
        """Whether the overlap policy says when it begins; on a retry log every run has begun."""
        return live.run.overlap is not _ALLOW and not live.begun and not self.retry

    def stir(self, job: str) -> None:
        """Have the owner judge a job again, if any of its runs is in a line."""
        if job in self.lines:
            self.stirred.add(job)

    def mark(self, job: str) -> Mark:
        """Return what is kept of a job's scheduled runs, of which the log says something now."""
        mark = self.marks.get(job)
        if mark is None:
            mark = self.marks[job] = Mark(watched_since=self.at)
        mark.heard = self.day
        return mark

    def begin_day(self) -> None:
        """Rule 11: with each day forget the marks of jobs that are over, and former revisions.

        A job that has a run without a verdict is still being heard of, and one that is paused is
        not forgotten: one without a schedule may be silent, and is still not to follow others.
        By the log's time only, so that every fold of it forgets the same; one that began in the
        middle counts other days, but as many between two messages.
        """
        today = (self.at - LONG_AGO) // DAY
        if today > self.today:
            self.day += 1
            for job, mark in list(self.marks.items()):
                if job in self._of_job:
                    mark.heard = self.day
                elif mark.is_over(self.day) and not mark.is_paused(self.at):
                    del self.marks[job]
                else:
                    mark.begin_day()
        self.today = today

    def enter(self, run: Run) -> LiveRun:
        """Take a run in, or its next attempt."""
        self.remove(run.id)
        is_doubtful = self.beginning is not None and self.beginning.may_follow(run)
        live = LiveRun(run, self.offset, entered=self.offset if is_doubtful else None)
        self.queue(live)
        return live

    def queue(self, live: LiveRun) -> None:
        """Let an attempt wait for a claim."""
        self.unindex(live)
        live.state, live.holder, live.claim, live.version = State.QUEUED, None, None, self.offset
        self.index(live)
        due = format_clock(live.run.not_before)
        self.say(live.run, "queued", f"queued, due {due}", is_detail=True)

    def remove(self, run_id: str) -> None:
        """Let go of a run, whatever it is waiting for."""
        live = self.live.pop(run_id, None)
        if live is not None:
            self.unindex(live)
            runs = self._of_job[live.run.job]
            runs.discard(run_id)
            if not runs:
                del self._of_job[live.run.job]
            if self.lines:
                self.stir(live.run.job)

    def index(self, live: LiveRun) -> None:
        """Find it again by what it is waiting for; also used when a row is read back."""
        run_id, job, state = live.run.id, live.run.job, live.state
        self.live[run_id] = live
        self._of_job.setdefault(job, set()).add(run_id)
        if state is _QUEUED:
            self.await_claim(live)
        elif state is _DECIDING:
            self.deciding[run_id] = live.version
        elif live.holder is not None:
            self.held.setdefault(live.holder, set()).add(run_id)
        if self.lines:
            self.stir(job)

    def await_claim(self, live: LiveRun) -> None:
        """Have the owner find a queued run, in the line of its job or by its time."""
        run = live.run
        if self.is_judged(live):
            self.lines.setdefault(run.job, set()).add(run.id)
            return
        add_place(self.waiting, (run.not_before, live.version, run.id), self.live)

    def unindex(self, live: LiveRun) -> None:
        """Forget what a run is waiting for; before it changes."""
        run_id = live.run.id
        if live.state is _DECIDING:
            self.deciding.pop(run_id, None)
        if self.lines:
            self._leave_line(live)
        if live.holder is not None:
            runs = self.held.get(live.holder, set())
            runs.discard(run_id)
            if not runs:
                self.held.pop(live.holder, None)

    def _leave_line(self, live: LiveRun) -> None:
        line = self.lines.get(live.run.job)
        if line is not None:
            line.discard(live.run.id)
            if not line:
                del self.lines[live.run.job]

    def hear(self, worker: str, number: int) -> None:
        """Note a worker's heartbeat, unless a newer one was heard."""
        beat = self.beats.pop(worker, None)
        newer = beat is None or number > beat.number
        self.beats[worker] = Beat(number, self.at) if newer or beat is None else beat

    def forget(self) -> None:
        """Keep memory bounded: what is older than `KEEP` by the log's time is dropped."""
        least = KEEP_LEAST if self.level >= OWN_TIME_SINCE else 0
        while len(self.recent) > least:
            oldest = next(iter(self.recent))
            if self.recent[oldest][2] >= self.at - KEEP:
                break
            del self.recent[oldest]
        while self.handed_over:
            oldest = next(iter(self.handed_over))
            if self.handed_over[oldest] >= self.at - KEEP_HANDED_OVER:
                break
            del self.handed_over[oldest]
        while self.beats:
            worker = next(iter(self.beats))
            if abs(self.at - self.beats[worker].at) <= KEEP or self.held.get(worker):
                break
            del self.beats[worker]

    def say(
        self, run: Run, action: str, text: str, reason: str = "", *, is_detail: bool = False
    ) -> None:
        """Note a change of a run's state."""
        self.news.append(_news((run, action, text, reason, is_detail)))
