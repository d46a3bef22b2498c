"""Output that is heard while an attempt writes it: which of it is to be shown to one who follows.

Others may follow, too, and whoever comes is told what was written before: so each piece is shown
once, in its order.
"""

from dataclasses import dataclass

from cronstream.core.wire.live_output import Written


@dataclass(slots=True)
class Heard:
    """What was heard of one attempt.

    Attributes:
        is_begun: Whether what was written before somebody followed has been shown.
        shows_so_far: Whether that is being shown.
        is_ended: Whether it writes no more.
        has_gap: Whether something had not come before what was accepted last.
        number: Of its last message.
    """

    is_begun: bool = False
    shows_so_far: bool = False
    is_ended: bool = False
    has_gap: bool = False
    number: int = 0

    def accepts(self, written: Written) -> bool:
        """Take the next message; return whether its text is to be shown."""
        self.has_gap = False
        if self.number and written.number <= self.number:
            return False  # It was shown already.
        if written.so_far == 1:
            self.shows_so_far, self.is_begun = not self.is_begun, True
        is_shown = self.shows_so_far if written.so_far else self.is_begun
        self.has_gap = is_shown and bool(self.number) and written.number > self.number + 1
        self.number = written.number
        self.is_ended |= written.is_end
        return is_shown
