"""The attempts that an executor holds until their due instant, under go-aheads and leases.

Those that are due and wait for a slot are not kept apart here: `loop.py` counts the slots, and
asks for the next hold once one is free. Values in, values out: both clocks are passed in.
"""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

from cronstream.executor.protocol import Hold

#: Seconds that a key is remembered after it ended or was cancelled.
REMEMBERED_S = 3600.0
#: Most keys remembered: about 30 MB; beyond it the oldest are forgotten earlier.
MOST_REMEMBERED = 200_000

_Place: TypeAlias = tuple[float, int, str]


@dataclass(frozen=True, slots=True)
class _Memory:
    """A key that is over, remembered ``until`` (monotonic seconds)."""

    until: float
    has_started: bool


class Holds:
    """The holds that have not started, and the keys of those that have or never will.

    Order of starts is (time due, arrival) over all partitions. A hold whose partition has no
    lease when it is due steps aside until a new one comes, and holds up nobody. One that needs a
    go-ahead has its turn like any other: it is given its slot then, and keeps it until the
    go-ahead comes. So what is announced before it starts has a slot for sure, and nothing that is
    due later can keep taking it.
    """

    def __init__(self) -> None:
        self._holds: dict[str, tuple[_Place, Hold]] = {}
        self._arrivals = 0
        self._ready: list[_Place] = []
        self._needs_go: set[str] = set()
        #: Those that have their slot, and wait for their go-ahead; and those that have both.
        self._ready_to_go: set[str] = set()
        self._granted: list[str] = []
        self._needs_lease: defaultdict[str, list[_Place]] = defaultdict(list)
        self._leases: dict[str, float] = {}
        self._running: set[str] = set()
        self._gone: OrderedDict[str, _Memory] = OrderedDict()

    def __len__(self) -> int:
        return len(self._holds)

    def hold(self, hold: Hold) -> bool:
        """Hold ``hold``, unless its key was held before; say whether it is held now."""
        if hold.key in self._holds or hold.key in self._running or hold.key in self._gone:
            return False
        place = (hold.at, self._arrivals, hold.key)
        self._arrivals += 1
        self._holds[hold.key] = (place, hold)
        heappush(self._ready, place)
        if not hold.go:
            self._needs_go.add(hold.key)
        return True

    def go(self, key: str) -> None:
        """Let the hold ``key`` start when it is due; of no effect if it may already, or is gone."""
        self._needs_go.discard(key)
        if key in self._ready_to_go:
            self._ready_to_go.discard(key)
            self._granted.append(key)

    @property
    def slots(self) -> int:
        """How many that have not started have a slot."""
        return len(self._ready_to_go) + len(self._granted)

    def has_slot(self, key: str) -> bool:
        """Whether the hold ``key``, which has not started, has a slot."""
        return key in self._ready_to_go or key in self._granted

    def granted(self, *, monotonic: float) -> list[Hold]:
        """Return the holds to start at once that have their slots; they count as started."""
        holds = [self._holds[key][1] for key in self._granted]
        found = [hold for hold in holds if monotonic < self.fence_of(hold)]
        for hold in found:
            self._granted.remove(hold.key)
            self._begin(hold)
        return found

    def cancel(self, key: str, *, monotonic: float) -> bool:
        """Drop ``key`` for good; say whether it never started.

        A key that was never held, or was forgotten, has not started here: it is remembered, so
        that a hold that comes after its cancellation is refused.
        """
        if key in self._running:
            return False
        if key in self._gone:
            return not self._gone[key].has_started
        self._holds.pop(key, None)
        self._needs_go.discard(key)
        self._ready_to_go.discard(key)
        if key in self._granted:
            self._granted.remove(key)
        self._remember(key, monotonic, has_started=False)
        return True

    def lease(self, partition: str, until: float) -> None:
        """Let holds of ``partition`` start before ``until`` (monotonic seconds)."""
        self._leases[partition] = until
        for place in self._needs_lease.pop(partition, ()):
            heappush(self._ready, place)

    def fence_of(self, hold: Hold) -> float:
        """Return until when a hold may start, and run if it is fenced (monotonic seconds)."""
        return self._leases.get(hold.partition, float("-inf")) - (hold.ends_before_s or 0.0)

    def pop_due(self, *, now: float, monotonic: float) -> Hold | None:
        """Return the hold whose turn for a slot it is; None if there is none.

        It counts as started, unless it `waits_for_go`: then it has the slot, and waits.

        Args:
            now: Seconds since the epoch.
            monotonic: Seconds on the clock that leases are measured by.
        """
        while self._ready and self._ready[0][0] <= now:
            place = heappop(self._ready)
            _, hold = self._holds.get(place[2], (None, None))
            if hold is None:
                continue
            if monotonic < self.fence_of(hold):
                if hold.key in self._needs_go:
                    self._ready_to_go.add(hold.key)
                else:
                    self._begin(hold)
                return hold
            self._needs_lease[hold.partition].append(place)
        return None

    def waits_for_go(self, key: str) -> bool:
        """Whether a hold that was popped needs its go-ahead before it starts."""
        return key in self._ready_to_go

    def _begin(self, hold: Hold) -> None:
        del self._holds[hold.key]
        self._running.add(hold.key)

    def ended(self, key: str, *, monotonic: float) -> None:
        """Note that the hold ``key``, which was popped, has ended or could not be started."""
        self._running.discard(key)
        self._remember(key, monotonic, has_started=True)

    def next_at(self) -> float | None:
        """Return when the next hold is due; None if there is none."""
        return self._ready[0][0] if self._ready else None

    def clear(self) -> None:
        """Drop every hold: nothing starts any more."""
        self._holds.clear()
        self._needs_go.clear()
        self._ready_to_go.clear()
        self._granted.clear()
        self._ready.clear()
        self._needs_lease.clear()

    def _remember(self, key: str, monotonic: float, *, has_started: bool) -> None:
        self._gone[key] = _Memory(monotonic + REMEMBERED_S, has_started)
        while len(self._gone) > MOST_REMEMBERED or self._oldest().until <= monotonic:
            self._gone.popitem(last=False)

    def _oldest(self) -> _Memory:
        return next(iter(self._gone.values()))
