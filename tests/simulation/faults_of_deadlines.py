"""What if runs started though their time was over, or were skipped before? Planted faults."""

from datetime import datetime, timedelta

from cronstream.core.ledger import deadline, overlap
from cronstream.core.ledger.state import LiveRun
from cronstream.core.protocol import claiming
from cronstream.core.protocol.holder import Holder
from tests.simulation.planting import fault

_RIGHT = deadline.is_too_late


@fault("22: what is claimed is never too late", claiming, "is_too_late")
def _claimed_whenever(_live: LiveRun, _now: datetime) -> bool:
    return False


@fault("22: what stands in line is never too late", overlap, "is_too_late")
def _in_line_for_ever(_live: LiveRun, _now: datetime) -> bool:
    return False


@fault("22: what waits for a slot is not given back", Holder, "_drop_late")
def _kept_for_a_slot(_holder: Holder, _now: datetime) -> None:
    """Do nothing."""


@fault("22: a run is skipped before its time is over", claiming, "is_too_late")
def _too_early(live: LiveRun, now: datetime) -> bool:
    return _RIGHT(live, now + timedelta(seconds=1.5))
