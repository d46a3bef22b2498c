"""What an audit has found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias


class Kind(StrEnum):
    """What a finding is about."""

    #: A due time that has no verdict, and nothing on the logs says why.
    UNEXPLAINED = "unexplained"
    #: A due time of which the run was published, and refused: no worker will ever make it.
    REFUSED = "refused"
    #: An attempt that two have started, a command without a claim, or a second verdict.
    DOUBLED = "doubled"
    #: A run that neither the job's schedule nor a person asked for.
    UNASKED = "unasked"
    #: An attempt that was started before its time.
    EARLY = "early"
    #: A first attempt that was started though its job's ``start_within`` was over.
    TOO_LATE = "too_late"
    #: Attempts that are not numbered 1, 2, 3, …, or one that no failure had gone before.
    GAP = "gap"
    #: Two topics that say different things of a run.
    CONTRADICTION = "contradiction"
    #: A run past its time on which nobody works, though nothing says that it is to wait.
    WAITING = "waiting"
    #: A due time that schedulers have not come to, since none is there or its log takes nothing.
    UNPUBLISHED = "unpublished"
    #: A first attempt that was started later than it should have been.
    LATE = "late"
    #: An attempt whose worker died or went silent.
    LOST = "lost"
    #: A lost attempt whose command still ran when the next attempt was started.
    OVERRUN = "overrun"


#: What breaks a promise. The others are what the promises allow: told, and not held against anyone.
FAULTS: Final = frozenset(Kind) - {Kind.LATE, Kind.LOST, Kind.OVERRUN}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        run: The run's id.
        text: The rest of the sentence that begins with it.
        facts: More about it, by name: JSON values and times.
    """

    kind: Kind
    run: str
    job: str
    cluster: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


Report: TypeAlias = Callable[[Finding], None]


@dataclass(frozen=True, slots=True)
class Window:
    """Which due times are audited.

    Attributes:
        since: The first (UTC).
        until: The last (UTC).
        late_after_s: A first attempt is late that starts more than this after its time.
        clusters: Of which clusters; None for all.
        job: Of which job; None for all.
        has_moved: Whether what has no verdict here goes on elsewhere.
    """

    since: datetime
    until: datetime
    late_after_s: float = 1.0
    clusters: frozenset[str] | None = None
    job: str | None = None
    has_moved: bool = False

    def includes(self, cluster: str) -> bool:
        """Whether a cluster is audited."""
        return self.clusters is None or cluster in self.clusters

    def covers(self, moment: datetime) -> bool:
        """Whether a due time is audited."""
        return self.since <= moment <= self.until
