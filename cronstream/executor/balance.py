"""Sees that no slot is lost, and that there is none too many, whatever a command does to the pipes.

A command that runs as root may open the pipes of its executor, and so take slots out, or put
some in. Neither would ever come right by itself.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from cronstream import clock
from cronstream.executor.slots import Slots
from cronstream.logs import fields

logger = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
#: Between taking a slot and counting it there is a moment: what is so at so many looks, one after
#: another, is none.
_LOOKS: Final = 5


class Balance:
    """Compares the slots that are free, and those that are taken, with how many there are.

    Args:
        slots: Those that are free.
        taken: Returns how many executors have taken.
    """

    def __init__(self, slots: Slots, taken: Callable[[], int]) -> None:
        self._slots, self._taken = slots, taken
        self._number = slots.number
        self._missing, self._looks = 0, 0

    async def keep_for_ever(self) -> None:
        """Look, again and again."""
        while True:
            await asyncio.sleep(clock.until_step(_LOOK_S))
            self.look()

    def look(self) -> None:
        """Put right what has been wrong for some looks."""
        missing = self._number - self._slots.number - self._taken()
        self._looks = self._looks + 1 if missing == self._missing else 1
        self._missing = missing
        if missing and self._looks >= _LOOKS:
            self._looks = 0
            self._slots.release(missing)
            for _ in range(-missing):
                self._slots.acquire()
            text = "%d slots were missing, which no executor had taken: a command has touched them"
            logger.warning(text, missing, extra=fields("slots-put-right"))
