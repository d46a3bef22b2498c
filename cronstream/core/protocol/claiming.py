"""What a worker claims, of the partitions that it owns: so much at once that all else goes on."""

from datetime import datetime
from typing import Final

from cronstream.core.ledger.overlap import Begin
from cronstream.core.protocol.actions import key_of
from cronstream.core.protocol.heartbeats import Heartbeats
from cronstream.core.protocol.holder import Holder
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Claimed, Started

#: So many runs are claimed at once, in some ten milliseconds: then others have their turn.
AT_ONCE: Final = 500


class Claimer(Holder):
    """A worker, as far as it makes claims."""

    def __init__(self, me: str, timing: Timing) -> None:
        super().__init__(me, timing)
        self.heartbeats = Heartbeats(timing)
        #: How many it has claimed since it was woken last.
        self._claimed = 0

    @property
    def has_more(self) -> bool:
        """Whether it is to be woken again at once: there may be more to claim."""
        return self._claimed >= AT_ONCE

    def _room(self) -> int:
        room = self.timing.max_claims - len(self.holding) - len(self.claiming)
        return min(room, AT_ONCE - self._claimed)

    def _claim(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        if not owner.ledger.book.waiting:
            return
        claims = list(owner.claimable(now, self._room()))
        if not claims:
            return
        self._claimed += len(claims)
        number = self._next_beat(partition, mono)
        for live in claims:
            self.claiming[key_of(live.run.id, live.version)] = partition
            claim = Claimed(run=live.run.id, version=live.version, worker=self.me, number=number)
            self._append(partition, claim)

    def _move_on(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        """Rule 17: let runs that may not overlap begin, or be skipped; or cancel another."""
        if not owner.ledger.book.lines:
            return
        number, free = 0, None
        for move in owner.lines.moves(now, self._room()):
            if not isinstance(move, Begin):
                self._append(partition, move)
                continue
            self._claimed += 1
            run, version = move.run, move.version
            number = number or self._next_beat(partition, mono)
            free = self._free_slots(now) if free is None else free - 1
            self.claiming[key_of(run, version)] = partition
            claim = Claimed(run=run, version=version, worker=self.me, number=number)
            self._append(partition, claim)
            if free > 0:
                self._begun.add(key_of(run, version))
                entry = Started(run=run, claim=version, worker=self.me, started_at=now)
                self._append(partition, entry)

    def _next_beat(self, partition: int, mono: float) -> int:
        return self.heartbeats.beat(partition, mono)
