"""Due times of a paused job: they are skipped by the hour, in one entry for each (rule 25).

A pure function of the cursor says which have been skipped: those of all hours that it has passed,
and of the whole pause once that has ended. So nothing else has to be remembered, and whoever takes
a shard over goes on with the same entries.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

#: The step from one moment to the next.
TICK: Final = timedelta(microseconds=1)
#: So much of a pause is skipped in one entry.
HOUR: Final = timedelta(hours=1)
#: A definition that pauses its job is said to hold so long after what has been published ahead, by
#: the clock of who says it: what comes before is skipped run by run.
MARGIN: Final = timedelta(seconds=5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour that a moment is in (UTC)."""
    return moment - (moment - _EPOCH) % HOUR


def untold_from(holds_from: datetime, at: datetime) -> datetime:
    """Return the first moment of a pause of which nothing has been skipped at a cursor."""
    return max(holds_from, hour_of(at + TICK))


def told_with(moment: datetime, ends_at: datetime) -> datetime:
    """Return the last moment that is skipped in one entry with another one.

    Args:
        moment: One that is paused.
        ends_at: When the pause ends, or the definition no longer holds (exclusive).
    """
    return min(hour_of(moment) + HOUR, ends_at) - TICK
