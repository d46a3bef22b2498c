"""A worker's heartbeats on each partition, and the leases that reading them back renews."""

from collections import deque
from collections.abc import Iterable, Iterator

from cronstream.core.protocol.actions import Lease
from cronstream.core.timing import Timing

_NEVER = float("-inf")
#: Heartbeats under way that are remembered: ten minutes of them.
_MOST_SENT = 600


class Heartbeats:
    """Numbers that go up from entry to entry, when they were sent, and what came back."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self._number = 0
        self._sent: dict[int, deque[tuple[int, float]]] = {}
        self._beat_at: dict[int, float] = {}
        self._leases: dict[int, float] = {}

    def number(self) -> int:
        """Return the next number, for an entry that renews nothing."""
        self._number += 1
        return self._number

    def beat(self, partition: int, mono: float) -> int:
        """Return the number of a heartbeat, or of a claim, that is sent now."""
        self._beat_at[partition] = mono
        self._sent.setdefault(partition, deque(maxlen=_MOST_SENT)).append((self.number(), mono))
        return self._number

    def due(self, partitions: Iterable[int], mono: float) -> set[int]:
        """Return those of the partitions for which it is time for the next heartbeat."""
        before = mono - self.timing.beat_s
        return {p for p in partitions if self._beat_at.get(p, _NEVER) <= before}

    def read_back(self, partition: int, number: int) -> float:
        """Rule 6: reading a heartbeat back renews the lease, from when it was sent.

        Returns:
            When it was sent; long ago, if it was read back before or was no heartbeat.
        """
        sent, at = self._sent.get(partition, deque()), _NEVER
        while sent and sent[0][0] <= number:
            at = sent.popleft()[1]
        if at > _NEVER:
            self._leases[partition] = at + self.timing.fence_s
        return at

    def renewed(self) -> Iterator[Lease]:
        """Yield each lease that was renewed since this was last asked."""
        if self._leases:
            for partition, until in self._leases.items():
                yield Lease(partition, until)
            self._leases.clear()
