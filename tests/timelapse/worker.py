"""The simulation's worker, with rows on changelogs, and a clock that it minds."""

from functools import partial
from typing import TYPE_CHECKING, Final

from cronstream.core.health import clocks
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, row_parts
from cronstream.errors import LevelError
from tests.simulation.group import Group
from tests.simulation.worker import SimWorker
from tests.timelapse.tables import Table

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

#: A changed ledger is written after so long (``worker.snapshots``).
_WRITTEN_AFTER_S: Final = 30.0
#: A clock is measured every few seconds; with one that stays off for so long a worker ends.
_MEASURED_AFTER_S: Final = 3.0
_ENDS_AFTER_S: Final = 60.0
#: How often a worker that dies was just writing its rows.
_IN_PART: Final = 0.5


class LapseWorker(SimWorker):
    """One process of a cluster's worker or retry worker."""

    world: "Lapse"
    turn_s = 1.0
    long_s = 30 * 86_400.0

    def __init__(
        self, world: "Lapse", name: str, group: Group, *, retry: bool, cluster: str
    ) -> None:
        self._tables: dict[int, Table] = {}
        #: Offset and time of the last row of each partition.
        self._written: dict[int, tuple[int, float]] = {}
        #: When the last row that is on its way is there: they keep their order.
        self._arriving: dict[int, float] = {}
        super().__init__(world, name, group, retry=retry, cluster=cluster)

    def start(self) -> None:
        """Start; with a clock that is off it does not join."""
        if self._fault():
            self.loop.at(self.loop.now + 300.0, self.start)
        else:
            super().start()

    def started(self) -> None:
        """Begin with nothing in memory."""
        changelogs = self.world.ledgers[self.cluster, self.retry]
        self._tables = {p: Table(changelog) for p, changelog in enumerate(changelogs)}
        self._written = {}
        super().started()

    def crash(self, down_s: float) -> None:
        """A row that is being written then is there in part."""
        if self.alive and self.dice.random() < _IN_PART:
            self._write_in_part()
        super().crash(down_s)

    def _write_in_part(self) -> None:
        for partition, owner in self.member.owners.items():
            is_new = owner.ledger.book.next_offset != self._written[partition][0]
            if owner.ready and is_new and self.loop.now >= self.out_of_reach_until:
                table = self._tables[partition]
                messages = table.cut(*row_parts(owner.ledger, partition))
                part = messages[: self.dice.randint(0, len(messages) - 1)]
                table.write(self.loop.now, part, is_whole=False)

    # -- rows -----------------------------------------------------------------------------

    def _load(self, partition: int) -> Ledger:
        table, log = self._tables[partition], self.logs[partition]
        row = table.read()
        self.world.see_row(table, row)
        ledger = Ledger(retry=self.retry, known=self.knows)
        ledger.book.assumed = self.assumed()
        if row is not None:
            try:
                ledger = from_row(row, self.knows)
            except LevelError:
                self._end_as_too_old()
        self._written[partition] = ledger.book.next_offset, self.loop.now
        folds = len(log.messages) - max(log.start, ledger.book.next_offset)
        self.world.growth.note_take_over(table.messages_read, folds)
        return ledger

    def assumed(self) -> int:
        """Return the level that a log has of which the beginning is gone."""
        return self.world.level

    def _keep_rows(self) -> None:
        """Write what has changed; it may arrive late, or in part, if the worker is gone then."""
        for ledger in self.member.ledgers.values():
            ledger.book.news.clear()
        for partition, owner in self.member.owners.items():
            ledger, (offset, at) = owner.ledger, self._written[partition]
            if not owner.ready or ledger.book.next_offset == offset:
                continue
            if self.loop.now - at >= _WRITTEN_AFTER_S:
                self._write(partition, ledger)

    def _write(self, partition: int, ledger: Ledger) -> None:
        self._written[partition] = ledger.book.next_offset, self.loop.now
        messages = self._tables[partition].cut(*row_parts(ledger, partition))
        self.world.growth.note_row(ledger, sum(len(value) for _, value in messages))
        delay = self.latency() if self.dice.random() < 0.98 else self.dice.uniform(1, 90)
        at = max(self.loop.now + delay, self._arriving.get(partition, 0.0))
        self._arriving[partition] = at
        self.loop.at(at, partial(self._arrive, partition, messages))

    def _arrive(self, partition: int, messages: list[tuple[bytes, bytes]]) -> None:
        if self.loop.now < self.out_of_reach_until:
            return
        is_whole = self.alive or self.dice.random() < 0.5
        if not is_whole:
            messages = messages[: self.dice.randint(0, len(messages) - 1)]
        self._tables[partition].write(self.loop.now, messages, is_whole=is_whole)

    def _until_next_turn(self) -> float:
        wait = super()._until_next_turn()
        for partition, owner in self.member.owners.items():
            offset, at = self._written[partition]
            if owner.ready and owner.ledger.book.next_offset != offset:
                wait = min(wait, at + _WRITTEN_AFTER_S + 0.1 - self.loop.now)
        return max(wait, self.turn_s / 2)

    # -- its clock ------------------------------------------------------------------------

    def clock_stepped(self) -> None:
        """Its clock, or the broker's, is another: it is measured soon."""
        if not self.alive:
            return
        self._soon()
        self.later(self.dice.uniform(0, _MEASURED_AFTER_S), self._look_at_clock)

    def _fault(self) -> str:
        return clocks.fault(self.world.clock_s(self), clocks.right_s(self.world.present()))

    def _look_at_clock(self) -> None:
        was, self.clock_fault = self.clock_fault, self._fault()
        if not self.clock_fault:
            self.set_dial(self.skew)
        if self.clock_fault and not was:
            self.world.count["workers that rested, for their clock"] += 1
            self.member.rest()
            self.later(_ENDS_AFTER_S, self._end_for_its_clock)
        elif was and not self.clock_fault:
            self.member.resume()
        self._soon()

    def _end_for_its_clock(self) -> None:
        if self.clock_fault and not self.draining:
            self.world.count["workers that ended, for their clock"] += 1
            self.drain(10.0, 5.0)
