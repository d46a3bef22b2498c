"""What a worker announces of itself to the others, and does about what they announce.

It judges by the longest lease and starts by the shortest fence that any worker has; and one whose
clock is off claims nothing (`cronstream.core.health.agreement`, `clocks`).
"""

import logging
from collections.abc import Iterable
from typing import Any

from cronstream.core.health import agreement, clocks, presence
from cronstream.core.health.lenders import others_of
from cronstream.core.health.presence import Presence, Shared
from cronstream.executor.protocol import Clock
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.presence import WorkersTopic
from cronstream.worker.worker import Worker

logger = logging.getLogger(__name__)

#: Clocks that differ by less are one.
_CLOCKS_DIFFER_S = 0.001


class WorkerPeer:
    """A worker among those that are there."""

    def __init__(self, worker: Worker, settings: Settings) -> None:
        self._worker, self._slots = worker, settings.slots
        self.name = worker.member.me
        self._fault = ""
        self._offset = float("-inf")

    def news(self) -> dict[str, Any]:
        """Return what it announces of itself that changes."""
        member, late = self._worker.member, self._worker.late_watch.late
        overdue = self._worker.overdue_watch.jobs
        return {
            "slots": self._slots,
            "running": sum(held.started for held in member.holding.values()),
            "waiting": 0 if late is None else late.count,
            "owns": presence.spans(member.owners),
            "leaving": member.draining and not member.resting,
            "lends": presence.spans(member.lending),
            "trusts": self._worker.distrust.keyring.ids,
            "overdue": overdue[: presence.MOST_OVERDUE],
            "overdue_jobs": len(overdue),
        }

    def heed(self, mine: Presence, topic: WorkersTopic) -> str:
        """Keep to the lease and the fence that hold for all, and rest while its clock is off."""
        self._keep_lease(mine.shared, topic.roll.counted())
        self._look_for_successor(mine, topic.present)
        self._worker.borrowing.on_lending = topic.announce_soon
        self._hear_lenders(mine, topic.present)
        was_fault = self._fault
        offset = topic.clock_offset
        right_s = clocks.right_s(topic.present)
        self._fault = clocks.fault(topic.clock_s_at(offset), right_s)
        if not self._fault:
            self._set_dials(offset)
        if self._fault and not was_fault:
            logger.error("%s; set it by NTP", self._fault, extra=fields("clock-wrong"))
            self._worker.member.rest()
        elif was_fault and not self._fault:
            logger.info("this machine's clock is right again", extra=fields("clock-right"))
            self._worker.member.resume()
        return self._fault

    def _look_for_successor(self, mine: Presence, there: Iterable[Presence]) -> None:
        had_one = self._worker.has_successor
        self._worker.has_successor = any(
            (who.role, who.cluster) == (mine.role, mine.cluster)
            and who.name != mine.name
            and not who.leaving
            for who in there
        )
        if had_one and not self._worker.has_successor:
            self._worker.stay_alone()

    def _hear_lenders(self, mine: Presence, present: Iterable[Presence]) -> None:
        others = others_of(mine, present)
        if others != self._worker.member.others:
            self._worker.member.others = others
            self._worker.wake()

    def _set_dials(self, offset: float) -> None:
        """Have commands start by this machine's clock as it is now, for it was found right."""
        executor = self._worker.executor
        if executor is not None and abs(offset - self._offset) > _CLOCKS_DIFFER_S:
            self._offset = offset
            executor.send(Clock(offset))

    def _keep_lease(self, mine: Shared, others: Iterable[Presence]) -> None:
        member = self._worker.member
        held, before = agreement.held(mine, others), member.timing
        timing = held.of(before)
        if timing == before:
            return
        member.keep_to(timing)
        if (held.lease_s, held.fence_s) != (before.lease_s, before.fence_s):
            logger.warning(
                "a lease of %g s and a fence of %g s hold from now on: the longest and the "
                "shortest of all workers; here %g and %g are set",
                *(held.lease_s, held.fence_s, mine.lease_s, mine.fence_s),
                extra=fields("lease-changed"),
            )
