"""YAML 1.2 to a tree in which every value knows its line and column.

ruamel.yaml reads the syntax, in C where libyaml is there, and the tree is made from its events:
in a loop, so that deep nesting hurts nobody, and with limits on what aliases may add up to.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

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

from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_faults import syntax_fault
from cronstream.core.crontab.yaml_marks import place_of_mark
from cronstream.core.crontab.yaml_nodes import Mapping, Node, Scalar, Sequence
from cronstream.core.crontab.yaml_quotes import quotes_needed, value_at
from cronstream.core.crontab.yaml_scalars import resolve
from cronstream.errors import Place

#: A crontab nests four deep.
_MAX_DEPTH = 64
#: How many values all aliases together may stand for: a "billion laughs" ends here.
_MAX_ALIASED = 1_000_000
_TEXT_TAG = "tag:yaml.org,2002:str"
#: What libyaml takes for one; without it, there is more.
_ANCHOR: Final = re.compile(r"[0-9A-Za-z_-]+")
_NAME: Final = re.compile(r"[A-Za-z_][\w-]*")

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_CHARACTER = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def parse_yaml(
    text: str, problems: Problems, *, pure: bool = False, is_part: bool = False
) -> Node | None:
    """Return the tree of a text that is one document, or None if there is nothing in it.

    Args:
        text: The document.
        problems: Takes every fault; what it could still make sense of is returned.
        pure: Whether to do without libyaml; the result is the same, some twenty times later.
        is_part: Whether it was cut out of another: what an alias stands for may be elsewhere.

    Raises:
        AliasError: If there is an alias in a part.
    """
    text = text.removeprefix("\ufeff")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        place = _place_of(text, forbidden.start())
        problems.add(place, f"character U+{ord(forbidden[0]):04X} is not allowed; remove it")
        return None
    lines = text.split("\n")
    builder = _Builder(lines, problems, may_alias=not is_part)
    try:
        builder.build(YAML(typ="safe", pure=pure).parse(text))
    except MarkedYAMLError as error:
        problems.add(*syntax_fault(lines, error, builder.last))
        return None
    except (YAMLError, ValueError, OverflowError) as error:
        # Without libyaml, an escape that stands for no character gets as far as chr().
        escape = _NO_CHARACTER.search(text)
        place = _place_of(text, escape.start() if escape else 0)
        problems.add(place, f"not valid YAML: {error}; check escapes such as \\U0001F600")
    except _TooMuchError:
        pass
    return builder.root


class AliasError(Exception):
    """There is an alias, and nobody knows what it stands for."""


class _TooMuchError(Exception):
    """The rest of the text is not worth reading; the reason is noted."""


class _Builder:
    """Makes the tree from a parser's events."""

    def __init__(self, lines: list[str], problems: Problems, *, may_alias: bool) -> None:
        self.root: Node | None = None
        #: The scalar that was read last.
        self.last: ScalarEvent | None = None
        self._lines, self._problems = lines, problems
        self._open: list[Sequence | Mapping] = []
        #: The key that waits for its value, for each open mapping; None where a key comes next.
        self._waiting: list[tuple[str, Place] | None] = []
        #: None while what the anchor stands on is still open.
        self._anchors: dict[str, Node | None] = {}
        self._pending: list[str | None] = []
        self._documents = 0
        self._aliased, self._may_alias = 0, may_alias

    def build(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, ScalarEvent):
                self.last = event
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
        self._check_properties(event)
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
                place, f"key {key!r} appears twice, first on line {first.line}; remove one"
            )
            if len(self._open) == 1:
                mapping.items[key] = _together(mapping.items[key], node)
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
        self._check_properties(event)
        if not event.implicit[0]:  # It stands there in quotes, or with a tag.
            return Scalar(text, _place(event))
        waiting = self._waiting[-1] if self._waiting else None
        # What is not there has no place of its own, and each parser gives it another.
        return Scalar(resolve(text), waiting[1] if waiting and not text else _place(event))

    def _alias(self, event: AliasEvent) -> Node:
        if not self._may_alias:
            raise AliasError
        if event.anchor not in self._anchors:
            self._stop(event, self._unknown_alias(event))
        node = self._anchors[event.anchor]
        if node is None:
            self._stop(event, f"alias *{event.anchor} stands inside what it stands for; remove it")
        if len(self._open) + node.depth > _MAX_DEPTH:
            self._stop(event, f"nested deeper than {_MAX_DEPTH} by aliases; flatten it")
        self._aliased += node.size
        if self._aliased > _MAX_ALIASED:
            self._stop(event, f"aliases stand for more than {_MAX_ALIASED} values; use fewer")
        return node

    def _unknown_alias(self, event: AliasEvent) -> str:
        """Return what is said of an alias that stands for nothing: it may be meant as text."""
        name = event.anchor
        if _NAME.fullmatch(name) and value_at(self._lines, _place(event)) == f"*{name}":
            return f"alias *{name} has no anchor before it; define &{name}"
        return quotes_needed(self._lines, _place(event))

    def _check_properties(
        self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent
    ) -> None:
        if event.anchor is not None and not _ANCHOR.fullmatch(event.anchor):
            self._problems.add(_place(event), quotes_needed(self._lines, _place(event)))
        tag = event.tag
        if tag is None or tag == _TEXT_TAG:
            return
        if tag == "!" and isinstance(event, ScalarEvent) and not event.style:
            # A shell's negation would be lost without a word.
            self._problems.add(_place(event), quotes_needed(self._lines, _place(event)))
        elif tag != "!":
            sentence = f"tag {tag!r} is not allowed; remove it, or put the text in quotes"
            self._problems.add(_place(event), sentence)

    def _stop(self, event: Event, sentence: str) -> NoReturn:
        self._problems.add(_place(event), sentence)
        self.root = None
        raise _TooMuchError


def _together(first: Node, second: Node) -> Node:
    """Return what is in either, so that nothing of a part that appears twice seems missing."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        items, keys = second.items | first.items, second.keys | first.keys
        return Mapping(first.place, items, keys, first.size, first.depth)
    if isinstance(first, Sequence) and isinstance(second, Sequence):
        return Sequence(first.place, [*first.items, *second.items], first.size, first.depth)
    return first


def _merge(mapping: Mapping) -> None:
    """Put in place what a merge key stands for: a fault is reported once, not its sequels."""
    del mapping.keys["<<"]
    node = mapping.items.pop("<<")
    for merged in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(merged, Mapping):
            mapping.items = merged.items | mapping.items
            mapping.keys = merged.keys | mapping.keys


def _place(event: Event) -> Place:
    return place_of_mark(event.start_mark)


def _place_of(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
