"""How many commands may run at a time: tokens in a pipe, shared by all executors of a worker.

Who starts a command takes a token first, and gives it back when nothing of the command is left, as
the jobs of make(1) do with its jobserver. So a command that is due starts wherever it is held, as
long as fewer run than the worker may have, in all its executors together.
"""

import os
from typing import Self

_TOKEN = b"+"


class Slots:
    """The tokens that are left; both ends of their pipe.

    Attributes:
        descriptors: What a child has to inherit to share them.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.descriptors = (reading, writing)
        os.set_blocking(reading, False)

    @classmethod
    def make(cls, number: int) -> Self:
        """Return so many, all of them free; a pipe holds 65,536 (pipe(7))."""
        slots = cls(*os.pipe())
        os.write(slots.descriptors[1], _TOKEN * number)
        return slots

    def fileno(self) -> int:
        """Return what to poll for a token that is given back."""
        return self.descriptors[0]

    def take(self) -> bool:
        """Take one if there is one left; never waits."""
        try:
            return bool(os.read(self.descriptors[0], 1))
        except BlockingIOError:
            return False

    def give(self) -> None:
        """Give one back."""
        os.write(self.descriptors[1], _TOKEN)

    def close(self) -> None:
        """Close both ends, here."""
        for descriptor in self.descriptors:
            os.close(descriptor)
