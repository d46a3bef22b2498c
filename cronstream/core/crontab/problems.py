"""The faults that are found in a text, so that all are reported at once."""

from dataclasses import dataclass, field

from cronstream.errors import Part, Place, Problem


@dataclass(frozen=True, slots=True)
class Problems:
    """The faults found so far, at most one of the same words at a place."""

    _found: dict[tuple[Place, str], Problem] = field(default_factory=dict)

    def add(
        self, place: Place, what: str, part: Part | None = None, *, key: str | None = None
    ) -> None:
        """Note a fault: what is wrong, and what to do about it.

        Args:
            place: Where.
            what: What is wrong there.
            part: What it is in; of several that share the place (by an alias) the first.
            key: What it is about, as it stands there.
        """
        self._found.setdefault((place, what), Problem(what, place, part, key))

    def __bool__(self) -> bool:
        return bool(self._found)

    def take(self) -> bool:
        """Forget all; return whether there was any."""
        was_any = bool(self._found)
        self._found.clear()
        return was_any

    def in_order(self) -> list[Problem]:
        """Return each fault, in the order of the text."""
        return [self._found[each] for each in sorted(self._found)]
