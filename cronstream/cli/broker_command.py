"""``cronstream broker``: the embedded Kafka alone."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from cronstream.broker.data_lock import data_folder
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.listeners import Address, Listener, pair, warnings
from cronstream.broker.ports import free_port
from cronstream.errors import BrokerError
from cronstream.escaping import safe
from cronstream.running import RunningNote
from cronstream.settings import make_data_folder
from cronstream.supervisor import stop_signals

DEFAULT_PORT = 9092
KILLED = 130


class _Address(click.ParamType):
    """``HOST:PORT``."""

    name = "host:port"

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Return the address that was written."""
        try:
            return value if isinstance(value, Address) else Address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _say(line: str) -> None:
    click.echo(safe(line), err=True)


@click.command("broker")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help=f"The port on 127.0.0.1; {DEFAULT_PORT} if it is not given to --listen.",
)
@click.option(
    "--listen",
    type=_Address(),
    metavar="HOST:PORT",
    multiple=True,
    help="Listen here too, for other machines; 0.0.0.0 is each address of this one. Repeatable.",
)
@click.option(
    "--advertise",
    type=_Address(),
    metavar="HOST:PORT",
    multiple=True,
    help="How other machines reach what --listen names, if not by that very address.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Kafka keeps its data between starts.",
)
def broker(
    port: int | None,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    data_dir: Path | None,
) -> None:
    """Run a real Kafka on this machine until Ctrl-C.

    When it is ready, the address that clients are to use is written to stdout.
    """
    try:
        further = pair(listen, advertise)
        local = _local_port(port, further)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    folder = make_data_folder(data_dir) if data_dir else data_folder()
    for line in warnings(further):
        _say(line)
    with closing(Guard()) as guard, closing(RunningNote(folder)) as note:
        embedded = EmbeddedBroker(folder, local, guard=guard, say=_say)
        embedded.further = further
        note.write(embedded.url)
        _say(f"data is kept in {folder}")
        status = asyncio.run(_serve(embedded))
    raise SystemExit(status)


def _local_port(wanted: int | None, further: Sequence[Listener]) -> int:
    """Return the port on the loopback interface: no other listener may have the same one."""
    taken = {listener.at.port for listener in further}
    if wanted in taken:
        raise ValueError(f"Kafka needs another port for --listen than --port {wanted}")
    if wanted is not None:
        return wanted
    return free_port() if DEFAULT_PORT in taken else DEFAULT_PORT


async def _serve(embedded: EmbeddedBroker) -> int:
    """Serve until a signal and return the exit status: 0, or 130 when it was killed.

    Raises:
        BrokerError: If it cannot be started, or ends by itself.
    """
    status = 0

    def kill() -> None:
        nonlocal status
        status = KILLED
        embedded.kill_now()

    serving = asyncio.create_task(_start_and_wait(embedded))
    with stop_signals(lambda: _cancel(serving), kill):
        try:
            await asyncio.wait({serving})
            if not serving.cancelled():
                serving.result()
            _say("stopping Kafka ...")
        finally:
            await embedded.stop()
    return status


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


async def _start_and_wait(embedded: EmbeddedBroker) -> None:
    await embedded.start()
    addresses = [str(listener.advertised) for listener in embedded.further]
    for address in addresses or [embedded.address]:
        click.echo(address)
    ended = await embedded.wait()
    last = " | ".join(embedded.last_lines())
    raise BrokerError(f"Kafka ended by itself with status {ended}: {last}")
