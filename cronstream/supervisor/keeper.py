"""Keep one part alive until it is asked to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from cronstream.clock import monotonic
from cronstream.errors import CronstreamError
from cronstream.supervisor.child import Child, describe
from cronstream.supervisor.plan import Backoff

Answer = TypeVar("Answer")

#: What Faust, click and cronstream end with when they were started wrongly.
USAGE_ERROR = 2


class PartError(CronstreamError):
    """A part cannot be started, and would not be the next time either."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a part's life ended: in words, its last lines, and whether a restart can help."""

    how: str
    last_lines: list[str]
    is_usage_error: bool = False
    was_started: bool = True


class Keeper:
    """Starts a part, and starts it again with a growing delay when it dies.

    A vital part that cannot be started the first time, or calls it wrong usage, is a fault of the
    whole installation. One that comes with an edit of the crontab is not: it is tried again.

    Attributes:
        label: The part's name, as people read it.
        ended: Set once it is neither running nor to be started again.
    """

    def __init__(
        self,
        label: str,
        launch: Callable[[], Awaitable[Child]],
        say: Callable[[str], None],
        backoff: Backoff,
        *,
        is_vital: bool = True,
    ) -> None:
        self.label = label
        self.ended = asyncio.Event()
        self._launch = launch
        self._say = say
        self._backoff = backoff
        self._is_vital = is_vital
        self._stopping = asyncio.Event()
        self._child: Child | None = None

    def stop(self) -> None:
        """Have the part stopped in good order; `run` then returns."""
        self._stopping.set()

    def kill_now(self) -> None:
        """Have the part killed; `run` then returns."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill_now()

    async def run(self) -> None:
        """Keep the part alive until `stop`.

        Raises:
            PartError: If it is vital, and its first start shows that no start can succeed.
        """
        try:
            await self._keep()
        finally:
            self.ended.set()

    async def _keep(self) -> None:
        deaths, is_first = 0, True
        while not self._stopping.is_set():
            began = monotonic()
            ending = await self._live()
            if ending is None:
                return
            if self._is_vital and is_first and (ending.is_usage_error or not ending.was_started):
                raise PartError(f"{self.label}: {ending.how}")
            lifetime_s = monotonic() - began
            deaths, is_first = self._backoff.count(deaths, lifetime_s), False
            delay_s = self._backoff.delay_s(deaths)
            self._report(ending, lifetime_s, delay_s)
            _ = await unless(self._stopping, asyncio.sleep(delay_s))

    async def _live(self) -> Ending | None:
        """Start the part and wait for its end; None when it was stopped."""
        try:
            status = await unless(self._stopping, self._launch_and_wait())
            if status is None or self._child is None:
                if self._child is not None:
                    await self._child.stop()
                return None
            lines = self._child.last_lines()
        except (CronstreamError, OSError) as error:
            return Ending(str(error), [], was_started=False)
        except BaseException:
            if self._child is not None:
                await self._child.kill()
            raise
        finally:
            self._child = None
        return Ending(f"ended: {describe(status)}", lines, is_usage_error=status == USAGE_ERROR)

    async def _launch_and_wait(self) -> int:
        # Noted at once: whoever is asked to stop from here on has a child to end.
        self._child = await self._launch()
        return await self._child.wait()

    def _report(self, ending: Ending, lifetime_s: float, delay_s: float) -> None:
        self._say(f"{ending.how}, after {lifetime_s:.1f} s; starting it again in {delay_s:g} s")
        if ending.last_lines:
            self._say("its last lines were:")
        for line in ending.last_lines:
            self._say(f"  {line}")


async def unless(stopping: asyncio.Event, work: Awaitable[Answer]) -> Answer | None:
    """Return what `work` answers, or None, with it cancelled, once `stopping` is set."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        waiting.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            if not working.cancelled():
                # Asked for, so that asyncio does not complain: what it was is of no use any more.
                _ = working.exception()
