"""What a worker claims, of the partitions that it owns: so much at once that all else goes on.

Here a run which may not overlap waits for the one before it: it is claimed once it may begin
(`Claimer._move_on`, rule 17). Others are claimed ahead, and wait for a slot in an executor.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from cronstream.core.ledger.deadline import is_too_late, skip_of
from cronstream.core.ledger.overlap import Begin
from cronstream.core.ledger.state import LiveRun
from cronstream.core.protocol.actions import key_of
from cronstream.core.protocol.heartbeats import Heartbeats
from cronstream.core.protocol.leaving import Leaver
from cronstream.core.protocol.owner import Owner
from cronstream.core.protocol.trusting import Trusting
from cronstream.core.timing import Timing
from cronstream.core.trust.judging import Standing
from cronstream.core.wire.entries import Claimed, Heartbeat, Owned, Started

#: So many runs are claimed at once, in some ten milliseconds (fifty where they are signed): then
#: others have their turn.
AT_ONCE: Final = 500


class Claimer(Leaver):
    """A worker, as far as it makes claims."""

    def __init__(self, me: str, timing: Timing) -> None:
        super().__init__(me, timing)
        self.heartbeats = Heartbeats(timing)
        self.trusting = Trusting()
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
        waits = partial(self.trusting.waits, partition)
        leaves = self._leaves(owner, now)
        claims = list(owner.claimable(now, self._room(), waits, leaves))
        if not claims:
            return
        self._claimed += len(claims)
        number = 0
        for live in claims:
            if is_too_late(live, now):
                self._append(partition, skip_of(live))
                continue
            number = number or self._next_beat(partition, mono)
            self.claiming[key_of(live.run.id, live.version)] = partition
            claim = Claimed(run=live.run.id, version=live.version, worker=self.me, number=number)
            self._append(partition, claim)

    def _leaves(self, _owner: Owner, _now: datetime) -> Callable[[LiveRun], bool]:
        """Return whether a run is left to others; nobody else is known of here."""
        return lambda _live: False

    def _move_on(self, partition: int, owner: Owner, now: datetime, mono: float) -> None:
        """Rule 17: let runs that may not overlap begin, or be skipped; or cancel another."""
        if not owner.ledger.book.lines:
            return
        number, free = 0, None
        for move in owner.lines.moves(now, self._room()):
            if not isinstance(move, Begin):
                self._append(partition, move)
                continue
            live = owner.ledger.book.live[move.run]
            if self.trusting.waits(partition, live):
                continue
            self._claimed += 1
            run, version = move.run, move.version
            number = number or self._next_beat(partition, mono)
            free = self._free_slots(now) if free is None else free - 1
            self.claiming[key_of(run, version)] = partition
            claim = Claimed(run=run, version=version, worker=self.me, number=number)
            self._append(partition, claim)
            if free > 0 and self.trusting.believes(live.run):
                self._begun.add(key_of(run, version))
                entry = Started(run=run, claim=version, worker=self.me, started_at=now)
                self._append(partition, entry)

    def _next_beat(self, partition: int, mono: float) -> int:
        return self.heartbeats.beat(partition, mono)

    def say_here(self, partition: int, mono: float) -> None:
        """Put a heartbeat on a partition's log."""
        number = self._next_beat(partition, mono)
        self._append(partition, Heartbeat(worker=self.me, number=number))

    def say_owned(self, partition: int) -> int:
        """Put on a partition's log that it is this worker's; return the number of that."""
        number = self.heartbeats.number()
        self._append(partition, Owned(worker=self.me, number=number))
        return number

    def _end_refused(self, now: datetime) -> None:
        for partition, entry in self.trusting.ends(self.me, self.ledgers, now):
            self._append(partition, entry)

    def _trusts(self, partition: int, key: str, live: LiveRun) -> bool:
        """Rule 21: what is refused ends in view; what nobody here can judge is given back."""
        judged = self.trusting.judge(live.run)
        if judged.standing is Standing.REFUSED:
            self.trusting.refuse(key, partition, live.run, judged)
        elif judged.standing is Standing.UNKNOWN_KEY:
            self._append(partition, self._release(key))
        return judged.standing is Standing.TRUSTED
