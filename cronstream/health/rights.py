"""Asks Kafka what this process may do, once something stands still: a right may be missing."""

import logging
from collections.abc import Awaitable, Callable

from cronstream.errors import TopologyError

logger = logging.getLogger(__name__)

#: Between two questions.
_ASK_S = 10.0


class RightsWatch:
    """Knows why Kafka refuses this process, if that is why it stands still.

    Args:
        ask: Raises TopologyError if a right is missing.

    Attributes:
        lacking: What is missing, in a sentence; empty if nothing is.
    """

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask, self.lacking = ask, ""
        self._asked_at = float("-inf")

    async def look(self, now_mono: float, *, is_troubled: bool) -> None:
        """Ask, if something is wrong and it is time to.

        Args:
            now_mono: In monotonic seconds.
            is_troubled: Whether something is wrong: else nothing can be missing.
        """
        if not is_troubled:
            self.lacking = ""
        elif now_mono - self._asked_at >= _ASK_S:
            self._asked_at = now_mono
            try:
                await self._ask()
            except TopologyError as error:
                self.lacking = str(error)
            except Exception as error:  # noqa: BLE001 - Kafka does not say: nothing is known anew
                logger.debug("rights are not known (%s: %s)", type(error).__name__, error)
            else:
                self.lacking = ""
