"""``cronstream up``: a whole installation on this machine, with a real Kafka."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from cronstream.broker.data_lock import data_folder
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import HOST, free_port, is_free
from cronstream.cli.console_command import PORT as CONSOLE_PORT
from cronstream.cli.leftover import Wanted, look_at
from cronstream.clock import monotonic
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.crontab_file import read_crontab
from cronstream.errors import AccessError, SetupError, UnreachableError
from cronstream.running import RunningNote
from cronstream.settings import given_broker, settings
from cronstream.supervisor import (
    Command,
    Installation,
    Screen,
    Supervisor,
    console_command,
    parts,
    stamped,
    stop_signals,
    unless,
    worker_command,
)
from cronstream.topology.reaching import probe

KAFKA_PORT = 9092
#: Seconds that a worker may take to stop besides the time its commands have to end.
_MARGIN_S = 10.0
#: How often a broker that is not there is looked for, and how often that is said.
_LOOK_AGAIN_S, _SAY_AGAIN_S = 0.5, 10.0
_US = "cronstream"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line; None where nothing was."""

    crontab: Path | None
    broker: str | None
    port: int | None
    web_port: int | None
    data_dir: Path | None
    slots: int | None
    console: bool = True
    is_verbose: bool = False


class PortInUse(click.ClickException):
    """A port that was asked for and is not to be had: one line, and the status of wrong usage."""

    exit_code = 2


class OwnBroker(EmbeddedBroker):
    """The embedded Kafka, which says each time that it is ready where it is."""

    on_ready: Callable[[str], None] = staticmethod(lambda _: None)

    async def start(self) -> None:
        """Start it, wait until it serves, and say so."""
        await super().start()
        self.on_ready(self.url)


@click.command("up")
@click.option(
    "--crontab", type=click.Path(path_type=Path), help="The crontab; crontab.yaml if not given."
)
@click.option("--broker", metavar="URL", help="A Kafka that is there: kafka://HOST:PORT.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help=f"The port of the embedded Kafka; {KAFKA_PORT} if that is free. 0: any that is free.",
)
@click.option(
    "--web-port",
    type=click.IntRange(0, 65_535),
    help="The port of the scheduler's pages; 6066 or the next that is free.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Kafka and the workers keep their data between starts.",
)
@click.option("--slots", type=click.IntRange(1, 10_000), help="Commands that one worker runs.")
@click.option(
    "--console/--no-console",
    default=True,
    help=f"Whether it has a console: at port {CONSOLE_PORT}, or another that is free.",
)
@click.option(
    "-v",
    "--verbose",
    "is_verbose",
    is_flag=True,
    help="Report each step of a run, not only its start, its end and its verdict.",
)
def up(**wishes: Any) -> None:
    """Run everything here: Kafka, a scheduler, every cluster's workers, and a console."""
    raise SystemExit(run(Wish(**wishes)))


