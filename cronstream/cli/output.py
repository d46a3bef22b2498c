"""What commands print: data on standard output, talk on standard error, the same way everywhere.

On a terminal a list is a table with colours (NO_COLOR is respected); elsewhere it is plain, aligned
text; with ``--json`` it is one JSON object for each line. What came from messages or from a
command's output is shown with its control characters escaped: nothing in it can reach the terminal.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import click

from cronstream.core.wire.times import format_time
from cronstream.escaping import safe, safe_json

#: The colour of a state on a terminal.
STATE_STYLES = {
    "succeeded": "green",
    "discarded": "bold red",
    "skipped": "yellow",
    "retryable": "magenta",
    "running": "cyan",
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
}

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object for each line.")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        styled: Whether a cell's word chooses its colour (see `STATE_STYLES`).
        wraps: Whether a long cell may go on in the next line of a narrow terminal.
    """

    title: str
    justify: Literal["left", "right"] = "left"
    styled: bool = False
    wraps: bool = False


def say(text: str) -> None:
    """Say something to the person that is not data: on standard error, one line."""
    click.echo(safe(text, keep="\n"), err=True)


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; a process that was started without it has None."""
    return stream is not None and not stream.closed and bool(stream.isatty())


def emit(text: str) -> None:
    """Print one line of data as it is meant for people."""
    click.echo(safe(text))


def emit_json(fields: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own, in ASCII, so that it is safe to look at."""
    click.echo(safe_json(json.dumps(fields, default=_plain, separators=(", ", ": "))))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def emit_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their titles; nothing at all, not even titles, when there is no row."""
    clean = [[safe(cell) for cell in row] for row in rows]
    if not clean:
        return
    if is_terminal(sys.stdout):
        from cronstream.cli import rich_table  # noqa: PLC0415 - only a terminal needs rich

        rich_table.emit(columns, clean)
    else:
        _emit_plain_table(columns, clean)


def _emit_plain_table(columns: Sequence[Column], rows: list[list[str]]) -> None:
    lines = [[column.title.upper() for column in columns], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if column.justify == "right" else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())
