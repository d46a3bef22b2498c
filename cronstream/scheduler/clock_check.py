"""Whether this machine's clock agrees with the log's (rule 18)."""

import logging
from datetime import UTC, datetime, timedelta

from cronstream.scheduler.ports import Clock

logger = logging.getLogger(__name__)

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class ClockCheck:
    """Compares the clock with the times that the broker gives to what is sent to it.

    A clock that is more than the look-ahead in front would publish runs that are not due for
    long, and push the cursor out of reach of the right time: nothing is fired then. One that is
    behind does no harm but lateness, and is told. A step is known before the next message has been
    measured: the other clock, which never steps, shows it.
    """

    def __init__(self, look_ahead_s: float, clock: Clock) -> None:
        self._allowed, self._clock = timedelta(seconds=look_ahead_s), clock
        #: How far it was ahead of the clock that never steps, when what was measured was sent.
        self._offset = timedelta()
        self._ahead: timedelta | None = None
        self._behind = timedelta()

    @property
    def is_trusted(self) -> bool:
        """Whether the clock has been measured, and is not too far ahead."""
        if self._ahead is None:
            return False
        return self._ahead + max(self.offset() - self._offset, timedelta()) <= self._allowed

    @property
    def agrees(self) -> bool:
        """Whether it is trusted, and not too far behind either."""
        return self.is_trusted and self._behind <= self._allowed

    @property
    def is_refused(self) -> bool:
        """Whether the clock has been measured, and is too far ahead."""
        return self._ahead is not None and self._ahead > self._allowed

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
        self._offset, acknowledged_at = offset, self._clock.now()
        was_known, was_trusted = self._ahead is not None, self.is_trusted
        was_late = self._behind > self._allowed
        self._ahead, self._behind = sent_at - appended_at, appended_at - acknowledged_at
        late = self._behind > self._allowed
        if not self.is_trusted and (was_trusted or not was_known):
            logger.error(
                "this machine's clock is %.1f s ahead of the broker's: nothing is fired from here "
                "until it is right; set it by NTP",
                self._ahead.total_seconds(),
            )
        elif late and not was_late:
            logger.error(
                "this machine's clock is %.1f s behind the broker's: runs fired from here are "
                "late until it is right; set it by NTP",
                self._behind.total_seconds(),
            )
        elif (was_late and not late) or (was_known and self.is_trusted and not was_trusted):
            logger.info("this machine's clock is right again")
