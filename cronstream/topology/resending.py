"""Sends a run again that reached its log too late: the fold refuses what was judged long before."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from cronstream.core.ledger.state import STALE
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from cronstream.topology.publish import Ack

#: So often a run is sent before it is given up.
TRIES: Final = 3


def came_late(run: Run, at: datetime) -> bool:
    """Whether a run was appended too long after it was judged: the fold refuses it (rule 11)."""
    return run.judged_at is not None and at - run.judged_at > STALE


async def resend_until_accepted(
    run: Run, sent: Awaitable[Ack], send: Callable[[Run], Awaitable[Ack]]
) -> Ack:
    """Wait until the broker has a run, and has it early enough for the fold to take it.

    Args:
        run: As it was sent.
        sent: Its acknowledgement.
        send: Sends it again, judged by the log's clock.

    Raises:
        BrokerError: If it came too late each time.
    """
    ack = await sent
    for _ in range(1, TRIES):
        if not came_late(run, ack.at):
            return ack
        run = run.derive(as_of=ack.at)
        ack = await send(run)
    if came_late(run, ack.at):
        raise BrokerError(f"run {run.id}: the broker took it too late each time; nothing was run")
    return ack
