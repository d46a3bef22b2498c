"""Looks, about once a second, for runs that are late with a worker, and reports them."""

import logging

from cronstream import clock
from cronstream.core.health.lateness import Late, LateNotice, find_late
from cronstream.core.protocol.member import Member
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Between two looks.
_LOOK_S = 1.0


class LateWatch:
    """Watches one worker.

    Attributes:
        late: What was late when it last looked.
    """

    def __init__(self, member: Member, slots: int) -> None:
        self._member, self._slots = member, slots
        self._notice, self._looked_at = LateNotice(), clock.monotonic()
        self.late: Late | None = None

    def look(self, mono: float) -> None:
        """Look, if it is time to; in a rebalance, or while it stops, a worker starts nothing."""
        if mono - self._looked_at < _LOOK_S:
            return
        self._looked_at, self.late = mono, None
        if self._member.draining or self._member.rebalancing:
            return
        self.late = find_late(self._member, self._slots, clock.now())
        sentence = self._notice.look(self.late, mono)
        if sentence is not None:
            logger.warning("%s", sentence, extra=fields("late"))
        elif self._notice.is_over(self.late):
            logger.info("no run is late any more", extra=fields("late-no-more"))
