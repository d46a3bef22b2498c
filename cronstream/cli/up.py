"""``cronstream up``: a whole installation on this machine, with a real Kafka."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.core.naming import Role, RoleKind
from cronstream.crontab_file import read_crontab, watch_crontab
from cronstream.errors import CrontabError
from cronstream.settings import make_data_folder, settings
from cronstream.supervisor import (
    Command,
    Installation,
    Screen,
    Supervisor,
    parts,
    stamped,
    stop_signals,
    worker_command,
)

KAFKA_PORT = 9092
#: Faust's own default, for the page that people look at; other parts take what is free.
WEB_PORT = 6066
#: Seconds that a worker may take to stop besides the time its commands have to end.
_MARGIN_S = 10.0
_US = "cronstream"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line; None where nothing was."""

    crontab: Path | None
    broker: str | None
    port: int | None
    data_dir: Path | None
    slots: int | None
    is_verbose: bool = False


@click.command("up")
@click.option(
    "--crontab", type=click.Path(path_type=Path), help="The crontab; crontab.yaml if not given."
)
@click.option("--broker", metavar="URL", help="A Kafka that is there: kafka://HOST:PORT.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help=f"The port of the embedded Kafka; {KAFKA_PORT} if that is free.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Kafka and the workers keep their data between starts.",
)
@click.option("--slots", type=click.IntRange(1, 10_000), help="Commands that one worker runs.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Tell each step of a run, and not only what it comes to."
)
def up(
    crontab: Path | None,
    broker: str | None,
    port: int | None,
    data_dir: Path | None,
    slots: int | None,
    verbose: bool,
) -> None:
    """Run everything on this machine: Kafka, a scheduler, and every cluster's workers."""
    raise SystemExit(run(Wish(crontab, broker, port, data_dir, slots, verbose)))


def run(wish: Wish) -> int:
    """Run an installation until a signal and return the exit status.

    Raises:
        CrontabError: If the crontab cannot be used at all; it has every problem.
    """
    if wish.broker is not None:
        os.environ["CRONSTREAM_BROKER"] = wish.broker  # so that it is checked like any other
        settings.cache_clear()
    path = (wish.crontab or settings().crontab).absolute()
    roles = parts(cluster.name for cluster in read_crontab(path).clusters)
    with closing(Guard()) as guard:
        return asyncio.run(_supervise(wish, path, roles, guard))


async def _supervise(wish: Wish, path: Path, roles: tuple[Role, ...], guard: Guard) -> int:
    stopping = asyncio.Event()
    screen = _screen(stopping)
    data_dir = make_data_folder((wish.data_dir or settings().data_dir).absolute())
    given = _broker_in_settings()
    broker = None if given else _embedded(wish, data_dir, guard, screen)
    url = given or (broker.url if broker else "")
    web_port = cache(_web_port)

    def command(role: Role) -> Command:
        return worker_command(
            Installation(url, path, data_dir, wish.slots, wish.is_verbose),
            role,
            web_port(role.kind, role.cluster),
        )

    supervisor = Supervisor(
        command, screen.say, guard, patience_s=settings().drain_s + _MARGIN_S, stopping=stopping
    )
    scheduler_port = web_port(RoleKind.SCHEDULER, None)
    for line in greeting(url, path, data_dir, roles, scheduler_port):
        screen.say(_US, line)
    with stop_signals(supervisor.stop, supervisor.kill):
        try:
            async with aclosing(_roles(path)) as changes:
                status = await supervisor.run(roles, changes, broker)
            screen.say(_US, stamped("everything has ended"))
        finally:
            screen.close()
    return status


def _screen(stopping: asyncio.Event) -> Screen:
    """Return what writes to stdout, in colours on a terminal; everything stops when it closes."""
    loop = asyncio.get_running_loop()

    def on_closed() -> None:
        loop.call_soon_threadsafe(stopping.set)

    is_coloured = sys.stdout.isatty() and not settings().no_color
    return Screen(sys.stdout, is_coloured=is_coloured, on_closed=on_closed)


def _broker_in_settings() -> str | None:
    """Return where Kafka is if a variable or an option says so; the default does not count."""
    return settings().broker if "broker" in settings().model_fields_set else None


def _embedded(wish: Wish, data_dir: Path, guard: Guard, screen: Screen) -> EmbeddedBroker:
    """Return the embedded Kafka, at the port asked for or the usual one, if that is free."""
    port = wish.port or free_port(KAFKA_PORT)
    if wish.port is None and port != KAFKA_PORT:
        screen.say(_US, f"port {KAFKA_PORT} is in use: Kafka takes {port}")
    return EmbeddedBroker(
        data_dir, port, guard=guard, say=lambda line: screen.say("kafka", stamped(line))
    )


def _web_port(kind: RoleKind, _cluster: str | None) -> int:
    """Return a port for a part's pages; it keeps it when it is started again."""
    return free_port(WEB_PORT) if kind is RoleKind.SCHEDULER else free_port()


async def _roles(path: Path) -> AsyncGenerator[tuple[Role, ...], None]:
    """Yield the roles of the crontab each time it changes; faults in it the scheduler tells."""
    # It ends by being cancelled: no event of ours is in the hands of what watches files.
    async for crontab in watch_crontab(path, asyncio.Event()):
        if not isinstance(crontab, CrontabError):
            yield parts(cluster.name for cluster in crontab.clusters)


def greeting(
    url: str, crontab: Path, data_dir: Path, roles: tuple[Role, ...], web_port: int
) -> list[str]:
    """Return what a person is told first: what is started, where it is, and how it ends."""
    names = ", ".join(str(role) for role in roles)
    return [
        f"starting {names}, on {url}",
        f"data is kept in {data_dir}",
        f"tables are shown at http://127.0.0.1:{web_port}/table/",
        f"edit {crontab}: it is reloaded",
        "Ctrl-C ends it",
    ]
