"""Planting faults: a small change of one function, for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from unittest.mock import patch

#: What is put in place of what: object, attribute, the faulty one.
Change: TypeAlias = tuple[Any, str, Any]
#: Every fault by its sentence, which begins with the number of its rule (design, section 3.1).
FAULTS: dict[str, list[Change]] = {}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have something done wrong for a while."""
    changes = [patch.object(*change) for change in FAULTS[name]]
    for change in changes:
        change.start()
    try:
        yield
    finally:
        for change in reversed(changes):
            change.stop()


def fault(name: str, target: Any, attribute: str) -> Callable[[Any], Any]:
    """Name what is decorated as the faulty one for an attribute."""

    def plant(faulty: Any) -> Any:
        FAULTS.setdefault(name, []).append((target, attribute, faulty))
        return faulty

    return plant
