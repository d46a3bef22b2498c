"""The tree that a YAML text is read into: every value, and every key, knows its place."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cronstream.errors import Place

#: Of what is in no text.
NOWHERE: Final = Place(1, 1)

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


@dataclass(slots=True)
class Scalar:
    """One value: null, a truth value, a number or a text."""

    value: bool | int | float | str | None
    place: Place
    size: int = 1
    depth: int = 1


@dataclass(slots=True)
class Sequence:
    """A list; `size` and `depth` are of all that is in it, what aliases stand for included."""

    place: Place
    items: list["Node"] = field(default_factory=list)
    size: int = 1
    depth: int = 1


@dataclass(slots=True)
class Mapping:
    """Values by key, and where each key stands."""

    place: Place
    items: dict[str, "Node"] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    depth: int = 1


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Plain:
    """Return a tree as ordinary values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def node_at(node: Node, path: tuple[int | str, ...]) -> Node:
    """Return the node at `path`, or the last one on the way that there is."""
    for step in path:
        if isinstance(node, Mapping) and step in node.items:
            node = node.items[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node


def find_place(node: Node, path: tuple[int | str, ...]) -> Place:
    """Return where the value at `path` is, or the last part of the path that there is."""
    return node_at(node, path).place
