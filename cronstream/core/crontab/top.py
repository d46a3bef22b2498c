"""What stands at the top of a crontab beside its clusters, defaults and jobs."""

from collections.abc import Collection
from typing import Final

from cronstream.core.crontab.faults import unknown_key
from cronstream.core.crontab.include import include_of
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.removals import mark_fault
from cronstream.core.crontab.yaml_nodes import Mapping, Node, Scalar, plain
from cronstream.errors import Place

VERSION: Final = 1


def explain_root(root: Node | None, problems: Problems) -> None:
    """Note why a text is no crontab, unless it is said already."""
    if problems:
        return
    if root is None or (isinstance(root, Scalar) and root.value is None):
        problems.add(Place(1, 1), "the crontab is empty; begin it with 'version: 1'")
    else:
        problems.add(root.place, "the crontab must be a mapping; begin it with 'version: 1'")


def refuse_unknown(root: Mapping, known: Collection[str], problems: Problems) -> None:
    """Note each key that is none of these."""
    for key in root.items:
        if key not in known:
            problems.add(root.keys[key], unknown_key(key, known), key=key)


def read_version(root: Mapping, problems: Problems) -> bool:
    """Return whether the rest can be read: another version may mean anything by it."""
    node = root.items.get("version")
    if node is None:
        sentence = "'version' is missing; begin with 'version: 1'"
        problems.add(root.place, sentence, key="version")
        return True
    version = node.value if isinstance(node, Scalar) else None
    if type(version) is int and version == VERSION:
        return True
    sentence = f"version {plain(node)!r} is not supported; write 'version: 1'"
    problems.add(node.place, sentence, key="version")
    return type(version) is not int


def read_include(root: Mapping, problems: Problems) -> tuple[str, ...]:
    """Return the files that it includes, as it names them."""
    node = root.items.get("include")
    if node is None:
        return ()
    found = include_of(node)
    if found is None:
        sentence = "'include' must be the name of a file, or a list; write 'teams/*.yaml'"
        problems.add(node.place, sentence, key="include")
    return found or ()


def read_mark(root: Mapping, problems: Problems) -> str:
    """Return the mark of the great removal that it means; empty if it means none."""
    node = root.items.get("allow_removals")
    value = None if node is None else plain(node)
    if node is None or value is None:
        return ""
    if fault := mark_fault(value):
        problems.add(node.place, fault, key="allow_removals")
    return str(value)
