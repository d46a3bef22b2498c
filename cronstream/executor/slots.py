"""How many commands may run at a time: tokens in a pipe, shared by all executors of a worker.

Who starts a command takes a token first, and gives it back when nothing of the command is left, as
the jobs of make(1) do with its jobserver. So a command that is due starts wherever it is held, as
long as fewer run than the worker may have, in all its executors together. What an executor takes
it counts where its worker sees it, so that no slot is lost with an executor that dies.
"""

import array
import fcntl
import os
import termios
from typing import Self

_TOKEN = b"+"


class Slots:
    """The tokens that are there: both ends of their pipe, which no limit of files or disk touches.

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
        slots.release(number)
        return slots

    def fileno(self) -> int:
        """Return what to poll for a token that is given back."""
        return self.descriptors[0]

    def acquire(self) -> bool:
        """Take one if there is one left; never waits."""
        try:
            return bool(os.read(self.descriptors[0], 1))
        except BlockingIOError:
            return False

    @property
    def number(self) -> int:
        """How many there are now (FIONREAD, pipe(7))."""
        count = array.array("i", [0])
        fcntl.ioctl(self.descriptors[0], termios.FIONREAD, count)
        return count[0]

    def release(self, number: int = 1) -> None:
        """Give so many back."""
        if number > 0:
            os.write(self.descriptors[1], _TOKEN * number)

    def close(self) -> None:
        """Close both ends, here."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class CountedSlots:
    """An executor's slots: those of its worker, and a token beside for each that it has taken.

    What is not taken yet is counted before, and what is given back until it is: an executor that
    dies in the midst of it leaves one too many rather than one too few.
    """

    def __init__(self, slots: Slots, taken: Slots) -> None:
        self._slots, self._taken = slots, taken

    def fileno(self) -> int:
        """Return what to poll for a token that is given back."""
        return self._slots.fileno()

    def acquire(self) -> bool:
        """Take one if there is one left; never waits."""
        self._taken.release()
        if self._slots.acquire():
            return True
        self._taken.acquire()
        return False

    def release(self) -> None:
        """Give one back."""
        self._slots.release()
        self._taken.acquire()
