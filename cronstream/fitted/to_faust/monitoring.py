"""Counts nothing in place of Faust's monitor: this application has metrics of its own.

Faust's counts and times each message, for pages that are off here, and works out averages each
second while nothing comes.
"""

from collections.abc import Mapping

from faust.sensors.base import Sensor
from faust.types import TP


class NoMonitor(Sensor):
    """A sensor that notes nothing, with what Faust's consumer asks of its monitor beside that."""

    def on_tp_commit(self, tp_offsets: Mapping[TP, int]) -> None:
        """Offsets were committed."""

    def track_tp_end_offset(self, tp: TP, offset: int) -> None:
        """A partition's end has become known."""
