"""The thread that sends notices: who puts one here is not kept waiting, whatever becomes of it."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from cronstream import clock
from cronstream.core.wire.variables import without_settings
from cronstream.logs import fields
from cronstream.notices.address import Addresses
from cronstream.notices.notice import Notice
from cronstream.notices.post import PATIENCE_S, Post
from cronstream.notices.sender import OVERTAKEN, Sender

logger = logging.getLogger(__name__)

#: Notices that may be on their way at once, and bytes of theirs; beyond that they are dropped.
MOST: Final = 1000
MOST_BYTES: Final = 16 << 20
#: What comes of a notice.
SENT: Final = "sent"
FAILED: Final = "failed"
RESULTS: Final = (SENT, FAILED, OVERTAKEN)
#: Seconds that a worker which ends has for them.
_CLOSE_S: Final = 5.0
#: Of a job there is a line about failures so often at most.
_SILENT_S: Final = 600.0


class Outpost:
    """Has notices sent by a thread, which is started for the first of them.

    Attributes:
        count: Is given the kind of each notice that is done with, and one of `RESULTS`.

    Args:
        patience_s: Seconds that a server has to answer.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self.count: Callable[[str, str], None] = lambda _kind, _result: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._sender: Sender | None = None
        # Each is written by one thread alone, and the difference is what is on its way.
        self._put, self._put_bytes, self._gone, self._gone_bytes = 0, 0, 0, 0
        self._told_at: dict[str, float] = {}

    @property
    def waiting(self) -> int:
        """How many are on their way."""
        return self._put - self._gone

    def put(self, notices: Iterable[Notice]) -> None:
        """Have notices sent, and return at once; beyond the bounds they are dropped, in view."""
        for notice in notices:
            size = len(notice.body)
            is_full = self.waiting >= MOST
            if is_full or self._put_bytes - self._gone_bytes + size > MOST_BYTES:
                self._end(notice, "too many notices wait to be sent")
                continue
            self._put, self._put_bytes = self._put + 1, self._put_bytes + size
            loop = self._loop or self._start()
            loop.call_soon_threadsafe(self._take, notice)

    async def close(self, within_s: float = _CLOSE_S) -> None:
        """Let what is under way go out, but not for long; then end the thread."""
        loop, thread, sender = self._loop, self._thread, self._sender
        if loop is None or thread is None or sender is None:
            return
        drained = asyncio.run_coroutine_threadsafe(sender.drain(within_s), loop)
        await asyncio.wrap_future(drained)
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, _CLOSE_S)
        self._loop = self._thread = self._sender = None

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = self._loop = asyncio.new_event_loop()
        loop.set_default_executor(_DaemonThreads())
        post, addresses = Post(self._patience_s), Addresses(without_settings(os.environ))
        self._sender = Sender(addresses.find, post.try_once, self._done)
        self._thread = threading.Thread(
            target=_run, args=(loop, post), name="cronstream-notices", daemon=True
        )
        self._thread.start()
        return loop

    def _take(self, notice: Notice) -> None:
        if self._sender is not None:
            self._sender.put(notice)

    def _done(self, notice: Notice, why: str) -> None:
        self._gone, self._gone_bytes = self._gone + 1, self._gone_bytes + len(notice.body)
        self._end(notice, why)

    def _end(self, notice: Notice, why: str) -> None:
        """Note what became of a notice; of a job's failures there is a line now and then."""
        result = {"": SENT, OVERTAKEN: OVERTAKEN}.get(why, FAILED)
        self.count(notice.kind.value, result)
        if result != FAILED:
            return
        now = clock.monotonic()
        if now - self._told_at.get(notice.job, -_SILENT_S) < _SILENT_S:
            return
        self._told_at = {job: at for job, at in self._told_at.items() if now - at < _SILENT_S}
        self._told_at[notice.job] = now
        about = fields("notice-not-sent", job=notice.job, run=notice.run)
        text = "run %s: %s was not sent its notice (%s); of this job's no more is said for 10 min"
        logger.warning(text, notice.run, notice.kind, why, extra=about)


class _DaemonThreads(ThreadPoolExecutor):
    """Threads that no process waits for when it ends: names are resolved and files are read there.

    Those of a pool are waited for, by ``concurrent.futures``, however long they hang.
    """

    def submit(self, work: Callable[..., Any], /, *of: Any, **by_name: Any) -> Future[Any]:
        """Do it in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                result = work(*of, **by_name)
            except (OSError, ValueError) as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=run, daemon=True).start()
        return future


def _run(loop: asyncio.AbstractEventLoop, post: Post) -> None:
    """Run the loop of the thread until it is stopped."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(post.close())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
