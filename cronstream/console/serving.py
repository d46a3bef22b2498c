"""One console: what it reads, what it keeps, and where it answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack, closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web
from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.console.acting import Acting
from cronstream.console.actions import Actions
from cronstream.console.app import Asking, Console
from cronstream.console.audits import Audits
from cronstream.console.catching_up import CatchingUp
from cronstream.console.installed import Watching
from cronstream.console.live import LiveOutput
from cronstream.console.metrics import ConsoleMetrics, listen_for_metrics
from cronstream.console.output import Outputs
from cronstream.console.pasts import Pasts
from cronstream.console.projecting import Projection
from cronstream.console.store import Store
from cronstream.console.visitors import Visitors
from cronstream.errors import CronstreamError, StoreError, TruncatedError
from cronstream.logs import fields
from cronstream.page_guard import PageGuard
from cronstream.running import RunningNote, running_at
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader
from cronstream.trust.keyring import Keyring

logger = logging.getLogger(__name__)

#: Between two tries while Kafka does not answer.
_AGAIN_S: Final = 2.0
#: What went well for so long, and then does not, is said anew.
_WELL_S: Final = 60.0
#: Between two looks for runs that are kept no longer; and while there are more.
_FORGET_EVERY_S, _FORGET_ON_S = 60.0, 0.2
#: A browser that follows does not end by itself: it is not waited for.
_LEAVE_S: Final = 0.5
#: How long Kafka waits, who follows a topic, for something to come: other questions wait behind it.
_WAITS_MS: Final = 500
_NAME: Final = "console.sqlite"


async def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve a console until it is cancelled.

    Args:
        settings: Where Kafka is, where its file is kept, and where it is to listen.
        on_ready: Is given its address once it answers.

    Raises:
        CronstreamError: If its file or its address is not to be had, or it would be open to all.
    """
    settings.see_that_pages_are_guarded(settings.web_bind)
    folder = settings.data_dir / "console"
    folder.mkdir(parents=True, exist_ok=True)
    with closing(RunningNote(folder)) as note:
        if note.is_anothers:
            raise CronstreamError(
                f"a console runs with {folder} already ({running_at(folder) or 'it begins'}): use "
                "that one, or give this one a folder of its own with --data-dir"
            )
        await _serve(settings, folder, note, on_ready)


async def _serve(
    settings: Settings, folder: Path, note: RunningNote, on_ready: Callable[[str], None]
) -> None:
    keeper = Keeper(settings, folder / _NAME)
    guard = PageGuard(
        settings.page_hosts, settings.page_token(), vouched=keeper.visitors.is_vouched_for
    )
    metrics = ConsoleMetrics(lambda: keeper.console.projection)
    pages = keeper.console.application(guard)
    pages.router.add_get("/metrics", metrics.page)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(keeper.stop)
        if (where := settings.metrics_address) is not None:
            runner = await _runner(metrics.application(keeper.console.health), stack)
            port = await listen_for_metrics(runner, where)
            about = fields("metrics")
            logger.info("its metrics are at %s, port %d", where[0], port, extra=about)
        runner = await _runner(pages, stack)
        await _listen(runner, settings)
        [socket] = runner.addresses[:1]
        address = f"http://{socket[0]}:{socket[1]}/"
        note.write(address)
        on_ready(address)
        async with asyncio.TaskGroup() as tasks:
            for task in (
                keeper.project,
                keeper.watch,
                keeper.watch_halts,
                keeper.read_pasts,
                keeper.forget,
            ):
                tasks.create_task(task())


async def _runner(app: web.Application, stack: AsyncExitStack) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LEAVE_S)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    return runner


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.web_bind, settings.web_port).start()
    except OSError as error:
        raise CronstreamError(
            f"the console cannot listen at {settings.web_bind}:{settings.web_port} "
            f"({error.strerror}): choose another port with --port"
        ) from error


