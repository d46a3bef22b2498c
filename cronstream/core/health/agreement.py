"""What holds while the settings of processes differ, and who may not join the others.

**Lease and fence.** A run is not started twice as long as the lease that its owner judges by is
longer than the fence by which its holder starts. So whoever knows of others judges by the longest
lease, and starts by the shortest fence, that any of them has. Of two processes one knows of the
other before it joins: each announces itself first, and then reads the topic up to that (`Roll`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from cronstream.core.health.presence import Presence, Shared
from cronstream.core.timing import Timing
from cronstream.core.wire.naming import RoleKind


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
    yield from crontab_warnings(there)


def crontab_warnings(there: Iterable[Presence]) -> Iterator[str]:
    """Yield a sentence if schedulers have read different crontabs."""
    crontabs = [(who.crontab, who) for who in there if who.crontab]
    yield from _unlike("the crontab", crontabs, "give all schedulers one: whose turn it is decides")


def crontab_differences(there: Iterable[Presence]) -> Iterator[str]:
    """Yield what would change with each scheduler's file that is not the one in force."""
    for who in there:
        for sentence in who.crontab_differs or ():
            yield f"with the file of {who.name}: {sentence}"


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
