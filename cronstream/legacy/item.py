"""Messages of the old topic as they are read, with what they say."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cronstream.core.planning.legacy import LegacyMessage, may_be_judged, parse_legacy
from cronstream.errors import MessageError


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the old topic that is to be dealt with.

    Attributes:
        message: What it says; None for a tombstone, or if it cannot be used.
        problem: Why it cannot be used.
    """

    partition: int
    offset: int
    value: bytes | None
    message: LegacyMessage | None = None
    problem: str = ""

    def is_ready(self, now: datetime) -> bool:
        """Whether it may be judged now."""
        return self.message is None or may_be_judged(self.message.scheduled_at, now)


def read_item(raw: Any) -> Item:
    """Return what the consumer gives as an item; what it says may be a problem."""
    if raw.value is None:
        return Item(raw.partition, raw.offset, None)
    written_at = None
    if raw.timestamp is not None and raw.timestamp >= 0:
        written_at = datetime.fromtimestamp(raw.timestamp / 1000, UTC)
    try:
        message = parse_legacy(raw.value, written_at)
    except MessageError as error:
        return Item(raw.partition, raw.offset, raw.value, problem=str(error))
    return Item(raw.partition, raw.offset, raw.value, message)
