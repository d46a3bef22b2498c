"""Planting faults: a small change of one function, for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from unittest.mock import patch

#: What is put in place of what: object, attribute, the faulty one.
Change: TypeAlias = tuple[Any, str, Any]


class Faults(dict[str, list[Change]]):
    """Faults by their sentences, which begin with the number of a rule (design, section 3.1)."""

    def fault(self, name: str, target: Any, attribute: str) -> Callable[[Any], Any]:
        """Name what is decorated as the faulty one for an attribute."""

        def plant(faulty: Any) -> Any:
            self.setdefault(name, []).append((target, attribute, faulty))
            return faulty

        return plant

    @contextmanager
    def planted(self, name: str) -> Iterator[None]:
        """Have something done wrong for a while."""
        changes = [patch.object(*change) for change in self[name]]
        for change in changes:
            change.start()
        try:
            yield
        finally:
            for change in reversed(changes):
                change.stop()


#: The faults of the simulation.
FAULTS = Faults()
fault, planted = FAULTS.fault, FAULTS.planted
