"""Who has announced itself lately, as far as the workers' topic was read."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cronstream.core.health.presence import Presence, Shared, decode
from cronstream.core.wire.naming import RoleKind

#: A process is gone when it has missed so many of the times at which it meant to announce itself.
MISSES = 3
#: A process that has not announced itself for so long is forgotten.
REMEMBERED = timedelta(minutes=10)
#: More processes than this are not remembered, whoever writes there.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that has announced itself.

    Attributes:
        at: When it last did, by the log's clock (UTC).
        first: The offset of the first message of it that was read, and of the last one.
        has_stopped: Whether it has said that it ends, having ended all that it ran.
    """

    who: Presence
    at: datetime
    first: int
    last: int
    has_stopped: bool = False

    def is_there(self, now: datetime) -> bool:
        """Whether it has announced itself lately; `now` is the log's time."""
        silent_s = (now - self.at).total_seconds()
        return not self.has_stopped and silent_s <= MISSES * self.who.every_s

    def counts(self, now: datetime) -> bool:
        """Whether it may hold something by its lease: for that long after it was there last."""
        silent_s = (now - self.at).total_seconds() - self.who.shared.lease_s
        return not self.has_stopped and silent_s <= MISSES * self.who.every_s


class Roll:
    """All processes that have announced themselves, as the topic has it.

    Its time is the log's, as far as it was read: who reads nothing, since it is cut off or was
    paused, forgets nobody.
    """

    def __init__(self) -> None:
        self.now: datetime | None = None
        self._seen: dict[str, Seen] = {}

    def fold(self, offset: int, at: datetime, key: bytes | None, value: bytes | None) -> None:
        """Take one message of the topic; what is none of ours changes nothing."""
        if self.now is not None and self.now - at > REMEMBERED:
            # A clock that was ahead is right again: who was there by it is not there until then.
            for name, seen in self._seen.items():
                self._seen[name] = replace(seen, at=min(seen.at, at))
        self.now = at
        name = (key or b"").decode(errors="replace")
        known = self._seen.get(name)
        if value is None:
            if known is not None:
                self._seen[name] = Seen(known.who, at, known.first, offset, has_stopped=True)
            return
        who = decode(value)
        if who is None or who.name != name:
            return
        self._seen[name] = Seen(who, at, offset if known is None else known.first, offset)
        if len(self._seen) > _MOST:
            del self._seen[min(self._seen, key=lambda name: self._seen[name].at)]

    def all(self) -> list[Seen]:
        """Return whom it remembers, those that are gone too, by name."""
        if self.now is not None:
            oldest = self.now - REMEMBERED
            self._seen = {name: seen for name, seen in self._seen.items() if seen.at > oldest}
        return [self._seen[name] for name in sorted(self._seen)]

    def present(self) -> list[Seen]:
        """Return who is there now."""
        return [seen for seen in self.all() if self.now and seen.is_there(self.now)]

    def counted(self) -> list[Presence]:
        """Return the workers whose lease and fence hold now."""
        return [
            seen.who
            for seen in self.all()
            if self.now and seen.counts(self.now) and seen.who.role is not RoleKind.SCHEDULER
        ]


def fields(seen: Seen, now: datetime) -> dict[str, Any]:
    """Return a process as programs read it."""
    who = seen.who
    shared = {name: getattr(who.shared, name) for name in Shared.model_fields}
    state = "here" if seen.is_there(now) else "stopped" if seen.has_stopped else "gone"
    return {
        "name": who.name,
        "state": state,
        "role": who.role.value,
        "cluster": who.cluster,
        "version": who.version,
        "level": who.level,
        "slots": who.slots,
        "running": who.running,
        "waiting": who.waiting,
        "owns": who.owns,
        "lends": who.lends,
        "since": who.since,
        "told_at": seen.at,
        "clock_s": who.clock_s,
        "tzdata": who.tzdata,
        "crontab": who.crontab or None,
        **shared,
    }
