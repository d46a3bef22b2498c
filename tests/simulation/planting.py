"""Planting faults: a small change of one function, for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from unittest.mock import patch

#: What is put in place of what: object and attribute, or table and key; the faulty one.
Change: TypeAlias = tuple[Any, Any, Any]


class Faults(dict[str, list[Change]]):
    """Faults by their sentences, which begin with the number of a rule (docs/design/rules.md)."""

    def fault(self, name: str, target: Any, attribute: Any) -> Callable[[Any], Any]:
        """Name what is decorated as the faulty one for an attribute, or a key of a table."""

        def plant(faulty: Any) -> Any:
            self.setdefault(name, []).append((target, attribute, faulty))
            return faulty

        return plant

    @contextmanager
    def planted(self, name: str) -> Iterator[None]:
        """Have something done wrong for a while."""
        changes = [_patch(*change) for change in self[name]]
        for change in changes:
            change.start()
        try:
            yield
        finally:
            for change in reversed(changes):
                change.stop()


def there(target: Any, attribute: Any) -> Any:
    """Return what stands now where a fault is planted."""
    return target[attribute] if isinstance(target, dict) else getattr(target, attribute)


def _patch(target: Any, attribute: Any, faulty: Any) -> Any:
    if isinstance(target, dict):
        return patch.dict(target, {attribute: faulty})
    return patch.object(target, attribute, faulty)


#: The faults of the simulation.
FAULTS = Faults()
fault, planted = FAULTS.fault, FAULTS.planted
