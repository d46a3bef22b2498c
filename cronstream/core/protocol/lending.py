"""Rule 26: no run waits for a slot of its owner's while another worker of the role has one free.

The owner of a partition claims its runs, so one with few slots makes them wait beside an idle
worker. Then it **lends** them: it gives back what has waited for a slot for a moment, and claims it
again as it has slots free, or once its turn for one has come (`Turns`). A worker with free slots
**borrows**: it reads the partitions that others lend from as if it held something there, and claims
what is due and waits. From then on it is a holder like any other: the fold asks of a claim which
version it names, not who owns the log.

Nothing on a log says that a run is lent. Who lends, and from where, each worker announces of
itself; that may be late, or lost, and costs time only.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.deadline import is_too_late, skip_of
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.places import waits_at
from cronstream.core.ledger.state import LiveRun, State, starts_after_word
from cronstream.core.protocol.actions import Cancel, key_of, run_and_claim
from cronstream.core.protocol.claiming import Claimer
from cronstream.core.protocol.owner import Owner
from cronstream.core.protocol.turns import Turns
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Claimed, Finished

#: Readers of a log know a borrower's claim from an owner's from this level on.
LENT_SINCE: Final = 4
#: What has waited for a slot for so long is lent.
_WAITS: Final = timedelta(seconds=0.3)
#: A worker keeps slots for what it has claimed itself and is due within this.
_OWN_FIRST: Final = timedelta(seconds=1)
#: Between two looks whether something is to be lent, or borrowed (seconds): each counts slots.
_LEND_S: Final = 0.1
_BORROW_S: Final = 0.01
#: Between two looks whether what waits comes too late: each looks at all that does.
_SKIP_S: Final = 1.0
#: For each slot of those who may borrow, so many runs are there to be borrowed.
_FOR_EACH_SLOT: Final = 2
#: For each slot that may be free, a borrower looks at so many runs of a partition: thousands wait.
_CHOICE: Final = 4
#: So many runs of a partition are looked at, at most: it takes a moment.
_LOOKED_AT: Final = 5_000
#: A partition is read for so long after something was last lent from it (seconds).
_READ_ON_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Others:
    """What the other workers of the role have announced.

    Attributes:
        slots: Those of all that lend nothing: they may have some free.
        lending: The partitions that others lend from.
    """

    slots: int = 0
    lending: frozenset[int] = frozenset()


class Lender(Claimer):
    """A worker, as far as it lends and borrows.

    Attributes:
        others: What is known of the others.
        lending: The partitions of its own that it lends from.
        borrowing: Until when it reads partitions that others lend from (monotonic seconds).
        borrowed: How many attempts it has handed to its executor that others had lent.
        rebalancing: Whether a rebalance is under way: nothing is lent or borrowed meanwhile.
        owners: Its assignments, by partition.
    """

    def __init__(self, me: str, timing: Timing) -> None:
        super().__init__(me, timing)
        self.owners: dict[int, Owner] = {}
        self.rebalancing = False
        self.others = Others()
        self.lending: frozenset[int] = frozenset()
        self.borrowing: dict[int, float] = {}
        self.borrowed = 0
        #: Keys of claims on what is lent.
        self._borrowed: set[str] = set()
        #: Keys of what it has skipped since it came too late, until that is read back.
        self._skipped: set[str] = set()
        self._lends_again_at = self._borrows_again_at = self._skips_again_at = float("-inf")
        self._turns = Turns(timing.slots)
        #: Partition of each claim that it gave up to lend, until somebody has claimed again.
        self._lent: dict[str, int] = {}

    def finished(self, key: str, entry: Finished) -> None:
        """Note that an attempt has ended, and its slot is free."""
        self._turns.note_end()
        super().finished(key, entry)

    def to_load(self) -> set[int]:
        """Return the partitions that it is to read and has no ledger of."""
        return self.borrowing.keys() - self.ledgers.keys()

    def lend_ledger(self, partition: int, ledger: Ledger) -> None:
        """Take a partition's last snapshot, to read on from there, if that is still wanted."""
        if partition in self.to_load():
            self.ledgers[partition] = ledger

    def _trade(self, now: datetime, mono: float) -> None:
        """Lend, or borrow, if others do the one or the other."""
        if self.draining or self.rebalancing or not self.others.slots:
            self.lending = frozenset()
        else:
            self._lend(now, mono)
        stays = not (self.draining or self.rebalancing)
        if stays and (self.others.lending or self.borrowing):
            self._borrow(now, mono)

    # -- lending ------------------------------------------------------------------------------

    def _lend(self, now: datetime, mono: float) -> None:
        if mono < self._lends_again_at:
            return
        self._lends_again_at = mono + _LEND_S
        self._turns.look(mono, self._claimed_by_others())
        if len(self.holding) < self.timing.slots or self._free_slots(now) > 0:
            self._turns.nobody_waits()
            self.lending = frozenset()
            return
        if mono >= self._skips_again_at:
            self._skips_again_at = mono + _SKIP_S
            self._skip_late(now)
        enough = _FOR_EACH_SLOT * self.others.slots
        there = [
            partition
            for partition, owner in self.owners.items()
            if self._is_lent_from(owner)
            for _ in islice(waiting(owner.ledger.book, now), enough)
        ]
        there += (h.partition for h in self.holding.values() if h.giving_up and not h.started)
        kept = sorted(self._kept_waiting(now))
        self._turns.note_line([since for since, _ in kept], now)
        more = min(enough, self._turns.may_lend(mono)) - len(there)
        for _, key in kept[self._turns.soon :][: max(0, more)]:
            self.holding[key].giving_up = True
            self._lent[key] = self.holding[key].partition
            self.actions.append(Cancel(key))
        self.lending = frozenset([*there, *(self.holding[key].partition for _, key in kept)])

    def _claimed_by_others(self) -> int:
        """Return how much of what it has lent others have claimed, and forget it."""
        number = 0
        for key, partition in list(self._lent.items()):
            owner, run_id = self.owners.get(partition), run_and_claim(key)[0]
            live = owner.ledger.book.live.get(run_id) if owner else None
            if live is None or (live.state is not State.QUEUED and key not in self.holding):
                number += owner is not None and (live is None or live.holder != self.me)
                del self._lent[key]
        return number

    def _skip_late(self, now: datetime) -> None:
        """Rule 22: what comes too late is skipped, also behind what is left to others."""
        late = {
            key_of(live.run.id, live.version): (partition, live)
            for partition, owner in self.owners.items()
            if self._is_lent_from(owner)
            for live in _queued(owner.ledger.book, now)
            if is_too_late(live, now)
        }
        for key in late.keys() - self._skipped:
            partition, live = late[key]
            self._append(partition, skip_of(live))
        self._skipped = set(late)

    def _kept_waiting(self, now: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield since when what may be lent waits for a slot here, and its key."""
        for key, held in self.holding.items():
            since = held.run.not_before
            if held.started or held.giving_up or since + _WAITS > now:
                continue
            owner, live = self.owners.get(held.partition), self._standing(held.partition, key)
            if owner is None or live is None or not self._is_lent_from(owner):
                continue
            if may_be_lent(live, retry=owner.ledger.book.retry):
                yield since, key

    def _is_lent_from(self, owner: Owner) -> bool:
        return owner.ready and owner.ledger.book.level >= LENT_SINCE

    def _leaves(self, owner: Owner, now: datetime) -> Callable[[LiveRun], bool]:
        """Return whether a run is left to others: what waits is claimed only for a slot."""
        if not self.others.slots or not self._is_lent_from(owner):
            return super()._leaves(owner, now)
        free: int | None = None
        retry = owner.ledger.book.retry

        def leaves(live: LiveRun) -> bool:
            nonlocal free
            if not _waits(live, now, retry=retry) or self._turns.comes(live.run.not_before):
                return False
            free = (self._free_slots(now) if free is None else free) - 1
            return free < 0

        return leaves

    # -- borrowing ----------------------------------------------------------------------------

    def _borrow(self, now: datetime, mono: float) -> None:
        if mono < self._borrows_again_at:
            return
        self._borrows_again_at = mono + _BORROW_S
        free = self._free_slots(now + _OWN_FIRST)
        if free > 0:
            wanted = self.others.lending - self.owners.keys()
            self.borrowing.update(dict.fromkeys(wanted, mono + _READ_ON_S))
        still = [p for p, until in self.borrowing.items() if until >= mono and p not in self.owners]
        self.borrowing = {partition: self.borrowing[partition] for partition in still}
        if free <= 0:
            return
        # Several look at the same runs: each begins with others of the first few.
        number = max(free, self.others.slots)
        offered = self._offered(now, _CHOICE * number)
        some = sorted(offered, key=lambda found: (found[0], found[2].run.id))[:number]
        for _, partition, live in sorted(some, key=lambda found: self._rank(found[2]))[:free]:
            self._claim_lent(partition, live, mono)

    def _offered(self, now: datetime, most: int) -> Iterator[tuple[datetime, int, LiveRun]]:
        for partition in self.borrowing:
            ledger = self.ledgers.get(partition)
            if ledger is None or ledger.book.level < LENT_SINCE:
                continue
            for live in islice(filter(self._may_claim, waiting(ledger.book, now)), most):
                yield live.run.not_before, partition, live

    def _may_claim(self, live: LiveRun) -> bool:
        is_claimed = key_of(live.run.id, live.version) in self.claiming
        return not is_claimed and self.trusting.believes(live.run)

    def _rank(self, live: LiveRun) -> bytes:
        return hashlib.blake2b(f"{live.run.id} {self.me}".encode(), digest_size=8).digest()

    def _claim_lent(self, partition: int, live: LiveRun, mono: float) -> None:
        key = key_of(live.run.id, live.version)
        self.claiming[key] = partition
        self._borrowed.add(key)
        claim = Claimed(
            run=live.run.id,
            version=live.version,
            worker=self.me,
            number=self._next_beat(partition, mono),
            borrowed=True,
        )
        self._append(partition, claim)


def may_be_lent(live: LiveRun, *, retry: bool) -> bool:
    """Whether a run may be made by a worker that does not own its partition.

    Not what may not overlap, or is made at most once; nor what may have ended executors or workers.
    """
    if live.unsure or live.alone or live.cancelled or live.asked_to_give_way:
        return False
    return not starts_after_word(live.run, retry=retry)


def waiting(book: Book, now: datetime) -> Iterator[LiveRun]:
    """Return what may be lent of a partition and waits for a claim; of very many, some."""
    return (live for live in _queued(book, now) if _waits(live, now, retry=book.retry))


def _queued(book: Book, now: datetime) -> Iterator[LiveRun]:
    while book.waiting and waits_at(book.waiting[0], book.live) is None:
        heapq.heappop(book.waiting)
    for place in book.waiting[:_LOOKED_AT]:
        live = waits_at(place, book.live) if place[0] + _WAITS <= now else None
        if live is not None:
            yield live


def _waits(live: LiveRun, now: datetime, *, retry: bool) -> bool:
    is_due = live.state is State.QUEUED and live.run.not_before + _WAITS <= now
    return is_due and may_be_lent(live, retry=retry) and not is_too_late(live, now)
