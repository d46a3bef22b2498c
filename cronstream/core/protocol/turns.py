"""Rule 26, too: what has a slot soon is not lent, and what was lent comes back for its turn.

A worker claims ahead what is due within the next seconds. Where short commands keep all workers at
work, what one of them gives back waits for a slot of another in vain, and behind all that was
claimed ahead; and to give back and claim again costs as much as half a run. So what is lent at once
is doubled when others have claimed some of it, and halved when it has come back.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cronstream.core.ledger.mark import LONG_AGO

#: What has a slot within this is not lent (seconds).
_SOON_S: Final = 0.5
#: Nothing is lent for so long after what was lent has come back (seconds).
_IN_VAIN_S: Final = 0.5
#: So many runs are lent at once at first, or as many as it has slots.
_AT_FIRST: Final = 16
#: No more are for all that others have claimed.
_MOST: Final = 5_000


class Turns:
    """Knows how fast slots come free, and by that whose turn it is.

    Args:
        slots: How many there are.

    Attributes:
        soon: How many slots come free within half a second, if it goes on as in the last two.
        at_once: How many runs may be lent that nobody has claimed yet.
    """

    def __init__(self, slots: int) -> None:
        self.soon = 0
        self._at_first = self.at_once = max(slots, _AT_FIRST)
        self._ended = 0
        #: When it was looked how many had ended (monotonic seconds), and how many.
        self._looks: deque[tuple[float, int]] = deque()
        #: What was due before this has its turn, so many more until the next look.
        self._before, self._left = LONG_AGO, 0
        self._was_in_vain, self._in_vain_until = False, float("-inf")

    def note_end(self) -> None:
        """Note that an attempt has ended, so a slot has come free."""
        self._ended += 1

    def look(self, mono: float, claimed: int) -> None:
        """Count how many have come free; nobody has a turn until the line is known.

        Args:
            mono: Now, in monotonic seconds.
            claimed: How many runs that it had lent others have claimed since the last look.
        """
        self._looks.append((mono, self._ended))
        while len(self._looks) > 2 and self._looks[1][0] <= mono - 2 * _SOON_S:
            self._looks.popleft()
        # Commands that began together end together: that says nothing of the next half second.
        lately, before = self._ended_by(mono - _SOON_S), self._ended_by(mono - 2 * _SOON_S)
        self.soon = min(self._ended - lately, lately - before)
        self._left = 0
        if self._was_in_vain:
            self._was_in_vain, self._in_vain_until = False, mono + _IN_VAIN_S
            self.at_once = max(1, self.at_once // 2)
        elif claimed:
            self.at_once = min(_MOST, 2 * self.at_once)

    def _ended_by(self, mono: float) -> int:
        found = (ended for at, ended in reversed(self._looks) if at <= mono)
        return next(found, self._looks[0][1])

    def nobody_waits(self) -> None:
        """Note that it has slots free: what was lent until now says nothing of the next time."""
        self.at_once = self._at_first

    def may_lend(self, mono: float) -> int:
        """Return how many may be lent that nobody has claimed: none if some have come back now."""
        return self.at_once if mono >= self._in_vain_until else 0

    def note_line(self, line: Sequence[datetime], now: datetime) -> None:
        """Note who waits for a slot here: since when each does, in order."""
        is_long = len(line) > self.soon
        self._before = line[self.soon] if is_long else now
        self._left = self.soon if is_long else self.soon - len(line)

    def comes(self, since: datetime) -> bool:
        """Whether what is lent, and has waited since then, has its turn now; it counts as gone."""
        if self._left <= 0 or since >= self._before:
            return False
        self._left -= 1
        self._was_in_vain = True
        return True
