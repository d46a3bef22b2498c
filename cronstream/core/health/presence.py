"""What every process tells of itself, and what follows from what they all tell.

It goes on the workers' topic, `naming.WORKERS`, under the process's name. Nothing here is on a
ledger: it says who is there, with which settings and what clock, and may be lost without harm.

**Lease and fence.** A run is not started twice as long as the lease that its owner judges by is
longer than the fence by which its holder starts. So whoever knows of others judges by the longest
lease, and starts by the shortest fence, that any of them has. Of two processes one knows of the
other before it joins: each tells of itself first, and then reads the topic up to that (`Roll`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from cronstream.core.timing import Timing
from cronstream.core.wire.naming import Role, RoleKind

#: A process is gone when it has missed so many of the times at which it meant to tell of itself.
MISSES = 3
#: Between two times, if few processes are there.
EVERY_S = 3.0
#: With many, each tells of itself less often: together at most so many times a second.
_TOGETHER_A_SECOND = 20
#: A process that has not told of itself for so long is forgotten.
REMEMBERED = timedelta(minutes=10)
#: More processes than this are not remembered, whoever writes there.
_MOST = 10_000

_Name = Annotated[str, Field(min_length=1, max_length=300)]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Shared(_Told):
    """The settings that have one value in the whole installation; see `cronstream.settings`."""

    partitions: Annotated[int, Field(ge=1, le=1024)]
    shards: Annotated[int, Field(ge=1, le=256)]
    look_ahead_s: Annotated[float, Field(ge=5, le=60)]
    lease_s: Annotated[float, Field(gt=1, le=60)]
    fence_s: Annotated[float, Field(gt=1, le=60)]


class Presence(_Told):
    """What one process tells of itself.

    Attributes:
        name: Another one after each start; what is before its last dot is the machine's.
        tzdata: The version of its database of time zones.
        clock_s: How far its clock is ahead of the broker's, in seconds; None if not measured.
        every_s: How often it tells of itself, if nothing changes.
        running: Commands that it runs.
        waiting: Attempts that it holds, and that are due and have not started.
        owns: The partitions of its topic that are its own, as ``0-3,7``.
        since: When it was started, by its own clock (UTC).
    """

    name: _Name
    role: RoleKind
    cluster: Annotated[str, Field(max_length=64)] | None = None
    version: Annotated[str, Field(max_length=64)]
    level: Annotated[int, Field(ge=1, le=1_000_000)]
    shared: Shared
    tzdata: Annotated[str, Field(max_length=64)] = ""
    clock_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    every_s: Annotated[float, Field(ge=1, le=3600)] = EVERY_S
    slots: _Count = 0
    running: _Count = 0
    waiting: _Count = 0
    owns: Annotated[str, Field(max_length=6000)] = ""
    since: AwareDatetime

    @property
    def as_role(self) -> Role:
        """What it is there for."""
        return Role(self.role, self.cluster)

    @property
    def machine(self) -> str:
        """The name of the machine that it runs on."""
        return self.name.rpartition(".")[0] or self.name

    def __str__(self) -> str:
        """The words people read: ``node7.c0326647 (cluster-a retry)``."""
        return f"{self.name} ({self.as_role})"

    def encode(self) -> bytes:
        """Return it as it stands on the topic."""
        return self.model_dump_json(exclude_defaults=True).encode()


def decode(value: bytes) -> Presence | None:
    """Return what a message tells; None if it is no such message."""
    try:
        return Presence.model_validate_json(value)
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that has told of itself.

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
        """Whether it has told of itself lately; `now` is the log's time."""
        silent_s = (now - self.at).total_seconds()
        return not self.has_stopped and silent_s <= MISSES * self.who.every_s

    def counts(self, now: datetime) -> bool:
        """Whether it may hold something by its lease: for that long after it was there last."""
        silent_s = (now - self.at).total_seconds() - self.who.shared.lease_s
        return not self.has_stopped and silent_s <= MISSES * self.who.every_s


