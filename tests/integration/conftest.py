"""A real Kafka for the whole session, and real workers for each test."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.settings import COMMANDS_GET, settings
from cronstream.supervisor.child import ProcessChild
from cronstream.supervisor.command import Command
from tests.integration.secured import Secured

#: The files that take more than a minute, longest first; but the two in which most is at work, of
#: an upgrade and of chaos, not side by side.
_LONGEST = (
    "test_upgrade",
    "test_chains",
    "test_health",
    "test_flow",
    "test_pauses",
    "test_migration",
    "test_chaos",
    "test_lost_logs",
    "test_up_command",
    "test_console_killed",
    "test_lending",
    "test_missed",
    "test_moving",
    "test_forged",
    "test_signed_runs",
    "test_reload",
    "test_embedded",
)
#: What a scheduler or a worker says once it does what it is there for.
READY = ("owns ", "taken over")
_DRAIN_S = 15.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one that began last would be waited for in the end."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@contextmanager
def a_broker(folder: Path, secured: Secured | None = None) -> Iterator[str]:
    """Run a real Kafka of one's own; yield its ``host:port``, where nobody is asked who he is."""
    with closing(Guard()) as guard, asyncio.Runner() as runner:
        embedded = EmbeddedBroker(
            folder,
            free_port(),
            guard=guard,
            say=_say,
            # Downloaded once for all sessions, not once for each temporary folder.
            jar_cache=settings().jars,
        )
        if secured is not None:
            embedded.further, embedded.users = secured.listeners, secured.users
            embedded.properties = secured.properties
        runner.run(embedded.start())
        try:
            yield embedded.address
        finally:
            runner.run(embedded.stop())


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    """The other doors of the Kafka that all tests share: with TLS, with a login, with both."""
    return Secured.new(tmp_path_factory.mktemp("secured"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, secured: Secured) -> Iterator[str]:
    """``host:port`` of a real Kafka, the same for all tests; without one they fail."""
    with a_broker(tmp_path_factory.mktemp("kafka"), secured) as address:
        yield address


class StartedWorker:
    """A process of the application, as a person would start it, and what it has said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._child: ProcessChild | None = None
        self._heard: list[asyncio.Future[None]] = []

    async def start(self, command: Command, guard: Guard) -> None:
        self._child = await ProcessChild.start(command, self._hear, guard, _DRAIN_S)

    @property
    def child(self) -> ProcessChild:
        assert self._child is not None
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    async def said(self, *texts: str, within_s: float = 120.0, since: int = 0) -> str:
        """Wait for a line with one of `texts` in it, after the first `since` lines."""
        try:
            async with asyncio.timeout(within_s):
                while not (found := [x for x in self.lines[since:] if any(t in x for t in texts)]):
                    heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._heard.append(heard)
                    await heard
        except TimeoutError:
            pytest.fail(f"no line with {texts} within {within_s:g} s in:\n" + "\n".join(self.lines))
        return found[0]

    async def stop(self) -> int:
        """Stop it in good order, by its id, and return its exit status."""
        await self.child.stop()
        return await self.child.wait()

    async def kill(self) -> None:
        """Kill it with all it has started, by their ids."""
        await self.child.kill()

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        heard, self._heard = self._heard, []
        for future in heard:
            if not future.done():
                future.set_result(None)


StartWorker = Callable[..., Awaitable[StartedWorker]]
_STARTED = pytest.StashKey[list[StartedWorker]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of a test that failed have said, not only the one it waited for."""
    report = yield
    if report.failed:
        for worker in item.stash.get(_STARTED, []):
            report.sections.append((f"process {worker.pid}", "\n".join(worker.lines)))
    return report


@pytest.fixture
async def start_worker(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[StartWorker]:
    """Start ``faust -A cronstream worker`` with options, and wait until it is ready.

    Keyword arguments: `crontab`, the text of ``crontab.yaml``; `variables` of its environment;
    `waits=False` to go on at once; `app`, a module that stands in for cronstream; `through`, shell
    text that becomes the worker by ``exec "$0" "$@"``. The folder it is started in is the test's
    `tmp_path`.
    """
    workers: list[StartedWorker] = []
    request.node.stash[_STARTED] = workers
    with closing(Guard()) as guard:

        async def start(
            *options: str,
            crontab: str | None = None,
            variables: Mapping[str, str] | None = None,
            waits: bool = True,
            app: str = "cronstream",
            through: str | None = None,
        ) -> StartedWorker:
            if crontab is not None:
                _write(tmp_path / "crontab.yaml", crontab)
            worker = StartedWorker()
            command = _worker_command(broker, tmp_path, (app, *options), variables or {})
            if through is not None:
                command = replace(command, argv=("/bin/sh", "-c", through, *command.argv))
            await worker.start(command, guard)
            workers.append(worker)
            if waits:
                await worker.said(*READY)
            return worker

        try:
            yield start
        finally:
            async with asyncio.TaskGroup() as stops:
                for worker in workers:
                    stops.create_task(worker.stop())


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _worker_command(
    broker: str, folder: Path, app_and_options: tuple[str, ...], variables: Mapping[str, str]
) -> Command:
    everyone = {
        "CRONSTREAM_BROKER": f"kafka://{broker}",
        "CRONSTREAM_CRONTAB": str(folder / "crontab.yaml"),
        "CRONSTREAM_DATA_DIR": str(folder / "data"),
        # Tests share a broker, and each puts its own jobs there.
        "CRONSTREAM_ADOPT": "1",
        "CRONSTREAM_CLUSTER": "",
        "CRONSTREAM_RETRY": "",
        # Commands write which worker made them.
        "CRONSTREAM_PASS_ENV": f"{COMMANDS_GET},WORKER",
        "PYTHONUNBUFFERED": "1",
    }
    app, *options = app_and_options
    argv = (sys.executable, "-m", "faust", "-A", app, "worker", *options)
    return Command(argv, {**everyone, **variables}, folder)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
