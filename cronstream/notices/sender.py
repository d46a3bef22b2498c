"""The tries of all notices: each run's in their order, none for ever, none held up by another."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from cronstream.notices.address import AddressError
from cronstream.notices.answer import Answer
from cronstream.notices.notice import Kind, Notice, Request, request_of

#: Tries of a notice at most, and seconds that all of them have, the waits between them included.
TRIES: Final = 5
WITHIN_S: Final = 60.0
#: Before the second try; each further wait is twice as long.
_FIRST_WAIT_S: Final = 1.0
#: Tries to one server that are under way at once: one that hangs holds up its own alone.
_AT_ONCE: Final = 4

#: Finds the address of a notice, or raises an `AddressError`.
Find: TypeAlias = Callable[[Notice], Awaitable[str]]
#: Is given a notice that is done with, and why it was not taken; empty if it was.
Done: TypeAlias = Callable[[Notice, str], None]
#: Why a notice was not sent where a later one of the same run came instead: that is no failure.
OVERTAKEN: Final = "overtaken"


class Sender:
    """Sends notices; lives in one event loop.

    Args:
        find: Finds addresses.
        try_once: Makes one try.
        done: Hears of each notice once.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        find: Find,
        try_once: Callable[[Request], Awaitable[Answer]],
        done: Done,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._find, self._try, self._done, self._sleep = find, try_once, done, sleep
        self._lanes: dict[tuple[Kind, str], deque[Notice]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_AT_ONCE)
        )

    def put(self, notice: Notice) -> None:
        """Take a notice; one of the same run that has not been taken yet gets no further try."""
        lane = self._lanes.get(notice.lane)
        if lane is not None:
            lane.append(notice)
            return
        self._lanes[notice.lane] = deque([notice])
        task = asyncio.get_running_loop().create_task(self._work(notice.lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, within_s: float) -> None:
        """Wait for what is under way, but not for long; what is left by then is not sent."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, key: tuple[Kind, str]) -> None:
        lane = self._lanes[key]
        try:
            while lane:
                why = await self._send(lane)
                self._done(lane.popleft(), why)
        finally:
            del self._lanes[key]
            for notice in lane:
                self._done(notice, "its worker has ended")

    async def _send(self, lane: deque[Notice]) -> str:
        """Try the first of a lane as often as it may be; return why it was not taken."""
        said = [f"its server does not take what there is within {WITHIN_S:g} s"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await self._try_often(lane, said)
        return said[-1]

    async def _try_often(self, lane: deque[Notice], said: list[str]) -> None:
        """Try until it is taken, or there is to be no further try; add why each was not."""
        wait_s = _FIRST_WAIT_S
        for number in range(1, TRIES + 1):
            if len(lane) > 1:
                said.append(OVERTAKEN)
                return
            answer = await self._try_once(lane[0])
            said.append(answer.why)
            if not answer.why or answer.is_final or number == TRIES:
                return
            await self._sleep(max(wait_s, answer.after_s))
            wait_s *= 2

    async def _try_once(self, notice: Notice) -> Answer:
        try:
            address = await self._find(notice)
        except AddressError as error:
            return Answer(str(error))
        async with self._hosts[urlsplit(address).netloc]:
            return await self._try(request_of(notice, address))
