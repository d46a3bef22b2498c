"""Makes our records Faust's, so that Faust knows, lists and describes what is on the topics.

Most commands need records, and nothing of Faust, which takes a third of what they take to start: so
`cronstream.core.wire.record` does without, and `faust.Record` gets its place below our own class
only here, when the application is loaded. Faust (0.15) writes and compiles methods for each kind
then, and descriptors that run Python code for each field: ours are kept instead.
"""

from collections.abc import Iterator
from typing import Any

import faust

from cronstream.core.wire import entries, installation, messages, runs
from cronstream.core.wire.record import Record

_OURS: Any = Record
#: What Faust would generate for each kind, and our class has, or Python's own.
_KEPT = ("__init__", "__hash__", "__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__")


def kinds() -> Iterator[Any]:
    """Return all kinds of records that are on the topics, or within others there."""
    for module in (runs, entries, installation, messages):
        own = [kind for kind in vars(module).values() if isinstance(kind, type)]
        yield from (k for k in own if issubclass(k, Record) and k.__module__ == module.__name__)


def make_records_of_faust() -> None:
    """Have Faust know every kind of record by its fields, their defaults, and its namespace."""
    if issubclass(_OURS, faust.Record):
        return
    kept = {name: getattr(_OURS, name) for name in (*_KEPT, "asdict")}
    kept["asdict"].faust_generated = True  # Else Faust takes it for an override, and refuses.
    _OURS.__bases__ = (faust.Record,)
    for name, method in kept.items():
        setattr(_OURS, f"_BUILD_{name.strip('_')}", classmethod(lambda _, method=method: method))
    _OURS._contribute_to_options = classmethod(_describe)
    _OURS._contribute_field_descriptors = classmethod(lambda *_: {})
    for kind in kinds():
        kind._init_subclass(serializer="json", namespace=kind.namespace, isodates=True)


def _describe(kind: Any, options: Any) -> None:
    """Write down what Faust would find out by itself from the annotations of a kind."""
    options.fields, options.defaults = kind.fields, kind.defaults
    options.fieldset, options.optionalset = frozenset(kind.fields), frozenset(kind.defaults)
    options.fieldpos = dict(enumerate(kind.fields))