def run(wish: Wish) -> int:
    """Run an installation until a signal and return the exit status.

    Raises:
        CrontabError: If the crontab cannot be used at all; it has every problem.
        PortInUse: If a port that was asked for is another's.
    """
    options = {"BROKER": wish.broker, "CRONTAB": wish.crontab, "DATA_DIR": wish.data_dir}
    for name, value in options.items():
        if value is not None:
            os.environ[f"CRONSTREAM_{name}"] = str(value)  # so that it is checked like any other
    settings.cache_clear()
    path = settings().crontab.absolute()
    roles = parts(cluster.name for cluster in read_crontab(path).clusters)
    for port, option in ((wish.port, "--port"), (wish.web_port, "--web-port")):
        if port and not is_free(port):
            raise PortInUse(f"port {port} of {HOST} is in use: choose another one with {option}")
    data_dir = data_folder()
    with closing(Guard()) as guard, closing(RunningNote(data_dir)) as note:
        plan = Plan(path, data_dir, roles, free_port(CONSOLE_PORT) if wish.console else None)
        return asyncio.run(_supervise(wish, plan, guard, note))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is started, and where; the console at a port of its own, if there is to be one."""

    crontab: Path
    data_dir: Path
    roles: tuple[Role, ...]
    console: int | None = None


async def _supervise(wish: Wish, plan: Plan, guard: Guard, note: RunningNote) -> int:
    stopping = asyncio.Event()
    screen = _screen(stopping)
    given = given_broker()
    broker = None if given else _embedded(wish, plan.data_dir, guard, screen)

    def url() -> str:
        return given or (broker.url if broker else "")

    metrics_host, _ = settings().metrics_address or (None, 0)

    def here() -> Installation:
        return Installation(
            url(), plan.crontab, plan.data_dir, wish.slots, wish.is_verbose, metrics_host
        )

    def command(role: Role) -> Command:
        web_port = wish.web_port or settings().web_port
        return worker_command(here(), role, web_port if role.kind is RoleKind.SCHEDULER else 0)

    supervisor = Supervisor(
        command, screen.say, guard, stop_within_s=settings().drain_s + _MARGIN_S, stopping=stopping
    )
    if (port := plan.console) is not None:
        # It was free when it was chosen: if it no longer is, the console says where it is.
        supervisor.aside = {"console": lambda: console_command(here(), free_port(port))}
    for line in greeting(plan, given):
        screen.say(_US, line)
    with stop_signals(supervisor.stop, supervisor.kill), closing(screen):
        await _announce_kafka(broker, screen, note, stopping)
        wanted = Wanted(
            plan.crontab,
            lambda named: look_at(url(), named),
            lambda line: screen.say(_US, stamped(line)),
        )
        async with aclosing(wanted.roles()) as changes:
            status = await supervisor.run(plan.roles, changes, broker)
        screen.say(_US, stamped("everything has ended"))
    return status


async def _announce_kafka(
    broker: OwnBroker | None, screen: Screen, note: RunningNote, stopping: asyncio.Event
) -> None:
    """Have it written down and said where Kafka is, once that serves."""

    def on_ready(url: str) -> None:
        note.write(url)
        for line in directions(url):
            screen.say(_US, line)

    if broker is not None:
        # It is there soon; a command that is quicker is not to ask another Kafka.
        note.write(broker.url)
        broker.on_ready = on_ready
    else:
        await unless(stopping, _until_it_answers(screen))
        on_ready(settings().broker)


async def _until_it_answers(screen: Screen) -> None:
    """Wait for a Kafka that somebody else runs, and go on saying so."""
    began, said_at = monotonic(), -_SAY_AGAIN_S
    while True:
        try:
            await probe(settings())
        except AccessError:
            raise
        except (UnreachableError, SetupError) as error:
            waited_s = monotonic() - began
            if waited_s - said_at >= _SAY_AGAIN_S:
                said_at = waited_s
                what = error.what if isinstance(error, UnreachableError) else str(error)
                waits = f"{what}; waiting for it ({waited_s:.0f} s), Ctrl-C ends"
                screen.say(_US, stamped(waits))
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            return


def _screen(stopping: asyncio.Event) -> Screen:
    """Return what writes to stdout, in colours on a terminal; everything stops when it closes."""
    loop = asyncio.get_running_loop()

    def on_closed() -> None:
        loop.call_soon_threadsafe(stopping.set)

    is_coloured = sys.stdout.isatty() and not settings().no_color
    return Screen(sys.stdout, is_coloured=is_coloured, on_closed=on_closed)


def _embedded(wish: Wish, data_dir: Path, guard: Guard, screen: Screen) -> OwnBroker:
    """Return the embedded Kafka, at the port asked for or the usual one, if that is free."""
    port = free_port() if wish.port == 0 else wish.port or free_port(KAFKA_PORT)
    if wish.port is None and port != KAFKA_PORT:
        screen.say(_US, f"port {KAFKA_PORT} is in use: Kafka takes {port}")
    broker = OwnBroker(
        data_dir, port, guard=guard, say=lambda line: screen.say("kafka", stamped(line))
    )
    broker.is_port_asked_for = bool(wish.port)
    return broker


def greeting(plan: Plan, broker: str | None) -> list[str]:
    """Return what a person is shown first: what is started, where it is, and how it ends."""
    names = ", ".join(str(role) for role in plan.roles)
    console = [] if plan.console is None else [f"the console: {_address(plan.console)}"]
    return [
        *console,
        f"starting {names}, {f'on {broker}' if broker else 'and a Kafka for them'}",
        f"data is kept in {plan.data_dir}",
        f"edit {plan.crontab}: it is reloaded",
        "Ctrl-C ends it",
    ]


def _address(port: int) -> str:
    """Return where a browser on this machine finds what listens at a port as pages do."""
    host = settings().web_bind
    with suppress(ValueError):  # It is a name.
        host = HOST if ip_address(host).is_unspecified else host
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def directions(broker: str) -> list[str]:
    """Return how other commands get at what runs here, once Kafka is there."""
    return [
        f"to see what becomes of runs, in this folder: {_our_name()} runs --follow",
        f"commands elsewhere need: export CRONSTREAM_BROKER={shlex.quote(broker)}",
    ]


def _our_name() -> str:
    """Return how a shell here gets at this program: it may not be on the path."""
    program = Path(sys.executable).parent / "cronstream"
    found = shutil.which("cronstream")
    if not program.exists() or (found is not None and Path(found).samefile(program)):
        return "cronstream"
    here = Path.cwd()
    return str(program.relative_to(here) if program.is_relative_to(here) else program)
