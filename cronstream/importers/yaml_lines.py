"""YAML of others, with the line of each value."""

import json
import re
from collections.abc import Callable, Container, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedKeyMap, CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cronstream.importers.found import ForeignError, Source

#: An action of a template where a value or a whole line stands, in a text that is no YAML.
_TEMPLATE: Final = re.compile(r"\s*(?:- )?\{\{|[^#]*:\s*\{\{")


def documents(source: Source) -> Iterator[Any]:
    """Yield each document of a file that is not empty.

    Raises:
        ForeignError: If it is no YAML, or a template.
    """
    reader = YAML(typ="rt", pure=True)
    reader.allow_duplicate_keys = True
    try:
        for document in reader.load_all(source.text):
            _refuse(source, document, _is_action)
            if document is not None:
                yield document
    except (YAMLError, ValueError) as error:
        where, what = 1, str(error).partition("\n")[0]
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            where, what = error.problem_mark.line + 1, str(error.problem)
        line = _line_of_template(source.text, where)
        if line is not None:
            raise _template(source, line) from error
        raise ForeignError(f"{source.name}:{where}: it is no YAML ({what}); mend it") from error


def refuse_templates(source: Source, node: Any, passing: Container[str]) -> None:
    """Refuse what a template stands in, as text too: ``"{{ .Values.schedule }}"``.

    Args:
        source: The file.
        node: What of it is looked at.
        passing: Keys of what may well have a template in it, and is passed over.

    Raises:
        ForeignError: If there is one, with its line.
    """

    def has_action(value: Any) -> bool:
        return isinstance(value, str) and re.search(r"\{\{.*\}\}", value, re.DOTALL) is not None

    _refuse(source, node, has_action, passing)


def _refuse(
    source: Source, node: Any, is_wrong: Callable[[Any], bool], passing: Container[str] = ()
) -> None:
    lines = [line for line, value in _values(node, passing) if is_wrong(value)]
    if lines:
        raise _template(source, min(lines))


def _template(source: Source, line: int) -> ForeignError:
    what = "it is a template; render it (helm template …), and import that"
    return ForeignError(f"{source.name}:{line}: {what}")


def _is_action(value: Any) -> bool:
    """Whether it is what YAML makes of ``{{ … }}``: a mapping whose key is one."""
    return isinstance(value, CommentedKeyMap)


def _values(root: Any, passing: Container[str]) -> Iterator[tuple[int, Any]]:
    """Yield each key and each value within a node, with its line."""
    waiting, seen = [(line_of(root), root)], set[int]()
    while waiting:
        line, node = waiting.pop()
        yield line, node
        if id(node) in seen:  # Aliases may go round in circles.
            continue
        seen.add(id(node))
        if isinstance(node, CommentedMap):
            own = [(max(line, line_of(node, key)), key) for key in node]
            waiting += own
            waiting += [(where, node[key]) for where, key in own if key not in passing]
        elif isinstance(node, CommentedSeq):
            waiting += [(line_of(node, place), item) for place, item in enumerate(node)]


def _line_of_template(text: str, wrong: int) -> int | None:
    """Return where a text that is no YAML is a template: at the line that is wrong, or before."""
    lines = text.splitlines()
    if "{{" in " ".join(["", *lines[wrong - 1 : wrong]]).partition(" #")[0]:
        return wrong
    found = (number for number, line in enumerate(lines, start=1) if _TEMPLATE.match(line))
    return next(found, None)


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
    """Return a scalar as text, as it would have stood in quotes; all else as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, AbstractSet):
        value = list(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, skipkeys=True, default=text_of)
    if isinstance(value, bytes):  # !!binary
        return value.decode(errors="replace")
    return "" if value is None else str(value)
