"""What if the world around the core broke a rule? Planted faults."""

from typing import Any

from cronstream.core.ledger import rows
from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.enumerations import Outcome
from tests.simulation import worker as sim_worker
from tests.simulation.executor import SimExecutor
from tests.simulation.planting import fault
from tests.simulation.process import Done, Sender
from tests.simulation.scheduler import SimScheduler


@fault("1: a snapshot is ahead of what it holds", rows, "to_row")
@fault("1: a snapshot is ahead of what it holds", sim_worker, "to_row")
def _row_ahead(ledger: Ledger, partition: int) -> dict[str, Any]:
    return {**_to_row(ledger, partition), "next_offset": ledger.book.next_offset + 2}


_to_row = rows.to_row


@fault("4: an executor takes a claim as often as it is sent", SimExecutor, "takes")
def _taken_again(executor: SimExecutor, key: str) -> bool:
    return key not in executor.holds and key not in executor.running


@fault("6: an executor starts without a lease", SimExecutor, "has_lease")
def _no_lease_needed(_executor: SimExecutor, _partition: int, _before_s: float = 0.0) -> bool:
    return True


@fault("5: what has started is given back", SimExecutor, "_cancel")
def _started_given_back(executor: SimExecutor, key: str) -> None:
    executor.holds.pop(key, None)
    executor.worker.later(0.002, lambda: executor.worker.member.cancelled(key))


@fault("way 5: commands outlive their worker", SimExecutor, "die")
def _commands_outlive(executor: SimExecutor) -> None:
    executor.dead = True
    for start in executor.running.values():
        start.end, start.outcome = executor.loop.now + 8, Outcome.LOST


@fault("2: the cursor is set before its runs are published", SimScheduler, "_put_all")
def _cursor_first(scheduler: SimScheduler, records: Any, done: Any) -> None:
    _put_all(scheduler, records, lambda: None)
    done()


_put_all = SimScheduler._put_all


@fault("way 2: a sender goes on behind a failure", Sender, "put")
def _order_not_kept(sender: Sender, record: Any, done: Done | None) -> None:
    sender._waiting = []
    sender.sending = False
    sender._loop.at(sender._loop.now + sender._delay(), lambda: sender._arrive([(record, done)]))
