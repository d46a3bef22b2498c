"""The course of events: what comes due, starts, waits, ends, and what follows from that.

Runs go the way that they go in the ledger (docs/design/the-way-of-a-run.md), but without what goes
wrong there: nobody dies, Kafka answers at once, and who is told to end ends at once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from heapq import heappop, heappush
from typing import Final

from cronstream.core.forecast.busy import Busiest
from cronstream.core.forecast.dues import epoch_s
from cronstream.core.forecast.figures import Forecast, JobFigures
from cronstream.core.forecast.gauge import Gauge
from cronstream.core.forecast.given import Crew, Span
from cronstream.core.forecast.lasting import Lasting
from cronstream.core.forecast.line import Line, line_of
from cronstream.core.forecast.pool import Pool
from cronstream.core.forecast.states import ForecastRun, JobState, Stage
from cronstream.core.ledger.retry import delay, noise
from cronstream.core.wire.enumerations import Ending
from cronstream.core.wire.runs import Job

#: What comes first at one moment.
END, RETRY, DUE, DEADLINE = range(4)
_SECOND: Final = timedelta(seconds=1)


class Course:
    """What happens, in the order of time.

    Attributes:
        number: How many runs there have been.
        states: Of each job.
    """

    def __init__(
        self, jobs: Sequence[Job], lasting: Mapping[str, Lasting], span: Span, crew: Crew
    ) -> None:
        self._span, self._start = span, epoch_s(span.start)
        self.number = 0
        self.states = [
            JobState(
                job,
                lasting[job.name],
                crew.worker_of(job.name),
                JobFigures(job),
                line_of(job),
            )
            for job in jobs
        ]
        self._by_name = {state.job.name: state for state in self.states}
        self._pools = {
            (cluster, retry): self._pool(cluster, retry, crew)
            for cluster in dict.fromkeys(job.cluster for job in jobs)
            for retry in (False, True)
        }
        self._events: list[tuple[float, int, int, ForecastRun]] = []
        self._busiest = Busiest()

    def _pool(self, cluster: str, retry: bool, crew: Crew) -> Pool:
        end = epoch_s(self._span.until)
        gauges = tuple(Gauge(self._start, end, self._span.step_s) for _ in range(2))
        return Pool(
            cluster,
            retry=retry,
            workers=crew.workers,
            slots=crew.slots,
            gauges=(gauges[0], gauges[1]),
        )

    # -- events ------------------------------------------------------------------------------------

    def advance(self, second: float, kind: int) -> None:
        """Let everything happen that comes before what is of a kind, at a time."""
        events, until = self._events, (second, kind)
        while events and events[0][:2] < until:
            at, what, _, run = heappop(events)
            if what == END:
                self._end(run, at)
            elif what == RETRY:
                self._retry(run, at)
            else:
                self._expire(run, at)

    def come(self, second: int, places: Sequence[int]) -> None:
        """Have a run of each of some jobs come due."""
        counts, due = second >= self._start, dict[str, list[str]]()
        for place in places:
            state = self.states[place]
            if counts:
                due.setdefault(state.job.cluster, []).append(state.job.name)
            within_s = state.job.start_within_s
            self.number += 1
            run = ForecastRun(state, counts, second, self.number, second, second)
            if within_s is not None:
                self._push(second + within_s, DEADLINE, run)
            self._enter(run, second)
        for cluster, names in due.items():
            self._busiest.note(second, cluster, names)

    def _enter(self, run: ForecastRun, now: float) -> None:
        state = run.of
        if run.counts:
            state.figures.runs += 1
            state.figures.overlapped += state.live > 0
        state.live += 1
        if state.line is None:
            self._admit(run, now)
        else:
            state.line.waiting.append(run)
            self._judge(state.line, now)

    def _follow(self, run: ForecastRun, now: float) -> None:
        """Have a run of each job come that follows a run, which has its verdict."""
        for one in run.of.job.then or ():
            state = self._by_name.get(one.job.name)  # None: it is left out, as its cluster may be.
            comes = one.on is Ending.SETTLED or (one.on is Ending.SUCCEEDED) == run.succeeds
            if state is not None and comes:
                self.number += 1
                self._enter(ForecastRun(state, run.counts, run.due, self.number, now, now), now)

    def _end(self, run: ForecastRun, now: float) -> None:
        if run.stage is not Stage.RUNNING:
            return  # It was replaced.
        self._release(run, now)
        figures = run.of.figures
        if run.succeeds or not run.is_retried:
            figures.discarded += run.counts and not run.succeeds
            self._settle(run, now)
            self._follow(run, now)
            return
        figures.retried += run.counts
        run.stage, run.attempt = Stage.RETRYABLE, run.attempt + 1
        failure = run.attempt - 1
        wait = delay(run.of.job.backoff, failure, noise=noise(run.id, failure))
        self._push(now + wait.total_seconds(), RETRY, run)

    def _retry(self, run: ForecastRun, now: float) -> None:
        if run.stage is Stage.RETRYABLE:
            run.not_before = run.ready = now
            self._admit(run, now)

    def _expire(self, run: ForecastRun, now: float) -> None:
        """Skip a run that has not started in time (rule 22)."""
        if run.attempt > 1 or run.stage not in (Stage.IN_LINE, Stage.WAITING):
            return
        run.of.figures.late += run.counts
        line = run.of.line
        if run.stage is Stage.WAITING or line is None:
            self._of(run).withdraw(run, now)
            self._settle(run, now)
        else:
            line.waiting.remove(run)
            self._close(run)

    def _push(self, at: float, kind: int, run: ForecastRun) -> None:
        heappush(self._events, (at, kind, run.number, run))

    # -- steps -------------------------------------------------------------------------------------

    def _of(self, run: ForecastRun) -> Pool:
        return self._pools[run.of.job.cluster, run.attempt > 1]

    def _admit(self, run: ForecastRun, now: float) -> None:
        if self._of(run).admit(run, now):
            self._begin(run, now)

    def _begin(self, run: ForecastRun, now: float) -> None:
        """Start an attempt, which has a slot."""
        state, figures = run.of, run.of.figures
        sample = state.lasting.of(run, run.attempt)
        job, timeout_s = state.job, state.job.timeout_s
        times_out = timeout_s is not None and sample.seconds > timeout_s
        run.succeeds = sample.succeeds and not times_out
        run.is_retried = run.attempt < job.max_attempts and (job.retry_on.timeouts or not times_out)
        state.running += 1
        figures.at_once = max(figures.at_once, state.running if now >= self._start else 0)
        if run.counts:
            self._of(run).note_start(run, now)
            if now > run.ready:
                figures.waited += 1
                figures.longest_wait_s = max(figures.longest_wait_s, now - run.ready)
        seconds = min(sample.seconds, timeout_s or sample.seconds)
        self._push(now + seconds, END, run)

    def _release(self, run: ForecastRun, now: float) -> None:
        run.of.running -= 1
        following = self._of(run).release(run, now)
        if following is not None:
            self._begin(following, now)

    def _settle(self, run: ForecastRun, now: float) -> None:
        """Let a run be over that has begun, and the next of its job begin."""
        self._close(run)
        if run.of.line is not None:
            run.of.line.begun.remove(run)
            self._judge(run.of.line, now)

    def _close(self, run: ForecastRun) -> None:
        run.stage = Stage.OVER
        run.of.live -= 1

    def _judge(self, line: Line[ForecastRun], now: float) -> None:
        """Let runs of a job that may not overlap begin, be skipped, or give way."""
        while True:
            for gone in line.surplus():
                gone.of.figures.skipped += gone.counts
                self._close(gone)
            following = line.next()
            if following is not None:
                following.ready = now
                self._admit(following, now)
                continue
            old = line.in_the_way()
            if old is None:
                return
            self._replace(old, now)
            line.begun.remove(old)

    def _replace(self, run: ForecastRun, now: float) -> None:
        run.of.figures.replaced += run.counts
        if run.stage is Stage.RUNNING:
            self._release(run, now)
        elif run.stage is Stage.WAITING:
            self._of(run).withdraw(run, now)
        self._close(run)

    # -- results -----------------------------------------------------------------------------------

    def result(self) -> Forecast:
        """Return what has come of it."""
        span = self._span
        length_s = (span.until - span.start) / _SECOND
        return Forecast(
            span.start,
            span.until,
            span.step_s,
            tuple(pool.figures(length_s) for pool in self._pools.values()),
            tuple(state.figures for state in self.states),
            self._busiest.found(),
        )
