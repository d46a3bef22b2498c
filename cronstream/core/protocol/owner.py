"""What the owner of a partition decides, from its state alone: claims, effects, losses.

Nothing is decided before the barrier: the `Owned` that this worker appended when the partition
was assigned to it, read back (rule 3).
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.following import following, to_publish
from cronstream.core.ledger.overlap import Lines
from cronstream.core.ledger.retry import next_attempt
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.protocol.actions import Publish
from cronstream.core.timing import SESSION_S, Timing
from cronstream.core.wire.entries import Cancelled, Lost, Settled
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.naming import ClusterTopics
from cronstream.core.wire.runs import Discarded, Run

#: A holder has at least this much of its lease left when a new owner starts to judge.
LEAST_LEFT_S = 1.5
_NEVER = float("-inf")
_FAR_OFFSET = 1 << 62


@dataclass(slots=True)
class Owner:
    """One assignment of a partition to this worker.

    Attributes:
        me: This worker.
        number: Of the `Owned` that is the barrier.
        topics: Where its effects go: those of its cluster.
        barrier: When it was read back (monotonic seconds); None until then.
        owned_at: When it was appended, by the log's clock.
        contact: When the last entry of this worker's own was read back.
        judging_at: When the last of its heartbeats that was read back had been sent: the time by
            which leases are judged.
        resumed: When reading back last began, or began again after silence.
        heard: When the last heartbeat of each worker was read.
        lines: What it does about runs that may not overlap.
    """

    me: str
    number: int
    partition: int
    ledger: Ledger
    topics: ClusterTopics
    timing: Timing
    barrier: float | None = None
    owned_at: datetime | None = None
    contact: float = _NEVER
    judging_at: float = _NEVER
    resumed: float = _NEVER
    heard: dict[str, float] = field(default_factory=dict)
    lines: Lines = field(init=False)
    _published: set[tuple[str, int]] = field(default_factory=set)
    #: What came too late to count: the offset that its sender had folded up to, and when it came.
    _too_late: dict[tuple[str, int], tuple[int, datetime | None]] = field(default_factory=dict)
    _judged: set[tuple[str, int]] = field(default_factory=set)
    _asked_at: float = _NEVER

    def __post_init__(self) -> None:
        """Begin with nothing asked of the log."""
        self.lines = Lines(self.ledger.book)

    @property
    def ready(self) -> bool:
        """Whether the barrier has been passed."""
        return self.barrier is not None

    def hear(self, worker: str, mono: float) -> None:
        """Note that an entry by which a worker shows it is there has been read.

        Of what comes before the barrier only the log knows how old it is.
        """
        if self.barrier is not None:
            self.heard[worker] = mono
        if worker == self.me:
            if mono - self.contact > 3 * self.timing.beat_s:
                self.resumed = mono
            self.contact = mono

    def came_back(self, sent: float) -> None:
        """Note that an own heartbeat was read back; what came before its sending, too, has been."""
        self.judging_at = max(self.judging_at, sent)

    def awaits(self, number: int) -> bool:
        """Whether `Owned` with this number is the barrier: the first time, it may come doubled."""
        return self.barrier is None and number == self.number

    def pass_barrier(self, at: datetime, mono: float) -> None:
        """The own `Owned` was read back."""
        self.barrier = self.resumed = self.judging_at = mono
        self.owned_at = at
        self.lines.begin()

    def claimable(
        self,
        now: datetime,
        room: int,
        waits: Callable[[LiveRun], bool],
        leaves: Callable[[LiveRun], bool],
    ) -> Iterator[LiveRun]:
        """Yield queued runs whose time is within the look-ahead, once each, earliest first.

        Args:
            now: The time by this worker's clock.
            room: How many at most.
            waits: Whether one has to wait for its key; those take no room from others.
            leaves: Whether one is left to other workers, with all behind it (rule 26).
        """
        waiting, until = self.ledger.book.waiting, now + self.timing.look_ahead
        while waiting and room > 0 and waiting[0][0] <= until:
            _, version, run_id = waiting[0]
            live = self.ledger.book.live.get(run_id)
            is_queued = live and live.version == version and live.state is State.QUEUED
            if live and is_queued and leaves(live):
                return
            heapq.heappop(waiting)
            if live and is_queued and not waits(live):
                room -= 1
                yield live

    def effects(self, now: datetime | None = None) -> Iterator[Publish]:
        """Yield what is decided and not yet published, once each in this assignment (rule 2).

        Args:
            now: The time by this worker's clock.
        """
        deciding = self.ledger.book.deciding
        if len(self._published) > 2 * len(deciding) + 100:
            self._published &= set(deciding.items())
        for decision in list(deciding.items()):
            if self._is_due(decision):
                self._published.add(decision)
                _, came_at = self._too_late.pop(decision, (0, None))
                yield self._publish(self.ledger.book.live[decision[0]], came_at, now)

    def _is_due(self, decision: tuple[str, int]) -> bool:
        if decision not in self._published:
            return True
        return self.ledger.book.next_offset > self._too_late.get(decision, (_FAR_OFFSET, None))[0]

    def publish_again(self, run: str, version: int, at: datetime | None = None) -> None:
        """What was published has come too late to count (rule 11).

        It is due once more when something newer has been read, so that the log's time by which it
        is judged is a newer one too. `awaits_news` has the member see to that.

        Args:
            run: Its id.
            version: What was decided.
            at: When it came, by the clock of the log that it came to: that may be another broker's,
                and is judged by itself the next time.
        """
        self._too_late[(run, version)] = (self.ledger.book.next_offset, at)

    @property
    def awaits_news(self) -> bool:
        """Whether something has to come on the log before what came too late is published again."""
        if self._too_late:
            deciding = self.ledger.book.deciding.items()
            self._too_late = {d: at for d, at in self._too_late.items() if d in deciding}
        return bool(self._too_late)

    def _publish(
        self, live: LiveRun, came_at: datetime | None = None, now: datetime | None = None
    ) -> Publish:
        run, as_of = live.run, max(self.ledger.book.at, came_at or self.ledger.book.at)
        messages: list[tuple[str, Run | Discarded | Settled | Cancelled]] = []
        if live.effect is Effect.RETRY:
            again = next_attempt(run, live.not_before or run.not_before, as_of)
            messages.append((self.topics.retry_log, again))
        elif live.effect is Effect.DISCARD:
            gone = Discarded(run=run, reason=live.reason, discarded_at=live.decided_at or as_of)
            messages.append((self.topics.discarded, gone))
        elif live.effect is Effect.CANCEL:
            gone_for = Cancelled(run=run.id, reason=live.cancel, by=live.cancelled_by)
            messages.append((self.topics.retry_log, gone_for))
        # What a retry log reports to its cluster's log.
        verdict = live.effect.verdict if self.ledger.book.retry and live.effect else None
        if verdict is not None:
            settled = Settled(
                run=run.id,
                verdict=verdict,
                attempt=run.attempt,
                reason=_reason(live),
                why=live.reason if following(run, verdict) else None,
            )
            messages.append((self.topics.log, settled))
        if not self.ledger.book.retry and live.effect:
            follow = to_publish(live, live.effect.verdict, as_of, now)
            messages += [(self._home_of(one, run), one) for one in follow]
        follows_itself = self.ledger.book.retry and live.effect is Effect.RETRY
        return Publish(
            self.partition, run.id, live.version, run.job, tuple(messages), not follows_itself
        )

    def _home_of(self, follower: Run, run: Run) -> str:
        return self.topics.log if follower.cluster == run.cluster else self.topics.chains

    def losses(self, mono: float) -> Iterator[Lost]:
        """Yield the holders whose lease is over (rule 7).

        The clock of leases stands still while this worker's own heartbeats do not come back: an
        outage makes nobody lost. So a lease is judged by when the last one that did was sent.
        """
        if self.barrier is None or mono - self.contact > 3 * self.timing.beat_s:
            return
        for worker, number in self._silent(self.barrier, self.judging_at):
            self._judged.add((worker, number))
            yield Lost(worker=worker, number=number)

    def asks(self, mono: float) -> bool:
        """Whether a heartbeat is to be sent at once, for a lease seems to be over.

        When that is read back the lease can be judged, without waiting for the next beat.
        """
        if self.barrier is None or mono - self._asked_at < self.timing.beat_s:
            return False
        if not self._silent(self.barrier, mono):
            return False
        self._asked_at = mono
        return True

    def _silent(self, barrier: float, as_of: float) -> list[tuple[str, int]]:
        """Return holders that were silent for a lease, not yet judged, with their last number."""
        found = []
        for worker in self.ledger.book.held:
            beat = self.ledger.book.beats.get(worker)
            if worker == self.me or beat is None or (worker, beat.number) in self._judged:
                continue
            if as_of - self._heard_last(worker, barrier) > self.timing.lease_s:
                found.append((worker, beat.number))
        return found

    def _heard_last(self, worker: str, barrier: float) -> float:
        age = self._age_at_barrier(worker)
        resumed = self.resumed - age if self.resumed == barrier else self.resumed
        return max(self.heard.get(worker, _NEVER), barrier - age, resumed)

    def _age_at_barrier(self, worker: str) -> float:
        beat = self.ledger.book.beats.get(worker)
        # More than Kafka has waited for it only the log's clock says, and that may have been wrong.
        most = min(self.timing.lease_s - LEAST_LEFT_S, SESSION_S)
        if beat is None or self.owned_at is None:
            return most
        return max(0.0, min((self.owned_at - beat.at).total_seconds(), most))


def _reason(live: LiveRun) -> SkipReason | None:
    """Return why a retry log's run was skipped, unless it was for overlap."""
    is_told = live.effect is Effect.SKIP and live.cancel is not SkipReason.OVERLAP
    return live.cancel if is_told else None
