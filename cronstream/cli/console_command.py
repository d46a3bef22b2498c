"""``cronstream console``: a page that people keep open."""

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from logging.config import dictConfig
from typing import Any

import click

from cronstream.cli import coroutine
from cronstream.cli.lean import load
from cronstream.cli.output import say
from cronstream.json_lines import keep_stderr
from cronstream.logs import fields, logging_config
from cronstream.settings import settings

logger = logging.getLogger(__name__)

#: Where it is, unless another port was asked for or set.
PORT = 6060


@click.command
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help=f"The port of its pages; {PORT} if none is set. 0: any that is free.",
)
@click.option("--bind", metavar="ADDRESS", help="Where it listens; 127.0.0.1 if none is set.")
def console(*, port: int | None, bind: str | None) -> None:
    """Serve a page that shows what becomes of runs: what is late, what failed, and why.

    It follows the ledgers, and keeps what it shows in a file in the data folder, which may be
    thrown away. It changes nothing but what people ask for there, who need a token for it.
    """
    if port is not None or not settings().web_port:
        os.environ["CRONSTREAM_WEB_PORT"] = str(PORT if port is None else port)
    if bind is not None:
        os.environ["CRONSTREAM_WEB_BIND"] = bind
    settings.cache_clear()
    if settings().log_format == "json":
        keep_stderr()
    dictConfig(logging_config(settings()))
    serving = load("cronstream.console.serving")
    with suppress(KeyboardInterrupt):
        coroutine.run(_until_asked(serving.serve(settings(), _ready)))


async def _until_asked(serving: Coroutine[Any, Any, None]) -> None:
    """Serve until SIGTERM, as until Ctrl-C, which what a script runs aside does not hear."""
    task = asyncio.ensure_future(serving)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def _ready(address: str) -> None:
    if settings().log_format == "json":
        logger.info("the console is at %s", address, extra=fields("console-ready"))
    else:
        say(f"the console is at {address}")
