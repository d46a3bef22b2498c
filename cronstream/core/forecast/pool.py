"""The workers of one role of a cluster: slots, and what waits for one.

The owner of a job's partition makes its runs: each run has its worker, and waits for a slot there
even if another has some (docs/design/the-way-of-a-run.md, known limit). What waits is started in
the order of due times.
"""

from heapq import heappop, heappush

from cronstream.core.forecast.dues import moment_of
from cronstream.core.forecast.figures import Level, PoolFigures
from cronstream.core.forecast.gauge import Gauge
from cronstream.core.forecast.states import ForecastRun, Stage


class Pool:
    """Workers that have as many slots each.

    Args:
        cluster: Theirs.
        retry: Whether they make later attempts.
        workers: How many there are.
        slots: Of each.
        gauges: Of slots in use, and of what waits.
    """

    def __init__(
        self, cluster: str, *, retry: bool, workers: int, slots: int, gauges: tuple[Gauge, Gauge]
    ) -> None:
        self._cluster, self._retry, self._slots = cluster, retry, workers * slots
        self._free = [slots] * workers
        self._waiting: list[list[tuple[float, int, ForecastRun]]] = [[] for _ in range(workers)]
        self._used, self._queued = gauges
        self._started = self._waited = 0
        self._longest_s, self._longest = 0.0, ""

    def admit(self, run: ForecastRun, now: float) -> bool:
        """Return whether there is a slot for a run that is due; else it waits."""
        worker = run.of.worker
        if self._free[worker]:
            self._occupy(run, now)
            return True
        run.stage = Stage.WAITING
        heappush(self._waiting[worker], (run.not_before, run.number, run))
        self._queued.set(now, self._queued.value + 1)
        return False

    def release(self, run: ForecastRun, now: float) -> ForecastRun | None:
        """Give a run's slot back; return the one that starts in it, if any waits."""
        self._free[run.of.worker] += 1
        self._used.set(now, self._used.value - 1)
        waiting = self._waiting[run.of.worker]
        while waiting:
            _, _, following = heappop(waiting)
            if following.stage is Stage.WAITING:
                self._queued.set(now, self._queued.value - 1)
                self._occupy(following, now)
                return following
        return None

    def withdraw(self, run: ForecastRun, now: float) -> None:
        """Let a run wait no longer."""
        run.stage = Stage.OVER
        self._queued.set(now, self._queued.value - 1)

    def note_start(self, run: ForecastRun, now: float) -> None:
        """Count a start, and how long it had to wait."""
        self._started += 1
        wait_s = now - run.ready
        if wait_s > 0:
            self._waited += 1
            if wait_s > self._longest_s:
                self._longest_s, self._longest = wait_s, run.id

    def figures(self, span_s: float) -> PoolFigures:
        """Return what came of it."""
        return PoolFigures(
            cluster=self._cluster,
            retry=self._retry,
            slots=self._slots,
            used=_level(self._used, span_s),
            waiting=_level(self._queued, span_s),
            started=self._started,
            waited=self._waited,
            longest_wait_s=self._longest_s,
            longest_wait=self._longest,
        )

    def _occupy(self, run: ForecastRun, now: float) -> None:
        run.stage = Stage.RUNNING
        self._free[run.of.worker] -= 1
        self._used.set(now, self._used.value + 1)


def _level(gauge: Gauge, span_s: float) -> Level:
    gauge.close()
    return Level(gauge.most, moment_of(gauge.most_at), gauge.total / span_s, tuple(gauge.highest))
