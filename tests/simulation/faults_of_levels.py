"""What if levels, removals, cancellations and deaths of executors were taken lightly? Planted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cronstream.core.ledger import arrivals, endings, settling
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.rules import RULES
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.protocol import holder
from cronstream.core.protocol.holder import Holder
from cronstream.core.wire.entries import Forwarded, Withdrawal
from tests.simulation.executor import SimExecutor
from tests.simulation.planting import fault
from tests.simulation.scheduler import SimScheduler

_FOLDS_ON = "levels: who does not know a level folds on"


@fault(_FOLDS_ON, Book, "heed_levels")
def _not_heeded(_book: Book, _entries: Any) -> None:
    return None


@fault(_FOLDS_ON, Book, "raise_level")
def _raised_as_far_as_known(book: Book, level: int) -> None:
    book.level = max(book.level, min(level, book.known))


@fault("levels: a worker writes what its log was not raised to", holder, "lowered")
def _not_lowered(entry: Any, _level: int) -> Any:
    return entry


@fault("levels: a scheduler does not announce its own", SimScheduler, "_announce")
def _not_announced(scheduler: SimScheduler, shard: Any) -> None:
    scheduler.world.level = scheduler.knows
    scheduler._has_announced(shard)


@fault("9: a loss that nobody is sure of never counts", endings, "_count_loss")
def _unsure_for_ever(book: Book, live: LiveRun, with_executor: bool) -> str:
    text = _count_loss(book, live, with_executor)
    live.unsure = False
    return text


@fault("9: an executor's death never counts", endings, "_count_loss")
def _deaths_do_not_count(book: Book, live: LiveRun, with_executor: bool) -> str:
    return "" if with_executor else _count_loss(book, live, with_executor)


@fault("9: neighbours pay for an executor's death", endings, "_count_loss")
def _neighbours_pay(book: Book, live: LiveRun, with_executor: bool) -> str:
    live.alone = True
    return _count_loss(book, live, with_executor)


_count_loss = endings._count_loss


@fault("9: what a dead executor may have started is given back", Holder, "_lost_with_it")
def _given_back(member: Holder, key: str, now: datetime) -> Any:
    return member._release(key, now)


_HANDED_OVER = "4: what a dead executor had is handed over again"


@fault(_HANDED_OVER, SimExecutor, "takes")
def _taken_again(executor: SimExecutor, key: str) -> bool:
    return key not in executor.holds and key not in executor.running


@fault(_HANDED_OVER, Holder, "executor_died")
def _handed_over_again(member: Holder, keys: Iterable[str], now: datetime, mono: float) -> None:
    before = list(keys)
    _executor_died(member, before, now, mono)
    for key in before:
        member.holding.pop(key, None)


_executor_died = Holder.executor_died


@fault("12: a removal leaves what was due before it", Mark, "is_gone")
def _nothing_is_gone(_mark: Mark, _revision: Any, _due: Any) -> bool:
    return False


@fault("12: a removal leaves what was due before it", arrivals, "_give_way")
def _only_what_is_due_later(book: Book, live: LiveRun, entry: Withdrawal) -> None:
    if live.run.scheduled_at >= entry.effective_from:
        _give_way(book, live, entry)


_give_way = arrivals._give_way


@fault("17: a person's word is lost while a retry is on its way", RULES, Forwarded)
def _word_lost(book: Book, entry: Forwarded) -> None:
    live = book.live.get(entry.run)
    if live is not None and live.version == entry.version and live.state is State.DECIDING:
        live.cancelled = False
    _forwarded(book, entry)


_forwarded = settling.forwarded
