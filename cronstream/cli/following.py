"""Follows the ledgers for somebody in front of a screen, whatever becomes of the broker."""

import asyncio
from collections.abc import AsyncGenerator

from cronstream.cli.connection import reading
from cronstream.cli.output import say
from cronstream.errors import BrokerError, TruncatedError
from cronstream.history.loading import Following
from cronstream.history.scope import Scope
from cronstream.history.story import Change

_RETRY_S = 2.0
#: A broker that has just come back may know of its logs' ends a moment later.
_TRIES = 3


async def changes(scope: Scope) -> AsyncGenerator[Change, None]:
    """Yield each change of a run's state, from `scope.since` on and then for ever.

    A broker that goes away is said in a line and waited for, and then it goes on where it was.

    Raises:
        TruncatedError: If a log has lost what was read of it.
    """
    following = Following(scope)
    is_away, truncated = False, 0
    while True:
        try:
            async with reading() as reader:
                if is_away:
                    say("Kafka answers again: going on")
                is_away = False
                async for change in following.changes(reader):
                    truncated = 0
                    yield change
        except TruncatedError:
            truncated += 1
            if truncated == _TRIES:
                raise
        except BrokerError as error:
            if not is_away:
                say(f"{error}; waiting for it, Ctrl-C ends")
            is_away = True
        await asyncio.sleep(_RETRY_S)
