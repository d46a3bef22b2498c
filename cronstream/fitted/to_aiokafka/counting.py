"""Has aiokafka's producer count only what a broker has taken.

A producer that is idempotent numbers the messages of each partition, and the broker refuses one
that leaves a number out. aiokafka (0.14) numbers a batch when it sends it, and the number stays
used when the broker refuses the batch, for its size or since a right is missing: all that follow
there are then out of order, for good, also once the right is granted. Apache's own client goes
back, too (``TransactionManager.adjustSequencesDueToFailedBatch``).

While a batch of a partition is under way nothing else of it is sent, so none has been numbered
after it. If it was appended after all, by a try whose answer was lost, the same message with the
same number is known to the broker, which does not append it again.
"""

from typing import Any

from aiokafka.producer.sender import SendProduceReqHandler

_HANDLER: Any = SendProduceReqHandler  # there is no public way in
_send = _HANDLER.do


async def _send_and_uncount(handler: Any, node_id: int) -> None:
    """Send batches to a broker, and take back the numbers of those that it refuses."""
    await _send(handler, node_id)
    counted = handler._sender._txn_manager
    if counted is None:
        return
    for place, batch in handler._batches.items():
        if _is_refused(batch.future):
            counted.increment_sequence_number(place, -batch.record_count)


def _is_refused(future: Any) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None


def count_what_is_taken() -> None:
    """Mend all producers of this process, those to come and those that are there."""
    _HANDLER.do = _send_and_uncount
