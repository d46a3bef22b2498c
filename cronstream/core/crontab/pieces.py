"""The parser, given one piece of a crontab after another: many together, and alone if need be."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from cronstream.core.crontab.entries import Entries
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import NOWHERE, Node
from cronstream.core.crontab.yaml_nodes import Sequence as ListNode
from cronstream.core.crontab.yaml_tree import parse_yaml

#: So many are given to it at a time.
_AT_ONCE: Final = 1000

#: Gets the number of a piece that may be wrong, and what it says; None if it is no item of a list.
OnDoubt: TypeAlias = Callable[[int, Node | None], None]


class NotGoodError(Exception):
    """There may be something wrong: the whole has to be read."""


class PieceParser:
    """Has the parser read pieces: each has to be one item, and no more.

    Args:
        entries: The crontab.
        on_doubt: Is told which are not simply good.
    """

    def __init__(self, entries: Entries, on_doubt: OnDoubt) -> None:
        self._entries, self._on_doubt = entries, on_doubt

    def parsed(self, numbers: Sequence[int]) -> Iterator[tuple[int, Node, int]]:
        """Yield the number of each good piece, what it says, and on which of their lines it begins.

        Args:
            numbers: Of the pieces.

        Raises:
            AliasError: If there is an alias.
        """
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            items, is_sure = self._items(some)
            if not is_sure:
                some = [number for number in some if self._is_good(number)]
                items, _ = self._items(some)
            starts = lines_of_starts([self._entries.pieces[number] for number in some])
            yield from zip(some, items, starts, strict=False)

    def _items(self, numbers: Sequence[int]) -> tuple[list[Node], bool]:
        """Return what pieces say, and whether they are nothing but as many good items."""
        text = "".join(self._entries.pieces[number] for number in numbers)
        problems = Problems()
        tree = parse_yaml(text, problems, is_part=True) if text else ListNode(NOWHERE)
        items = tree.items if isinstance(tree, ListNode) else []
        return items, len(items) == len(numbers) and not problems

    def _is_good(self, number: int) -> bool:
        items, is_good = self._items([number])
        if not is_good:
            self._on_doubt(number, items[0] if len(items) == 1 else None)
        return is_good


def lines_of_starts(pieces: Sequence[str], first: int = 1) -> Iterator[int]:
    """Yield the line on which each piece begins, and the one after the last."""
    return accumulate((piece.count("\n") for piece in pieces), initial=first)
