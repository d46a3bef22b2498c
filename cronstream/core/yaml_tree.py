"""YAML 1.2 to a tree in which every value knows its line and column.

ruamel.yaml reads the syntax, in C where libyaml is there, and the tree is made from its events:
in a loop, so that deep nesting hurts nobody, and with limits on what aliases may add up to.
Scalars are resolved by the core schema (YAML 1.2.2, 10.3.2): ``yes`` and ``on`` are text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from cronstream.core.problems import Place, Problems

#: A crontab nests four deep.
_MAX_DEPTH = 64
#: How many values all aliases together may stand for: a "billion laughs" ends here.
_MAX_ALIASED = 1_000_000
_TEXT_TAG = "tag:yaml.org,2002:str"

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MAYBE_NUMBER = frozenset("0123456789+-.")
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_CHARACTER = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


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


def parse_yaml(text: str, problems: Problems, *, pure: bool = False) -> Node | None:
    """Return the tree of a text that is one document, or None if there is nothing in it.

    Args:
        text: The document.
        problems: Takes every fault; what it could still make sense of is returned.
        pure: Whether to do without libyaml; the result is the same, some twenty times later.
    """
    text = text.removeprefix("\ufeff")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        place = _place_of(text, forbidden.start())
        problems.add(place, f"character U+{ord(forbidden[0]):04X} is not allowed; remove it")
        return None
    builder = _Builder(problems)
    try:
        builder.build(YAML(typ="safe", pure=pure).parse(text))
    except MarkedYAMLError as error:
        problems.add(*_syntax_fault(text, error))
    except (YAMLError, ValueError, OverflowError) as error:
        # Without libyaml, an escape that stands for no character gets as far as chr().
        escape = _NO_CHARACTER.search(text)
        place = _place_of(text, escape.start() if escape else 0)
        problems.add(place, f"not valid YAML: {error}; check escapes such as \\U0001F600")
    except _TooMuchError:
        pass
    return builder.root


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


class _TooMuchError(Exception):
    """The rest of the text is not worth reading; the reason is noted."""


class _Builder:
    """Makes the tree from a parser's events."""

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[Sequence | Mapping] = []
        #: The key that waits for its value, for each open mapping; None where a key comes next.
        self._waiting: list[tuple[str, Place] | None] = []
        #: None while what the anchor stands on is still open.
        self._anchors: dict[str, Node | None] = {}
        self._pending: list[str | None] = []
        self._documents = 0
        self._aliased = 0

    def build(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, ScalarEvent):
                self._add(self._scalar(event), event.anchor)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._begin(event)
            elif isinstance(event, CollectionEndEvent):
                self._end()
            elif isinstance(event, AliasEvent):
                self._add(self._alias(event), None)
            elif isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._stop(event, "a second document begins; keep one crontab in a file")

    def _begin(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._check_tag(event)
        if len(self._open) == _MAX_DEPTH:
            self._stop(event, f"nested deeper than {_MAX_DEPTH}; flatten it")
        is_mapping = isinstance(event, MappingStartEvent)
        if self._open and isinstance(self._open[-1], Mapping) and self._waiting[-1] is None:
            self._stop(event, "a key must be text, not a list or mapping; quote it")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(Mapping(_place(event)) if is_mapping else Sequence(_place(event)))
        self._waiting.append(None)
        self._pending.append(event.anchor)

    def _end(self) -> None:
        self._waiting.pop()
        node = self._open.pop()
        if isinstance(node, Mapping) and "<<" in node.items:
            _merge(node)
        self._add(node, self._pending.pop())

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (waiting := self._waiting[-1]) is None:
            self._waiting[-1] = (self._key(node), node.place)
        else:
            self._waiting[-1] = None
            self._enter(parent, waiting[0], waiting[1], node)

    def _enter(self, mapping: Mapping, key: str, place: Place, node: Node) -> None:
        first = mapping.keys.get(key)
        if first is not None:
            self._problems.add(
                place, f"key {key!r} is there twice, first on line {first.line}; remove one"
            )
            return
        mapping.keys[key] = place
        mapping.items[key] = node

    def _key(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            self._problems.add(node.place, "a key must be text, not a list or mapping; quote it")
            return ""
        if node.value == "<<":
            self._problems.add(
                node.place,
                "merge keys '<<' are not part of YAML 1.2; put what jobs share under 'defaults'",
            )
        elif not isinstance(node.value, str):
            self._problems.add(node.place, f"key {node.value} must be text; quote it")
        return str(node.value)

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        if _UNUSABLE.search(text):
            self._problems.add(_place(event), "a NUL or half a character is in it; remove it")
        self._check_tag(event)
        if not event.implicit[0]:  # It stands there in quotes, or with a tag.
            return Scalar(text, _place(event))
        waiting = self._waiting[-1] if self._waiting else None
        # What is not there has no place of its own, and each parser gives it another.
        return Scalar(resolve(text), waiting[1] if waiting and not text else _place(event))

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            self._stop(
                event, f"alias *{event.anchor} has no anchor before it; define &{event.anchor}"
            )
        node = self._anchors[event.anchor]
        if node is None:
            self._stop(event, f"alias *{event.anchor} stands inside what it stands for; remove it")
        if len(self._open) + node.depth > _MAX_DEPTH:
            self._stop(event, f"nested deeper than {_MAX_DEPTH} by aliases; flatten it")
        self._aliased += node.size
        if self._aliased > _MAX_ALIASED:
            self._stop(event, f"aliases stand for more than {_MAX_ALIASED} values; use fewer")
        return node

    def _check_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        tag = event.tag
        if tag is not None and tag not in {_TEXT_TAG, "!"}:
            self._problems.add(_place(event), f"tag {tag!r} is not allowed; remove it")

    def _stop(self, event: Event, sentence: str) -> NoReturn:
        self._problems.add(_place(event), sentence)
        self.root = None
        raise _TooMuchError


def _merge(mapping: Mapping) -> None:
    """Put in place what a merge key stands for: it is a fault, and told once, not its sequels."""
    del mapping.keys["<<"]
    node = mapping.items.pop("<<")
    for merged in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(merged, Mapping):
            mapping.items = merged.items | mapping.items
            mapping.keys = merged.keys | mapping.keys


def resolve(text: str) -> bool | int | float | str | None:
    """Return what a scalar without quotes means in YAML's core schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] in _MAYBE_NUMBER:
        if _INT.fullmatch(text):
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text[2:] if base != 10 else text, base)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _place(event: Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _place_of(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _syntax_fault(text: str, error: MarkedYAMLError) -> tuple[Place, str]:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return place, "a tab indents this line; use spaces"
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return place, f"not valid YAML: {what}; check quotes, colons and indentation here"
