"""Due times by clocks that change: where they skip a time, and where they show one twice.

Times go in and come out as aware UTC. Where clocks change, Debian's cron(8) is followed. A
schedule at fixed times (no star in second, minute or hour) that falls into the skipped hour is
due once, at the first moment after it; in the repeated hour it is due the first time only. A
schedule with a star there follows real time: it skips what the clocks skip, and is due in both
of the repeated hours. `Dst` names these ways, and one more.
"""

import zoneinfo
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, cast

from cronstream.core.schedule.walls import CronWalls, EveryDays, OneWall

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
#: The search for a time that clocks do not skip gives up after this many years. The longest wait
#: is for a Sunday that is February 29th across a century without a leap day: 40 years.
_HORIZON_YEARS = 50


class Dst(StrEnum):
    """What becomes of times that clocks skip or repeat when they change."""

    #: Each is due once: a skipped one at the first moment after, a repeated one the first time.
    ONCE = "once"
    #: What is skipped is not due; a repeated one is due the first time.
    SKIP = "skip"
    #: Due whenever the clock shows it: what is skipped not at all, what is repeated both times.
    TWICE = "twice"


#: As Python 3.11 takes longer to find them in their class than all else that is asked here.
_SKIP, _TWICE = Dst.SKIP, Dst.TWICE


class Times(ABC):
    """What all schedules have in common."""

    __slots__ = ()

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment`, or None if there is none.

        Args:
            moment: Aware, UTC; a fraction of a second is fine.

        Returns:
            Aware, UTC, whole seconds. None only when there is none within 50 years, or ever.
        """

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Give each due time with ``after < due <= until``, in order (aware, UTC)."""
        due = self.next_after(after)
        while due is not None and due <= until:
            yield due
            due = self.next_after(due)


@dataclass(frozen=True, slots=True)
class EverySchedule(Times):
    """Due at a first time, and each time that so many whole seconds have passed since."""

    seconds: int
    first: datetime = EPOCH

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        passed = (moment - self.first) // _SECOND
        try:
            steps = max(0, passed // self.seconds + 1)
            return self.first + timedelta(seconds=steps * self.seconds)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class ClockSchedule(Times):
    """Due when the clocks of a zone show certain times."""

    walls: CronWalls | EveryDays | OneWall
    zone: zoneinfo.ZoneInfo
    dst: Dst

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment` (aware, UTC)."""
        try:
            local = moment.astimezone(self.zone)
            if self.dst is _TWICE:
                return self._real(moment, local)
            return self._fixed(moment, local)
        except OverflowError:
            return None  # The end of the calendar, 9999.

    def _fixed(self, moment: datetime, local: datetime) -> datetime | None:
        """Search by the clock on the wall: each time that it names is due no more than once."""
        wall = self.walls.after(local.replace(tzinfo=None, fold=0))
        while wall is not None:
            due = self.first_instant(wall)
            if due > moment and not (self.dst is _SKIP and self._is_skipped(wall)):
                return due
            wall = self.walls.after(wall)
        return None

    def _real(self, moment: datetime, local: datetime) -> datetime | None:
        """Search in real time: whenever the clock on the wall shows a time that is named."""
        start = local.replace(tzinfo=None, fold=0)
        wall = self.walls.after(start)
        before, after = self._offsets(start)
        if before > after and not local.fold:
            # The first pass through a repeated hour: the second is to come.
            turn = self._turn(moment.replace(microsecond=0), moment + (before - after))
            if wall is None or self.first_instant(wall) >= turn:
                wall = self.walls.after(wall_of(turn, self.zone) - _SECOND)
            else:
                return self.first_instant(wall)
        last_year = _HORIZON_YEARS + (start if wall is None else wall).year
        while wall is not None and wall.year <= last_year:
            before, after = self._offsets(wall)
            if before >= after:
                first, second = _instant(wall, before), _instant(wall, after)
                return first if first > moment else second
            turn = self._turn(_instant(wall, after), _instant(wall, before))
            wall = self.walls.after(wall_of(turn, self.zone) - _SECOND)
        return None

    def first_instant(self, wall: datetime) -> datetime:
        """Return when the clock first shows `wall`, or jumps over it (aware, UTC)."""
        before, after = self._offsets(wall)
        if before >= after:
            return _instant(wall, before)
        return self._turn(_instant(wall, after), _instant(wall, before))

    def _is_skipped(self, wall: datetime) -> bool:
        before, after = self._offsets(wall)
        return before < after

    def _offsets(self, wall: datetime) -> tuple[timedelta, timedelta]:
        """Return the zone's offsets for a time on the wall, as PEP 495 has them.

        They differ only where clocks change: the first is larger where they are set back and
        `wall` comes twice, and smaller where they are set forward and it does not come at all.
        """
        # A ZoneInfo always has an offset.
        before = cast("timedelta", self.zone.utcoffset(wall.replace(fold=0)))
        after = cast("timedelta", self.zone.utcoffset(wall.replace(fold=1)))
        return before, after

    def _turn(self, low: datetime, high: datetime) -> datetime:
        """Return the first moment after clocks change, somewhere in ``low < turn <= high``."""
        offset = low.astimezone(self.zone).utcoffset()
        seconds = bisect_left(
            range(int((high - low) // _SECOND) + 1),
            True,
            key=lambda s: (low + timedelta(seconds=s)).astimezone(self.zone).utcoffset() != offset,
        )
        return low + timedelta(seconds=seconds)


def wall_of(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    """Return what the clocks of a zone show at a moment (naive)."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC, fold=0)
