"""What if workers lent, or borrowed, what they may not? Planted faults (rule 26)."""

from datetime import datetime
from typing import Any

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rules import fold
from cronstream.core.ledger.state import LiveRun
from cronstream.core.protocol import lending
from cronstream.core.protocol.actions import Cancel
from cronstream.core.protocol.lending import Lender
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.owner import Owner
from cronstream.core.wire.entries import Claimed, Finished, Lost, Released, Started
from cronstream.core.wire.runs import Run
from tests.simulation.planting import fault
from tests.simulation.worker import SimWorker


@fault("26: nothing is lent", Lender, "_lend")
def _nothing_lent(_lender: Lender, _now: datetime, _mono: float) -> None:
    """Do nothing."""


@fault("26: nothing is borrowed", Lender, "_borrow")
def _nothing_borrowed(_lender: Lender, _now: datetime, _mono: float) -> None:
    """Do nothing."""


@fault("26: what is lent is never claimed again", Lender, "_leaves")
def _left_for_ever(_lender: Lender, owner: Owner, now: datetime) -> Any:
    return lambda live: lending._waits(live, now, retry=owner.ledger.book.retry)


@fault("26: what its owner has a say in is lent", lending, "may_be_lent")
def _all_is_lent(live: LiveRun, *, retry: bool) -> bool:
    return not (live.cancelled or retry)


@fault("26: what is lent is given back before its executor has said so", Lender, "_lend")
def _given_back_unasked(lender: Lender, now: datetime, mono: float) -> None:
    before = len(lender.actions)
    _lend(lender, now, mono)
    for action in lender.actions[before:]:
        if isinstance(action, Cancel):
            lender._append(lender.holding[action.key].partition, lender._release(action.key))


_lend = Lender._lend


@fault("26: a borrower says that it is there only where it owns", Member, "_beat")
def _no_heartbeat(member: Member, mono: float) -> None:
    lent = {held.partition for held in member.holding.values()} - member.owners.keys()
    ledgers = member.ledgers
    member.ledgers = {p: ledger for p, ledger in ledgers.items() if p not in lent}
    held, member.holding = member.holding, {}
    _beat(member, mono)
    member.ledgers, member.holding = ledgers, held


_beat = Member._beat


# The other way to lend that was thought of: what is lent is told whole, and the borrower folds no
# more of the log than that. A lender that was taken for lost meanwhile lends what another has.


@fault("26: a borrower folds only what it was lent", SimWorker, "_lend")
def _folds_little(worker: SimWorker, partition: int) -> None:
    runs: dict[str, Run] = {}
    for other in worker.world.workers:
        if other.retry is worker.retry and (owner := other.member.owners.get(partition)):
            runs |= {run: live.run for run, live in owner.ledger.book.live.items()}

    def told(book: Book, entry: Any) -> None:
        if isinstance(entry, Released) and entry.run not in book.live and entry.run in runs:
            book.enter(runs[entry.run])
        elif isinstance(entry, Claimed | Started | Finished | Released | Lost):
            fold(book, entry)

    ledger = Ledger(retry=worker.retry, by=told)
    ledger.book.level = worker.world.level
    ledger.book.next_offset = len(worker.logs[partition].messages)
    worker._loading.discard(partition)
    worker.member.lend_ledger(partition, ledger)
    worker._read_all()
    worker._notice(partition)
