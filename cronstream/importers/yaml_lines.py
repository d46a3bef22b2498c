"""YAML of others, with the line of each value."""

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cronstream.importers.found import ForeignError, Source

_TEMPLATE = re.compile(r"^\s*(?:- )?\{\{-?|:\s*\{\{-?", re.MULTILINE)


def documents(source: Source) -> Iterator[Any]:
    """Yield each document of a file that is not empty.

    Raises:
        ForeignError: If it is no YAML.
    """
    reader = YAML(typ="rt", pure=True)
    reader.allow_duplicate_keys = True
    try:
        for document in reader.load_all(source.text):
            if document is not None:
                yield document
    except (YAMLError, ValueError) as error:
        if _TEMPLATE.search(source.text):
            raise ForeignError(
                f"{source.name}: it is a template; render it (helm template …), and import that"
            ) from error
        where, what = 1, str(error).partition("\n")[0]
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            where, what = error.problem_mark.line + 1, str(error.problem)
        raise ForeignError(f"{source.name}:{where}: it is no YAML ({what}); mend it") from error


def line_of(node: Any, key: str | int | None = None) -> int:
    """Return the line of a mapping or a list, or of what stands in it under a key, from 1."""
    if not isinstance(node, (CommentedMap, CommentedSeq)):
        return 1
    if key is not None and key in (node.lc.data or {}):
        return int(node.lc.data[key][0]) + 1
    return int(node.lc.line or 0) + 1


def mapping(node: Any, key: str) -> CommentedMap:
    """Return the mapping that stands under a key; an empty one if there is none."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, CommentedMap) else CommentedMap()


def listed(node: Any, key: str) -> list[Any]:
    """Return the list that stands under a key; an empty one if there is none."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, list) else []


def text_of(value: Any) -> str:
    """Return a scalar as text, as it would have stood in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
