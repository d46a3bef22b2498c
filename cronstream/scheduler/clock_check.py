"""Whether this machine's clock agrees with the log's (rule 18)."""

import logging
from datetime import UTC, datetime, timedelta

from cronstream.core.health.clocks import Comparison
from cronstream.logs import fields
from cronstream.scheduler.world import Clock

logger = logging.getLogger(__name__)

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class ClockCheck:
    """Compares the clock with the times that the broker gives to what is sent to it.

    What follows from that is `cronstream.core.health.clocks.Comparison`.
    """

    def __init__(self, look_ahead_s: float, clock: Clock) -> None:
        self._allowed, self._clock = timedelta(seconds=look_ahead_s), clock
        self._last: Comparison | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether the clock has been measured, and is not too far ahead."""
        return self._last is not None and self._last.is_trusted(self.offset(), self._allowed)

    @property
    def agrees(self) -> bool:
        """Whether it is trusted, and not too far behind either."""
        return self._last is not None and self._last.agrees(self.offset(), self._allowed)

    @property
    def is_refused(self) -> bool:
        """Whether the clock has been measured, and is too far ahead."""
        return self._last is not None and self._last.ahead > self._allowed

    def offset(self) -> timedelta:
        """Return how far the clock is ahead of the one that never steps."""
        return self._clock.now() - _ZERO - timedelta(seconds=self._clock.monotonic())

    def measure(self, sent_at: datetime, appended_at: datetime, offset: timedelta) -> None:
        """Take one message that has just been acknowledged.

        Args:
            sent_at: By the clock.
            appended_at: By the log's.
            offset: What `offset` was when it was sent.
        """
        was_refused, was_late = self._last is None or self.is_refused, self._is_late
        was_known = self._last is not None
        self._last = Comparison.of(sent_at, appended_at, self._clock.now(), offset)
        if self.is_refused and not (was_refused and was_known):
            logger.error(
                "this machine's clock is %.1f s ahead of the broker's: nothing is fired from here "
                "until it is right; set it by NTP",
                self._last.ahead.total_seconds(),
                extra=fields("clock-wrong"),
            )
        elif self._is_late and not was_late:
            logger.error(
                "this machine's clock is %.1f s behind the broker's: runs fired from here are "
                "late until it is right; set it by NTP",
                self._last.behind.total_seconds(),
                extra=fields("clock-wrong"),
            )
        elif was_late > self._is_late or (was_known and was_refused > self.is_refused):
            logger.info("this machine's clock is right again", extra=fields("clock-right"))

    @property
    def _is_late(self) -> bool:
        return self._last is not None and self._last.behind > self._allowed
