"""Where each job of a crontab begins and ends in its text, without a parser.

A list in YAML's block style is cut at the dashes that stand in its own column. What is cut so may
still be wrong: a quote may go on over a dash. Whoever reads the pieces has to see that each is one
whole item (`cronstream.core.crontab.piecemeal`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cronstream.errors import Place

#: What stands in the place of the jobs.
ELSEWHERE: Final = "jobs-are-elsewhere"
_BOM: Final = "\ufeff"
#: Patterns begin with plain text, not with ``^``: so they are looked for some ten times as fast.
_JOBS: Final = re.compile(r"jobs: *(?:#.*)?$", re.MULTILINE)
_FIRST: Final = re.compile(r"(?: *(?:#.*)?\n)*( *)- ")
#: Breaks of lines that parsers count and nobody sees, or that are not wanted here.
_BREAKS: Final = ("\r", "\x85", "\u2028", "\u2029")


@dataclass(frozen=True, slots=True)
class Entries:
    """A crontab in pieces.

    Attributes:
        head: All of it but the jobs, with `ELSEWHERE` in their place.
        indent: How many spaces stand before each job's dash.
        pieces: The lines of each job, with their breaks.
        line: On which line the first of them begins, counted from 1.
        above: What stands above them.
        below: What stands below them.
    """

    head: str
    indent: int
    pieces: list[str]
    line: int
    above: str
    below: str

    def are_cut_at(self, root: Place, jobs: Place) -> bool:
        """Return whether the jobs were cut out where the head has them, by who has parsed it.

        Args:
            root: Where its mapping begins: with a key, and no brace, or what belongs to the whole.
            jobs: Where its ``jobs`` stand.
        """
        lines = self.head.split("\n")
        begins_with = lines[root.line - 1][root.column - 1]
        where = self.head.index(ELSEWHERE)
        place = Place(self.head.count("\n", 0, where) + 1, where - self.head.rfind("\n", 0, where))
        return begins_with not in "{&!" and jobs == place

    def only(self, numbers: Collection[int]) -> str:
        """Return all of the text but other jobs: each of their lines is a comment."""
        shown = (
            piece if number in numbers else "#\n" * piece.count("\n")
            for number, piece in enumerate(self.pieces)
        )
        return f"{self.above}{''.join(shown)}{self.below}"


def entries_of(text: str) -> Entries | None:
    """Return a crontab in pieces; None if its jobs are no list in block style, or none."""
    if any(each in text for each in _BREAKS) or ELSEWHERE in text:
        return None
    lines = (
        each for each in _JOBS.finditer(text) if each.start() == 0 or text[each.start() - 1] == "\n"
    )
    found = next(lines, None)
    if found is None or next(lines, None) is not None:
        return None
    first = _FIRST.match(text, found.end() + 1)
    if first is None:
        return None
    indent = len(first[1])
    begin, end = first.start(1), _end(text, first.end(), indent)
    dashes = re.compile(rf"\n {{{indent}}}- ")
    starts = [begin, *(each.start() + 1 for each in dashes.finditer(text, begin, end))]
    if re.search(rf"\n {{{indent}}}-[\t\n]", text[begin:end]):
        return None  # An item begins there, too.
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], end], strict=True)]
    above = text[found.start() + len("jobs:") : begin]  # There may be comments.
    head = f"{text[: found.start()]}jobs: {ELSEWHERE}{above}{text[end:]}"
    if head.startswith(("%", _BOM)) or "\n%" in head:
        return None  # It may say what tags mean in all of it.
    line = text.count("\n", 0, begin) + 1
    return Entries(head, indent, pieces, line, text[:begin], text[end:])


def _end(text: str, begin: int, indent: int) -> int:
    """Return where a line stands that is no longer of the list: less indented than its dashes."""
    less = rf"\n {{0,{indent - 1}}}[^ #\n]" if indent else r"\n(?!- )[^ #\n]"
    end = re.compile(less).search(text, begin)
    return len(text) if end is None else end.start() + 1
