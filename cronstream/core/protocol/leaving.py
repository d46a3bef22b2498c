"""What a worker still starts of partitions that it leaves: what is due before their next owner can.

It leaves all of them when it is to stop, and some when a rebalance gives them to another. Until
that one has read the log, nobody claims there; so what is due within `HAND_OVER` is started where
it is claimed, and only what is due later is given back. Then the next owner is left what is due
after `SOON`: the time that it takes to claim it.

That it has read the log it shows by a claim, or a heartbeat, behind its `Owned`: whoever owns a
partition on which another holds something sends one at once.
"""

from datetime import datetime, timedelta
from typing import Final

from cronstream.core.protocol.holder import Holder, Holding
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Claimed, Heartbeat, Owned

#: As long as a rebalance takes, at most.
HAND_OVER: Final = timedelta(seconds=10)
#: As long as giving back takes, and being claimed by another, on a machine that is far too busy.
SOON: Final = timedelta(seconds=3)
#: What is due for so long and has not started waits for a slot: another may have one.
_WAITS: Final = timedelta(seconds=0.5)


class Leaver(Holder):
    """A worker, as far as it makes what it has claimed on partitions that are another's."""

    def __init__(self, me: str, timing: Timing) -> None:
        super().__init__(me, timing)
        #: Partitions that it leaves; and up to which due time it starts what it has there, once
        #: that is known.
        self._left: dict[int, datetime | None] = {}
        #: Who said last, of a partition, that it owns it; and those that have read it since.
        self._owned_by: dict[int, str] = {}
        self._succeeded: set[int] = set()

    def _leave(self, partitions: set[int]) -> None:
        """Give back what of these may not stay; with the next turn, what is not due soon."""
        for partition in partitions:
            self._left.setdefault(partition, None)
        self._cancel_unstarted(partitions, _may_stay)

    def _note_owner(self, partition: int, entry: Heartbeat | Claimed | Owned) -> None:
        """Note who owns a partition, and whether another claims there from now on."""
        if isinstance(entry, Owned):
            self._owned_by[partition] = entry.worker
            self._succeeded.discard(partition)
        elif entry.worker != self.me and entry.worker == self._owned_by.get(partition):
            self._succeeded.add(partition)

    def _give_back(self, now: datetime) -> None:
        """Give back what others are to start of what is left."""
        for partition, last in list(self._left.items()):
            until = now + (SOON if partition in self._succeeded else HAND_OVER)
            if last is None or until < last:
                self._left[partition] = until
                self._cancel_but(partition, now - _WAITS, until)
            elif last + _WAITS < now:
                del self._left[partition]
                self._cancel_unstarted({partition})

    def _cancel_but(self, partition: int, first: datetime, last: datetime) -> None:
        """Cancel what has not started, but for what is due between these, and may stay."""
        self._cancel_unstarted(
            {partition},
            lambda held: _may_stay(held) and first <= held.run.not_before <= last,
        )


def _may_stay(held: Holding) -> bool:
    """Whether it starts when it is due without anything being read back, and is let end then."""
    return held.go and not held.told and held.run.drain_s != 0
