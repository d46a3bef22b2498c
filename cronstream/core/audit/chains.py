"""Whether each run that follows another was published, and follows one that has its verdict.

The two are on the partitions of two jobs, so they meet here, and only what has not met is kept.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cronstream.core.audit.finding import Finding, Kind, Window
from cronstream.core.ledger.following import following
from cronstream.core.wire.enumerations import Cause, Verdict
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_clock

#: Logs are read one after another, and what follows comes on its own a moment before the verdict.
_MEET_WITHIN: Final = timedelta(seconds=60)
_WITH_RUNS: Final = (Verdict.SUCCEEDED, Verdict.DISCARDED)


@dataclass(frozen=True, slots=True)
class Seen:
    """A run that says that it follows another.

    Attributes:
        home: The other's cluster.
        follows: The other's id.
        at: When it was published, by the log.
    """

    job: str
    cluster: str
    home: str
    follows: str
    at: datetime

    @classmethod
    def of(cls, run: Run, at: datetime) -> "Seen | None":
        """Return what is to be remembered of a run; None if it says nothing of the kind."""
        if run.cause is not Cause.CHAIN or run.previous is None:
            return None
        home = run.previous.cluster or run.cluster
        return cls(run.job, run.cluster, home, run.previous.run, at)


#: A run's cluster and its id.
Named: TypeAlias = tuple[str, str]


def followers(run: Run) -> dict[Verdict, tuple[Named, ...]]:
    """Return what follows a run, by its verdict."""
    if not run.then:
        return {}
    return {
        verdict: tuple((one.run.cluster, one.run.id) for one in following(run, verdict))
        for verdict in _WITH_RUNS
    }


@dataclass(slots=True)
class Chains:
    """What was to follow, and what does.

    Attributes:
        clusters: Those whose logs are read; None for all.
    """

    clusters: frozenset[str] | None = None

    #: By cluster and id: which run it follows, and when that had its verdict.
    _expected: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    _seen: dict[tuple[str, str], Seen] = field(default_factory=dict)

    def expect(self, named: Iterable[Named], follows: str, at: datetime) -> None:
        """A run has a verdict that others follow."""
        for one in named:
            if self._seen.pop(one, None) is None and self._reads(one[0]):
                self._expected[one] = follows, at

    def see(self, run_id: str, seen: Seen) -> None:
        """A run has entered its log that follows another; each once, though it comes twice."""
        named = seen.cluster, run_id
        if self._expected.pop(named, None) is None and self._reads(seen.home):
            self._seen[named] = seen

    def missing(self, window: Window, now: datetime) -> frozenset[Named]:
        """Return what should be on its log by now, and is not, once all logs are read.

        Args:
            window: What was audited.
            now: Up to when the logs were read.
        """
        if window.job is not None:
            return frozenset()  # What follows it, or what it follows, was not read.
        late = {named for named, (_, at) in self._expected.items() if now - at > _MEET_WITHIN}
        return frozenset(named for named in late if window.covers(self._expected[named][1]))

    def _reads(self, cluster: str) -> bool:
        return self.clusters is None or cluster in self.clusters

    def findings(
        self,
        window: Window,
        since: datetime,
        now: datetime,
        waiting: Collection[Named] = (),
    ) -> Iterator[Finding]:
        """Yield what was lost or waits, and what follows nothing, once all logs are read.

        Args:
            window: What was audited.
            since: From which due times on all partitions could show them.
            now: Up to when the logs were read.
            waiting: What no scheduler has handed over to its cluster yet.
        """
        if window.job is not None:
            return
        for named in sorted(self.missing(window, now)):
            yield self._missing(named, now, is_waiting=named in waiting)
        for (cluster, run_id), seen in self._seen.items():
            due = _due_of(seen.follows)
            if due is None or not (since <= due <= window.until) or now - seen.at <= _MEET_WITHIN:
                continue
            text = f"it follows run {seen.follows}, which has no verdict that anything follows"
            yield Finding(Kind.UNASKED, run_id, seen.job, cluster, text)

    def _missing(self, named: Named, now: datetime, *, is_waiting: bool) -> Finding:
        (cluster, run_id), (follows, at) = named, self._expected[named]
        job = run_id.partition("@")[0]
        if not is_waiting:
            text = f"never published, though run {follows}, which it follows, has its verdict"
            return Finding(Kind.UNEXPLAINED, run_id, job, cluster, text)
        text = (
            f"waiting to be handed over to its cluster since {format_clock(at)}, when run "
            f"{follows}, which it follows, had its verdict: no scheduler is there, or its log "
            "takes nothing"
        )
        facts = {"past_due_s": (now - at).total_seconds()}
        return Finding(Kind.WAITING, run_id, job, cluster, text, facts)


def _due_of(run_id: str) -> datetime | None:
    """Return the due time of a run that a schedule asked for; of others no window says enough."""
    try:
        return datetime.fromisoformat(run_id.partition("@")[2])
    except ValueError:
        return None
