"""A table for people at a terminal; nothing else loads rich, so all else starts faster."""

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cronstream.cli.output import STATE_STYLES, Column


def emit(columns: Sequence[Column], rows: list[list[str]]) -> None:
    """Write a table to stdout, as wide as its cells that may not wrap."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, column in enumerate(columns):
        longest = max(cell_len(cell) for cell in (column.title, *(row[i] for row in rows)))
        table.add_column(
            column.title,
            justify=column.justify,
            overflow="fold",
            no_wrap=not column.wraps,
            min_width=None if column.wraps else longest,
        )
    for row in rows:
        table.add_row(
            *(
                Text(cell, style=STATE_STYLES.get(cell.split(" ")[0], "") if column.styled else "")
                for cell, column in zip(row, columns, strict=True)
            )
        )
    console = Console(highlight=False)
    # A run's id is copied from here, so a terminal that is too narrow breaks lines, not words.
    roomy = console.options.update(width=10_000)
    needed = Measurement.get(console, roomy, table).minimum
    console.width = max(console.width, needed)
    console.print(table)
