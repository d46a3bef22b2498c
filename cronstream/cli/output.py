"""What commands print: data on standard output, talk on standard error, the same way everywhere.

On a terminal a list is a table with colours (NO_COLOR is respected); elsewhere it is plain, aligned
text; with ``--json`` it is one JSON object for each line. What came from messages or from a
command's output is shown with its control characters escaped: nothing in it can reach the terminal.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal

import click

from cronstream.core.wire.times import format_time

#: Letters that turn the reading direction around (UAX #9), so that text reads as what it is not.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Categories of characters that are no text: controls, surrogates, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})

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


def safe(text: str, *, keep: str = "") -> str:
    r"""Return `text` with what a terminal would obey shown as ``\x1b`` or ``\u202e``.

    Args:
        text: Whatever a message, a file or a command has written.
        keep: Characters that are let through all the same, such as a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not _is_unsafe(c) else _escaped(c) for c in text)


def _is_unsafe(character: str) -> bool:
    return character in _BIDI or unicodedata.category(character) in _UNSAFE


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def say(text: str) -> None:
    """Tell the person something that is not data: on standard error, one line."""
    click.echo(safe(text, keep="\n"), err=True)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question whether the nearest of the known words was meant; empty if none is."""
    found = get_close_matches(word, map(str, known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; a process that was started without it has None."""
    return stream is not None and not stream.closed and bool(stream.isatty())


def emit(text: str) -> None:
    """Print one line of data as it is meant for people."""
    click.echo(safe(text))


def emit_json(fields: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own, in ASCII, so that it is safe to look at."""
    click.echo(json.dumps(fields, default=_plain, separators=(", ", ": ")))


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


def format_duration(seconds: float | None) -> str:
    """Return seconds as people read them: ``12 ms``, ``3.2 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds is None:
        return ""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.9995 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    for unit, name, part, part_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // part:02} {part_name}"
    return f"{whole // 60} min {whole % 60:02} s"
