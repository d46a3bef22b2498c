"""How far a console knows, whoever projects at the moment."""

from datetime import datetime
from typing import Protocol


class Progress(Protocol):
    """What pages and metrics say of who projects.

    Attributes:
        is_current: Whether all that was there when it began is projected.
        done: How many of those messages are.
        total: How many there were.
        written: Rows that were written.
    """

    is_current: bool
    done: int
    total: int
    written: int

    @property
    def known_until(self) -> datetime | None:
        """The time of the last message that is projected (UTC); None while there is none."""
