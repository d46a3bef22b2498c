"""What a parser says of a text that is not YAML, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.events import ScalarEvent

from cronstream.core.crontab.yaml_quotes import line_of
from cronstream.errors import Place


@dataclass(frozen=True, slots=True)
class ParserFault:
    """What it says.

    Attributes:
        what: Its own sentence.
        place: Where it could not go on.
        context: Where that began which it was reading, if it says so.
        last: The scalar it has read before.
    """

    lines: Sequence[str]
    what: str
    place: Place
    context: Place | None
    last: ScalarEvent | None

    def line(self, number: int) -> str:
        """Return a line of the text; what is behind the end is empty."""
        return line_of(self.lines, number)

    @property
    def here(self) -> str:
        """The line where the parser could not go on."""
        return self.line(self.place.line)

    @property
    def found(self) -> str:
        """What stands there: one character, or none at the end of the line."""
        return self.here[self.place.column - 1 : self.place.column]

    @property
    def behind(self) -> ScalarEvent | None:
        """The scalar that was read last, if this stands right behind it."""
        end = place_of_mark(self.last.end_mark) if self.last else Place(0, 1)
        between = self.here[end.column - 1 : self.place.column - 1]
        return self.last if end.line == self.place.line and not between.strip() else None


def place_of_mark(mark: Any) -> Place:
    """Return a place of the parser's, which counts from 0, as people count."""
    return Place(mark.line + 1, mark.column + 1)
