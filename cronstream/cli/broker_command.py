"""``cronstream broker``: the embedded Kafka alone."""

import asyncio
from contextlib import closing
from pathlib import Path

import click

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.errors import BrokerError
from cronstream.settings import settings
from cronstream.supervisor import stop_signals

DEFAULT_PORT = 9092
KILLED = 130


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.command("broker")
@click.option("--port", type=click.IntRange(1, 65_535), default=DEFAULT_PORT, show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Kafka keeps its data between starts.",
)
def broker(port: int, data_dir: Path | None) -> None:
    """Run a real Kafka on this machine until Ctrl-C.

    When it is ready, its address is written to stdout.
    """
    with closing(Guard()) as guard:
        embedded = EmbeddedBroker(data_dir or settings().data_dir, port, guard=guard, say=_say)
        status = asyncio.run(_serve(embedded))
    raise SystemExit(status)


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
    click.echo(embedded.address)
    ended = await embedded.wait()
    last = " | ".join(embedded.last_lines())
    raise BrokerError(f"Kafka ended by itself with status {ended}: {last}")
