"""Which runs of a worker are late, what keeps them waiting, and when that is reported.

A command that hangs is nothing wrong with the worker: but with all slots taken nothing else starts
there, and nobody would know. So lateness is reported while it lasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cronstream.core.ledger.state import State
from cronstream.core.protocol.member import Member

#: Seconds that a run may be late before it is reported.
TOLD_AFTER_S = 10.0
#: Less than this is over.
_OVER_S = 1.0
#: Between two lines, at most: they come at doubling intervals.
_LONGEST_S = 3600.0
#: Jobs that are named.
_NAMED = 3
#: So many runs that are not claimed are looked at, at most, of a partition: it takes a moment.
LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class Holders:
    """Runs of one job that have slots.

    Attributes:
        longest_s: How long the oldest of them has been running.
    """

    job: str
    count: int
    longest_s: float


@dataclass(frozen=True, slots=True)
class Late:
    """Runs that are due and have not started.

    Attributes:
        count: How many there are; of very many, how many at least.
        oldest: The id of the one that has been due the longest, and for how long.
        holders: Who has the slots, those with the most first.
        free: Slots that are free.
        slots: Slots of this worker.
    """

    count: int
    oldest: str
    oldest_s: float
    holders: tuple[Holders, ...]
    free: int
    slots: int

    @property
    def is_told(self) -> bool:
        """Whether it is late enough for people to hear of it."""
        return self.oldest_s >= TOLD_AFTER_S

    @property
    def sentence(self) -> str:
        """How late they are, why, and what to do about it."""
        runs = "1 run is" if self.count == 1 else f"{self.count} runs are"
        runs = f"at least {runs}" if self.count >= LOOKED_AT else runs
        begin = f"{runs} late, the oldest by {_span(self.oldest_s)} ({self.oldest}): "
        if self.free > 0:
            some = f"{self.free} of {self.slots} slots are free"
            return f"{begin}{some}, so they wait for Kafka, or for an executor (see /health)"
        named = [
            f"{holders.job} ({holders.count}, the longest for {_span(holders.longest_s)})"
            for holders in self.holders[:_NAMED]
        ]
        more = [f"{len(self.holders) - _NAMED} more jobs"] if len(self.holders) > _NAMED else []
        slots = "its only slot is taken" if self.slots == 1 else f"all {self.slots} slots are taken"
        worst = max(self.holders, key=lambda holders: holders.longest_s).job
        return (
            f"{begin}{slots}, by {', '.join(named + more)}; if they hang, "
            f"end them with 'cronstream cancel --job {worst}' and give the job a timeout; else "
            "raise CRONSTREAM_SLOTS, or start another worker"
        )


def find_late(member: Member, slots: int, now: datetime) -> Late | None:
    """Return what is late with a worker; None if nothing is.

    A run whose turn has not come under its overlap policy is not late.

    Args:
        member: The worker.
        slots: Commands that it runs at a time.
        now: The time by its clock (UTC).
    """
    late = list(_waiting(member, now))
    if not late:
        return None
    since, oldest = min(late)
    running = sum(held.started for held in member.holding.values())
    return Late(
        count=len(late),
        oldest=oldest,
        oldest_s=(now - since).total_seconds(),
        holders=_holders(member, now),
        free=max(0, slots - running),
        slots=slots,
    )


def _waiting(member: Member, now: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield since when which runs wait: handed to the executor, or not even to be claimed."""
    for held in member.holding.values():
        if not held.started and not held.giving_up and held.run.not_before < now:
            yield held.run.not_before, held.run.id
    for owner in member.owners.values():
        ledger = owner.ledger
        for since, version, run_id in ledger.book.waiting[
            :LOOKED_AT
        ]:  # The oldest is at the front.
            live = ledger.book.live.get(run_id) if since < now else None
            if live and live.version == version and live.state is State.QUEUED:
                yield since, run_id


def _holders(member: Member, now: datetime) -> tuple[Holders, ...]:
    spans: dict[str, list[float]] = {}
    for held in member.holding.values():
        if held.started:
            began = held.started_at or held.run.not_before
            spans.setdefault(held.run.job, []).append((now - began).total_seconds())
    found = [Holders(job, len(each), max(each)) for job, each in spans.items()]
    return tuple(sorted(found, key=lambda one: (-one.count, -one.longest_s, one.job)))


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


class LateNotice:
    """When lateness is reported: at doubling intervals while it lasts, and when it is over."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._pause_s = 0.0

    def look(self, late: Late | None, mono: float) -> str | None:
        """Return what is to be reported now, or None.

        Args:
            late: What is late.
            mono: Now, in monotonic seconds.
        """
        if late is not None and late.is_told and mono >= self._next:
            self._pause_s = min(max(TOLD_AFTER_S, 2 * self._pause_s), _LONGEST_S)
            self._next = mono + self._pause_s
            return late.sentence
        return None

    def is_over(self, late: Late | None) -> bool:
        """Return whether what was reported is over; once."""
        if not self._pause_s or (late is not None and late.oldest_s >= _OVER_S):
            return False
        self._pause_s, self._next = 0.0, float("-inf")
        return True
