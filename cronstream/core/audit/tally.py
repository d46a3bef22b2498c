"""What an audit counts: verdicts, findings, and how late first attempts were started."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from cronstream.core.audit.chains import Chains
from cronstream.core.audit.finding import FAULTS, Kind
from cronstream.core.audit.known import Unknown

#: Each bucket of delays is this much wider than the one before: a percentile is true to 1 %.
_GROWTH: Final = math.log(1.02)
#: Delays up to this are told apart by it, in seconds.
_FINEST_S: Final = 0.001
_PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Delays:
    """A distribution of delays, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._count = 0
        self._most = 0.0

    def add(self, seconds: float) -> None:
        """Count one; a start before its time counts as on time."""
        seconds = max(0.0, seconds)
        self._buckets[round(math.log1p(seconds / _FINEST_S) / _GROWTH)] += 1
        self._count += 1
        self._most = max(self._most, seconds)

    def summary(self) -> dict[str, float | None]:
        """Return p50, p90, p99 and the maximum, in seconds; None while there is none."""
        found: dict[str, float | None] = {name: self._at(p) for name, p in _PERCENTILES.items()}
        return {**found, "max": round(self._most, 4) if self._count else None}

    def _at(self, share: float) -> float | None:
        wanted, seen = math.ceil(self._count * share), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                seconds = math.expm1(bucket * _GROWTH) * _FINEST_S
                return round(min(seconds, self._most), 4)
        return None


@dataclass(slots=True)
class Tally:
    """The counts of a whole audit.

    Attributes:
        due: Due times that were to have a verdict, and runs that people asked for.
        requested: How many of those people asked for.
        verdicts: How many of them have which verdict.
        skipped: How many were skipped, by reason.
        open: How many have none yet; those that are found to be waiting are among them.
        found: Findings, by kind.
        late: Late starts, by what came late.
        unknown: Of how many runs something can no longer be known, by what.
        limits: Why not all can be known: a sentence each.
        chains: What follows what, over all partitions.
        delays: Of first attempts, by cluster.
    """

    due: int = 0
    requested: int = 0
    open: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    found: Counter[Kind] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    unknown: Counter[Unknown] = field(default_factory=Counter)
    limits: list[str] = field(default_factory=list)
    all_delays: Delays = field(default_factory=Delays)
    chains: Chains = field(default_factory=Chains)
    delays: defaultdict[str, Delays] = field(default_factory=lambda: defaultdict(Delays))

    def start(self, cluster: str, seconds: float) -> None:
        """Count the delay of a first attempt."""
        self.all_delays.add(seconds)
        self.delays[cluster].add(seconds)

    def skip(self, reason: str) -> None:
        """Count a due time that was skipped without a run."""
        self.due += 1
        self.verdicts["skipped"] += 1
        self.skipped[reason] += 1

    def is_clean(self, faults: frozenset[Kind] = FAULTS) -> bool:
        """Whether there is nothing of the kinds that count as faults."""
        return not any(self.found[kind] for kind in faults)

    def summary(self) -> dict[str, Any]:
        """Return every count by its name; see docs/commands.md."""
        verdicts = {name: self.verdicts[name] for name in ("succeeded", "discarded", "skipped")}
        return {
            "due": self.due,
            "asked": self.requested,
            "verdicts": verdicts,
            "skipped_by": dict(self.skipped),
            "open": self.open,
            **{kind.value: self.found[kind] for kind in Kind},
            "late_by": dict(self.late),
            "limits": self.limits,
            "start_delay_s": self.all_delays.summary(),
            "clusters": {name: self.delays[name].summary() for name in sorted(self.delays)},
        }
