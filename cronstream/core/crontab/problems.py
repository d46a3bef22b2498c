"""Faults in a text, each with the place where it is, so that all are told at once."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """Where something begins in a text; line and column are counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problems:
    """The faults found so far, at most one of the same words at a place."""

    _found: dict[tuple[Place, str], str] = field(default_factory=dict)

    def add(self, place: Place, sentence: str, label: str = "") -> None:
        """Note a fault: what is wrong, and what to do about it.

        Args:
            place: Where.
            sentence: What is wrong there.
            label: What it is about; of several that share the place (by an alias) the first.
        """
        self._found.setdefault((place, sentence), label)

    def __bool__(self) -> bool:
        return bool(self._found)

    def sentences(self) -> list[str]:
        """Return each fault as ``line 12, column 5: …``, in the order of the text."""
        return [
            f"line {place.line}, column {place.column}: {label}{sentence}"
            for (place, sentence), label in sorted(self._found.items())
        ]
