"""Reads a job that is written plainly, without a parser: some ten times as fast.

Each line is ``key: value``, with a value that is a word or several, or in quotes without escapes;
under a key without a value stand further such lines. What is anything else is left to the parser,
so nothing is refused here, and what is read here means the same there.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from cronstream.core.crontab.yaml_nodes import NOWHERE, Node, Scalar
from cronstream.core.crontab.yaml_nodes import Mapping as MappingNode
from cronstream.core.crontab.yaml_scalars import WORDS, resolve

Value: TypeAlias = "bool | int | float | str | None"

#: What a value without quotes may begin with here.
_FIRST: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._$+(^<;\\"
)
#: What nearly all are like that have no quotes; all of it would be read so, but more slowly.
_SIMPLE_WORDS: Final = r"[A-Za-z/](?:[ !\"$-9;-~]*[!\"$-9;-~])?"
_SIMPLE: Final = re.compile(_SIMPLE_WORDS)
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Keys with plain words, in braces, behind a key.
_IN_BRACES: Final = re.compile(r"[a-z_]+: \{ *\w+: [\w./+-]+(?:, +\w+: [\w./+-]+)* *\}", re.ASCII)
#: Beside ASCII, neither what cannot be seen, nor what parsers count as a break of lines.
_BEYOND: Final = "\xa1-\u1fff\u2030-\ud7ff\ue000-\ufefe\uff00-\ufffd"
_TEXT: Final = re.compile(f"[\x20-\x7e{_BEYOND}]*")
#: Most values that are text, and a line long: words that mean nothing else, and what is in quotes.
ONE_LINE_TEXT: Final = (
    rf"(?!(?:{'|'.join(sorted(WORDS))})(?:\n|\Z)){_SIMPLE_WORDS}"
    r"|[0-9][!\"$-9;-~]* [ !\"$-9;-~]*[!\"$-9;-~]"
    rf"|'[ -&(-~{_BEYOND}]+'|\"[ !#-\[\]-~{_BEYOND}]+\""
)


class NotPlainError(Exception):
    """It is for the parser."""


def value_of(text: str) -> Value:
    """Return what a value means that stands alone on its line.

    Raises:
        NotPlainError: If it is none that can be read here.
    """
    if _SIMPLE.fullmatch(text):
        return resolve(text)
    quote = text[:1]
    if quote in {"'", '"'}:
        inner = text[1:-1]
        if len(text) < 2 or text[-1] != quote or quote in inner:
            raise NotPlainError
        if not _TEXT.fullmatch(inner) or (quote == '"' and "\\" in inner):
            raise NotPlainError
        return inner
    if quote not in _FIRST or ": " in text or " #" in text or text[-1] in " :":
        raise NotPlainError
    if not _TEXT.fullmatch(text):
        raise NotPlainError
    return resolve(text)


def lines_of(piece: str, indent: int) -> list[str]:
    """Return the lines of an entry that say something, each without the entry's indentation.

    What stands in braces is returned as the lines below its key that it means.

    Raises:
        NotPlainError: If one is indented less, or nothing stands behind the dash.
    """
    deep, margin = indent + 2, " " * (indent + 2)
    first, *rest = piece.split("\n")
    if not first[deep:]:
        raise NotPlainError
    found = [first[deep:]]
    for line in rest:
        if line.lstrip(" ")[:1] in _NOTHING:
            _see_that_it_is_plain(line)
        elif not line.startswith(margin):
            raise NotPlainError
        elif line[-1] == "}" and _IN_BRACES.fullmatch(line, deep):
            key, _, inner = line[deep:].partition(": ")
            found += [f"{key}:", *(f"  {each.strip()}" for each in inner[1:-1].split(","))]
        else:
            found.append(line[deep:])
    return found


_NOTHING: Final = frozenset(("", "#"))


def _see_that_it_is_plain(comment: str) -> None:
    if not _TEXT.fullmatch(comment):
        raise NotPlainError


def values_of(lines: list[str]) -> dict[str, Any]:
    """Return what the lines of an entry say.

    Raises:
        NotPlainError: If one of them is not plain, or a key is there twice.
    """
    values: dict[str, Any] = {}
    inner: dict[str, Any] | None = None
    depth = 0
    for line in lines:
        text = line.lstrip(" ")
        at = len(line) - len(text)
        if at and inner is not None and depth in {0, at}:
            depth = at
            _enter(inner, text)
        elif at or (depth == 0 and inner is not None):
            raise NotPlainError
        elif text.endswith(":"):
            inner, depth = {}, 0
            _add(values, text[:-1], inner)
        else:
            inner = None
            _enter(values, text)
    if inner is not None and not inner:
        raise NotPlainError
    return values


def _enter(values: dict[str, Any], text: str) -> None:
    key, colon, value = text.partition(": ")
    if not colon:
        raise NotPlainError
    _add(values, key, value_of(value))


def _add(values: dict[str, Any], key: str, value: Any) -> None:
    if key in values or not _KEY.fullmatch(key) or resolve(key) != key:
        raise NotPlainError
    values[key] = value


def node_of(values: Mapping[str, Any]) -> Node:
    """Return the tree of what a job says; none of it has a place, for nothing is said of it."""
    items = {
        key: node_of(value) if isinstance(value, dict) else Scalar(value, NOWHERE)
        for key, value in values.items()
    }
    return MappingNode(NOWHERE, items, dict.fromkeys(items, NOWHERE))
