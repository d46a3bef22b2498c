"""The end of what a worker runs that was asked to stop: by itself within its drain time, or not."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from cronstream import clock
from cronstream.core.protocol.member import Member
from cronstream.logs import fields
from cronstream.polling import until

logger = logging.getLogger(__name__)

#: Between two looks whether anything is left.
_LOOK_S: Final = 0.05
#: Beyond the drain time, how long ended commands have to be reported.
_END_S: Final = 15.0
_NOTE: Final = "its worker was asked to stop"


async def let_commands_end(member: Member, turn: Callable[[], None], most_s: float) -> None:
    """Return once nothing is held any more; what takes longer than it may is ended.

    Args:
        member: Has left its group.
        turn: Has it do what it has decided.
        most_s: Seconds that any command may go on; its job may say less.
    """
    if running := len(member.holding):
        text, about = "%d running, waiting up to %gs", fields("draining")
        logger.info(text, running, most_s, extra=about)
    began = clock.monotonic()
    member.end_all(_NOTE, 0.0)
    turn()
    for limit_s in member.drain_times(most_s):
        await _until_nothing_is_held(member, limit_s - (clock.monotonic() - began))
        member.end_all(_NOTE, limit_s)
        turn()
    if member.holding:
        member.end_all(_NOTE)
        turn()
        await _until_nothing_is_held(member, _END_S)


async def _until_nothing_is_held(member: Member, limit_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await until(lambda: not (member.holding or member.claiming), _LOOK_S)
