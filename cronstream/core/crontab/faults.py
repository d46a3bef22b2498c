"""What pydantic finds in a crontab, in our words: what is wrong, and what to do about it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cronstream.core.crontab.yaml_nodes import Mapping, Node, node_at
from cronstream.errors import Place

ModelT = TypeVar("ModelT", bound=BaseModel)

#: What a value must be, by pydantic's name for the error.
_MUST = {
    "string_type": "must be text; quote it",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping; write 'KEY: value' lines below it",
    "model_type": "must be a mapping of keys and values",
    "string_too_long": "is too long; at most {max_length} characters",
    "greater_than_equal": "is too small; at least {ge}",
    "less_than_equal": "is too large; at most {le}",
    "literal_error": "is not known; write {expected}",
    "finite_number": "must be a number that is finite",
}


#: What other schedulers call it.
_ELSEWHERE = {
    "cmd": "command",
    "exec": "command",
    "run": "command",
    "script": "command",
    "cron": "schedule",
    "crontab": "schedule",
    "when": "schedule",
    "tz": "timezone",
    "time-zone": "timezone",
    "zone": "timezone",
    "environment": "env",
    "variables": "env",
    "retries": "max_attempts",
    "attempts": "max_attempts",
    "concurrency": "overlap",
    "concurrencypolicy": "overlap",
    "workdir": "cwd",
    "working-dir": "cwd",
    "working-directory": "cwd",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong below a node.

    Attributes:
        path: The keys that lead to it.
        is_key: Whether the key itself is wrong, rather than its value.
        missing: The key that is not there, if that is the fault.
        mended: The key that stands there, if the last of the path is what was meant by it.
    """

    path: tuple[int | str, ...]
    sentence: str
    is_key: bool = False
    missing: str | None = None
    mended: str | None = None

    @property
    def key(self) -> str | None:
        """The key that it is about, as it stands there; None if it is about the whole."""
        return self.missing or self.mended or ".".join(map(str, self.path)) or None

    def place_in(self, node: Node) -> Place:
        """Return where it is, in the tree that was checked."""
        if not self.is_key:
            return node_at(node, self.path).place
        parent = node_at(node, self.path[:-1])
        key = str(self.path[-1])
        return parent.keys[key] if isinstance(parent, Mapping) else parent.place


def faults_of(kind: type[ModelT], values: Any) -> tuple[ModelT | None, list[Fault]]:
    """Return values as a model, or what is wrong with them."""
    try:
        return kind.model_validate(values), []
    except ValidationError as error:
        return None, [_fault(kind, details) for details in error.errors(include_url=False)]


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that does not exist."""
    names = list(known)
    near = close_key(key, names)
    remedy = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
    return f"key {key!r} is not known; {remedy}"


def close_key(key: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None if none is like it."""
    names, elsewhere = list(known), _ELSEWHERE.get(key.lower().replace("_", "-"))
    if elsewhere in names:
        return elsewhere
    return next(iter(difflib.get_close_matches(key, names, n=1)), None)


def mend_keys(node: Node, known: Iterable[str]) -> list[Fault]:
    """Give what stands under a key that is nearly known its right name, and return the faults.

    So a mistyped key is one fault, and not that its right name is missing besides.
    """
    if not isinstance(node, Mapping):
        return []
    names, faults = list(known), []
    for key in [key for key in node.items if key not in names]:
        near = close_key(key, names)
        if near is not None and near not in node.items:
            faults.append(Fault((near,), unknown_key(key, names), is_key=True, mended=key))
            node.items[near], node.keys[near] = node.items.pop(key), node.keys.pop(key)
    return faults


def _fault(kind: type[BaseModel], details: ErrorDetails) -> Fault:
    path = details["loc"]
    name = ".".join(map(str, path))
    if details["type"] == "extra_forbidden":
        return Fault(path, unknown_key(name, _known(kind, path)), is_key=True)
    if details["type"] == "missing":
        return Fault(path[:-1], f"{name!r} is missing; add it", missing=name)
    if details["input"] is None and path:
        remedy = "give it a value" if _is_needed(kind, path) else "give it a value, or leave it out"
        return Fault(path, f"{name} is empty; {remedy}")
    context = details.get("ctx", {})
    if len(path) > 2 and path[-1] == "[key]":  # pydantic's way to say: not the value, its name
        where = ".".join(map(str, path[:-2]))
        sentence = f"{where} has {path[-2]!r}, which {context['error']}"
        return Fault(path[:-1], sentence, is_key=True)
    if details["type"] == "value_error":
        sentence = str(context["error"])
    else:
        sentence = _MUST.get(details["type"], details["msg"]).format_map(context)
    return Fault(
        path, " ".join(part for part in (name, _shown(details["input"]), sentence) if part)
    )


def _is_needed(kind: type[BaseModel], path: tuple[int | str, ...]) -> bool:
    field = kind.model_fields.get(str(path[0]))
    return len(path) == 1 and field is not None and field.is_required()


def _known(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand where the unknown one does, each with its whole path."""
    fields = kind.model_fields
    for step in path[:-1]:
        nested: Any = fields[str(step)].annotation
        fields = nested.model_fields
    return [".".join(map(str, (*path[:-1], name))) for name in fields]


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:57]}..."