class Keeper:
    """Keeps the file of a console up to date, whatever becomes of the broker.

    Attributes:
        console: Its pages.
        visitors: Who asks for them.
    """

    def __init__(self, settings: Settings, path: Path) -> None:
        self._settings, self._store = settings, Store(path)
        self._projection = Projection(self._store, self._written)
        keyring = Keyring(settings)
        self._watching = Watching(keyring.judge, Pasts(keyring.believes), self._tell)
        self._asking = Asking(
            Outputs(self._reader),
            LiveOutput(self._reader, partial(Publisher, settings)),
            Audits(self._store, self._reader, keyring.believes, self._tell),
        )
        self.visitors = Visitors(settings, has_token=settings.web_token_file is not None)
        actions = Actions(Acting(settings, self._watching), self.visitors)
        self.console = Console(self._store, self._projection, self._watching, self._asking, actions)
        self._told: set[asyncio.Task[None]] = set()
        #: Whether other processes may catch up: until one of them has failed.
        self._may_have_help = True
        #: What was said to be wrong, and when.
        self._said = ("", 0.0)

    async def project(self) -> None:
        """Project what comes, for ever; all anew where a log is another one than it was."""
        await self._for_ever(self._project)

    async def _project(self, reader: Reader) -> None:
        try:
            await self._catch_up(reader)
            await self._projection.follow(reader)
        except (TruncatedError, StoreError) as error:
            if isinstance(error, StoreError) and not error.is_spoiled:
                raise
            about = fields("console-anew", reason=str(error))
            logger.warning("%s; projecting all anew", error, extra=about)
            self._store.empty()  # No page is asked for meanwhile.
            self._may_have_help = True
            self._begin_projecting()

    async def _catch_up(self, reader: Reader) -> None:
        """Have other processes project what there is, if that is much, and none has failed so."""
        catching_up = CatchingUp(self._settings, self._store, self._tell)
        if not (self._may_have_help and await catching_up.is_worth_it(reader)):
            return
        self._begin_projecting()  # What the one before has in memory is not needed meanwhile.
        self.console.projection = catching_up
        try:
            self._may_have_help = await catching_up.run()
        finally:
            self._begin_projecting()

    def _begin_projecting(self) -> None:
        self._projection = self.console.projection = Projection(self._store, self._written)

    async def watch(self) -> None:
        """Know what is in force and who is there, for ever."""
        await self._for_ever(self._watching.follow)

    async def watch_halts(self) -> None:
        """Know which jobs their discarded runs have paused, for ever."""
        await self._for_ever(self._watching.follow_halts)

    async def read_pasts(self) -> None:
        """Know how jobs came to be what they are, for ever."""
        await self._for_ever(self._watching.pasts.follow)

    async def forget(self) -> None:
        """Remove what is kept no longer, now and then."""
        days, most = self._settings.console_keep_days, self._settings.console_keep_thousands * 1000
        while True:
            before = clock.now() - timedelta(days=days)
            found = 0
            with suppress(StoreError):  # Whoever projects meets it too, and says so.
                found = await asyncio.to_thread(self._store.forget, before, most)
            await asyncio.sleep(_FORGET_ON_S if found else _FORGET_EVERY_S)

    async def stop(self) -> None:
        """Close what is open."""
        await self._asking.audits.stop()
        await self._asking.outputs.stop()
        self._store.close()

    async def _for_ever(self, follow: Callable[[Reader], Awaitable[None]]) -> None:
        while True:
            reader, began = self._reader(waits_ms=_WAITS_MS), clock.monotonic()
            try:
                await reader.start()
                await follow(reader)
            except (CronstreamError, KafkaError, OSError) as error:
                self._say(str(error), began)
            finally:
                await reader.stop()
            await asyncio.sleep(_AGAIN_S)

    def _say(self, problem: str, began: float) -> None:
        """Say what is wrong, once for all that meet it; anew where it went well in between."""
        now = clock.monotonic()
        said, at = self._said
        if problem != said or now - max(began, at) > _WELL_S:
            self._said = problem, now
            about = fields("console-waits", reason=problem)
            logger.warning("%s; trying again until it can be used", problem, extra=about)

    def _reader(self, *, waits_ms: int = 100) -> Reader:
        return Reader(self._settings, gives_up=True, waits_ms=waits_ms)

    def _written(self, _: Collection[str]) -> None:
        self._tell()

    def _tell(self) -> None:
        """Have browsers hear that something has changed."""
        task = asyncio.create_task(self.console.written())
        self._told.add(task)
        task.add_done_callback(self._told.discard)