class Roll:
    """All processes that have told of themselves, as the topic has it.

    Its time is the log's, as far as it was read: who reads nothing, since it is cut off or was
    paused, forgets nobody.
    """

    def __init__(self) -> None:
        self.now: datetime | None = None
        self._seen: dict[str, Seen] = {}

    def take(self, offset: int, at: datetime, key: bytes | None, value: bytes | None) -> None:
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


def often(present: int) -> float:
    """Return how often each of so many processes tells of itself, in seconds."""
    return max(EVERY_S, present / _TOGETHER_A_SECOND)


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as people write them: ``0-3,7``."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)


@dataclass(frozen=True, slots=True)
class Held:
    """The lease and the fence that hold while settings differ.

    Attributes:
        lease_s: The longest: by it others are judged.
        fence_s: The shortest: by it attempts are started.
        least_lease_s: The shortest lease, by which commands with ``fence`` are ended: whoever
            judges may not have heard of the longest yet.
    """

    lease_s: float
    fence_s: float
    least_lease_s: float

    def of(self, timing: Timing) -> Timing:
        """Return the spans of time of a worker by which it keeps to this."""
        return replace(
            timing, lease_s=self.lease_s, fence_s=self.fence_s, least_lease_s=self.least_lease_s
        )


def held(mine: Shared, others: Iterable[Presence]) -> Held:
    """Return what holds for a process that knows of some others."""
    every = [mine, *(other.shared for other in others)]
    leases = [shared.lease_s for shared in every]
    return Held(max(leases), min(shared.fence_s for shared in every), min(leases))


_REFUSED = {"partitions": "CRONSTREAM_PARTITIONS", "shards": "CRONSTREAM_SHARDS"}


def refusal(mine: Presence, others: Iterable[Presence]) -> str:
    """Return why a process may not join those that were there before it; empty if it may."""
    there = list(others)
    for field, variable in _REFUSED.items():
        own = getattr(mine.shared, field)
        unlike = [other for other in there if getattr(other.shared, field) != own]
        if unlike:
            theirs = getattr(unlike[0].shared, field)
            return (
                f"{variable} is {own} here, and {theirs} in {_some(unlike)}: it is one number for "
                f"the whole installation; set {variable}={theirs} here, or stop all processes "
                "before you change it"
            )
    return ""


def warnings(all_present: Iterable[Presence]) -> Iterator[str]:
    """Yield a sentence for each thing in which processes differ that are to be alike."""
    there = list(all_present)
    workers = [who for who in there if who.role is not RoleKind.SCHEDULER] or there
    now = held(workers[0].shared, workers) if workers else None
    holds = now and f"until then the lease is {now.lease_s:g} s and the fence {now.fence_s:g} s"
    one = "set one value in all processes"
    for field, remedy in (
        ("partitions", one),
        ("shards", one),
        ("look_ahead_s", one),
        ("lease_s", f"{one}; {holds}"),
        ("fence_s", f"{one}; {holds}"),
    ):
        values = [(f"{getattr(who.shared, field):g}", who) for who in there]
        yield from _unlike(f"CRONSTREAM_{field.upper()}", values, remedy)
    upgrade = "end the upgrade that was begun (docs/upgrading.md)"
    yield from _unlike("the version", [(who.version, who) for who in there], upgrade)
    yield from _unlike("the level", [(f"{who.level}", who) for who in there], upgrade)
    zones = [(who.tzdata, who) for who in there if who.role is RoleKind.SCHEDULER]
    yield from _unlike("tzdata", zones, "give all schedulers one, or due times may differ")


def _unlike(what: str, values: list[tuple[str, Presence]], remedy: str) -> Iterator[str]:
    by_value = defaultdict[str, list[Presence]](list)
    for value, who in values:
        by_value[value].append(who)
    if len(by_value) > 1:
        parts = [f"{value or 'unknown'} in {_some(by_value[value])}" for value in sorted(by_value)]
        yield f"{what} is not the same everywhere: {', '.join(parts)}; {remedy}"


def _some(found: list[Presence]) -> str:
    names = " and ".join(map(str, found[:2]))
    return f"{names} and {len(found) - 2} more" if len(found) > 2 else names


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
        "since": who.since,
        "told_at": seen.at,
        "clock_s": who.clock_s,
        "tzdata": who.tzdata,
        **shared,
    }
