"""How an executor is started whatever it takes: again if that fails, each time a little later."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cronstream.errors import LaunchError
from cronstream.executor.handle import ExecutorHandle
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Executors that may die one after another without having turned once, or not be started at all,
#: while there is no other; with one that lives it is tried for ever.
_MOST_FAILURES = 5
#: Seconds before the second such is followed by another; twice as many for each more, up to most.
_BACK_OFF_S = 0.25
_LONGEST_BACK_OFF_S = 30.0


class BackingOff:
    """Starts executors one after another, and counts how many in a row were of no use.

    Args:
        launch: Starts one; what it raises is no reason to stop.

    Attributes:
        failures: So many in a row were not started at all, or died without having turned.
    """

    def __init__(self, launch: Callable[[], Awaitable[ExecutorHandle]]) -> None:
        self._launch = launch
        self._launching = asyncio.Lock()
        #: The last; once it has turned, failures are forgotten.
        self._latest: ExecutorHandle | None = None
        self.failures = 0

    @property
    def is_worth_a_try(self) -> bool:
        """Whether there is hope for another, if none lives."""
        return self.failures <= _MOST_FAILURES

    async def launch(self) -> ExecutorHandle:
        """Start one, at once.

        Raises:
            LaunchError: If it cannot be started.
        """
        self._latest = await self._launch()
        return self._latest

    def died(self, handle: ExecutorHandle) -> None:
        """Take it that one has died."""
        self.failures = 0 if handle.has_turned else self.failures + 1

    async def launch_while(self, is_wanted: Callable[[], bool]) -> ExecutorHandle | None:
        """Start one, again and again while one is wanted; None once none is."""
        while is_wanted():
            async with self._launching:
                if self._latest is not None and self._latest.has_turned:
                    self.failures = 0
                if self.failures:
                    await asyncio.sleep(_back_off_s(self.failures))
                handle = await self._try()
                if handle is not None:
                    return handle
                self.failures, self._latest = self.failures + 1, None
        return None

    async def _try(self) -> ExecutorHandle | None:
        about = fields("executor-not-started")
        try:
            return await self.launch()
        except LaunchError as error:
            logger.error("%s", error, extra=about)
        except Exception:
            # Without it the place would stay empty: whatever it is, it is tried again.
            logger.exception("an executor could not be started", extra=about)
        return None


def _back_off_s(failures: int) -> float:
    return min(_BACK_OFF_S * 2.0 ** min(failures, 10), _LONGEST_BACK_OFF_S)
