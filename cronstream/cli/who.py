"""Who asks for something: that stands on Kafka, for people."""

import socket
from typing import Final

import click
import psutil

#: How long a name may be that stands on a log.
_MOST: Final = 200


def somebody() -> str:
    """Return who runs this command, as ``user@host``."""
    return f"{psutil.Process().username()}@{socket.gethostname()}"


def _name(_: click.Context, __: click.Parameter, given: str | None) -> str:
    return (given or somebody())[:_MOST]


by_option = click.option(
    "--by",
    metavar="WHO",
    callback=_name,
    help="Who wants it, for the log.  [default: user@host]",
)
