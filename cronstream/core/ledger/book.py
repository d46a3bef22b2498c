"""The state of a ledger with its indexes, and the few ways in which it changes."""

import heapq
from collections import Counter
from datetime import datetime

from cronstream.core.ledger.state import KEEP, LONG_AGO, Beat, LiveRun, Mark, News, SkipNews, State
from cronstream.core.records import Run, Verdict, format_clock


class Book:
    """What a ledger has written down.

    Attributes:
        retry: Whether it is the retry log.
        offset: Of the message that is being folded, or was last.
        next_offset: Everything before this offset has been folded.
        now: When the last message was appended, by the log's clock (UTC).
        live: Runs without a verdict, by id.
        marks: What is kept of each job's scheduled runs, by job.
        recent: Attempt, verdict and time of settled runs that no schedule's mark guards, by id.
        beats: The last that was heard of each worker, the one heard last at the end.
        held: Ids of the runs on which each worker's claim stands.
        deciding: Version of each run whose decision is not yet published, by id.
        waiting: Heap of (not before, version, id) of queued runs; it may hold outdated ones.
        refused: How many entries changed nothing, by kind or reason.
        news: What changed since somebody last emptied it.
    """

    def __init__(self, *, retry: bool) -> None:
        self.retry = retry
        self.offset = -1
        self.next_offset = 0
        self.now = LONG_AGO
        self.live: dict[str, LiveRun] = {}
        self.marks: dict[str, Mark] = {}
        self.recent: dict[str, tuple[int, Verdict, datetime]] = {}
        self.beats: dict[str, Beat] = {}
        self.held: dict[str, set[str]] = {}
        self.deciding: dict[str, int] = {}
        self.waiting: list[tuple[datetime, int, str]] = []
        self.refused: Counter[str] = Counter()
        self.news: list[News | SkipNews] = []
        self._of_job: dict[str, set[str]] = {}

    def scheduled_runs(self, job: str) -> list[LiveRun]:
        """Return the live runs of a job that its schedule asked for, by due time."""
        found = [self.live[run_id] for run_id in self._of_job.get(job, ())]
        return sorted(
            (live for live in found if live.run.cause is None), key=lambda x: x.run.scheduled_at
        )

    def mark(self, job: str) -> Mark:
        """Return what is kept of a job's scheduled runs."""
        return self.marks.setdefault(job, Mark())

    def enter(self, run: Run) -> None:
        """Take a run in, or its next attempt."""
        self.remove(run.id)
        self.queue(LiveRun(run, self.offset))

    def queue(self, live: LiveRun) -> None:
        """Let an attempt wait for a claim."""
        self.unindex(live.run.id)
        live.state, live.holder, live.claim, live.version = State.QUEUED, None, None, self.offset
        self.index(live)
        self.say(live.run, "queued", f"queued, due {format_clock(live.run.not_before)}")

    def remove(self, run_id: str) -> None:
        """Let go of a run, whatever it is waiting for."""
        self.unindex(run_id)
        live = self.live.pop(run_id, None)
        if live is not None:
            runs = self._of_job[live.run.job]
            runs.discard(run_id)
            if not runs:
                del self._of_job[live.run.job]

    def index(self, live: LiveRun) -> None:
        """Find it again by what it is waiting for; also used when a row is read back."""
        run_id = live.run.id
        self.live[run_id] = live
        self._of_job.setdefault(live.run.job, set()).add(run_id)
        if live.state is State.QUEUED:
            heapq.heappush(self.waiting, (live.run.not_before, live.version, run_id))
        elif live.state is State.DECIDING:
            self.deciding[run_id] = live.version
        elif live.holder is not None:
            self.held.setdefault(live.holder, set()).add(run_id)

    def unindex(self, run_id: str) -> None:
        """Forget what a run is waiting for; before it changes."""
        self.deciding.pop(run_id, None)
        live = self.live.get(run_id)
        if live is not None and live.holder is not None:
            runs = self.held.get(live.holder, set())
            runs.discard(run_id)
            if not runs:
                self.held.pop(live.holder, None)

    def hear(self, worker: str, number: int) -> None:
        """Note a worker's heartbeat, unless a newer one was heard."""
        beat = self.beats.pop(worker, None)
        newer = beat is None or number > beat.number
        self.beats[worker] = Beat(number, self.now) if newer or beat is None else beat

    def forget(self) -> None:
        """Keep memory bounded: what is older than `KEEP` by the log's time is dropped."""
        bound = self.now - KEEP
        while self.recent:
            oldest = next(iter(self.recent))
            if self.recent[oldest][2] >= bound:
                break
            del self.recent[oldest]
        while self.beats:
            worker = next(iter(self.beats))
            if self.beats[worker].at >= bound or self.held.get(worker):
                break
            del self.beats[worker]

    def say(self, run: Run, action: str, text: str) -> None:
        """Tell a change of a run's state."""
        self.news.append(News(run, action, text))
