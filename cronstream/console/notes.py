"""What was done of late, for the page that a browser is sent to then.

A page says only what this process has said itself: its address has but a number that nobody
guesses, so no link can have a page say anything.
"""

import secrets
from dataclasses import dataclass
from typing import Final

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Note:
    """What was done.

    Attributes:
        what: In one sentence.
        run: The run that came of it, if one did.
    """

    what: str
    run: str | None = None


class Notes:
    """Keeps the newest notes, each by a number of its own."""

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def add(self, note: Note) -> str:
        """Keep a note; return its number."""
        number = secrets.token_urlsafe(12)
        self._notes[number] = note
        while len(self._notes) > _MOST:
            del self._notes[next(iter(self._notes))]
        return number

    def get(self, number: str) -> Note | None:
        """Return a note; None if it is not kept, or was never there."""
        return self._notes.get(number)
