"""The attempts at one run, as the claims, starts and ends on its logs report them.

What the fold refuses matters most here: a start that did not count is a command that was started
all the same.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cronstream.core.wire.entries import Finished, Started
from cronstream.core.wire.enumerations import Outcome


class End(StrEnum):
    """How a claim came to its end."""

    FINISHED = "finished"
    RELEASED = "released"
    LOST = "lost"


@dataclass(slots=True)
class Claim:
    """A claim that stood, and what its holder did.

    Attributes:
        retry: Whether it stood on the retry log.
        number: What its holder's entries name it by, with the holder.
        not_before: When the attempt was to start (UTC).
        foretold: Whether its start is on the log before its command is started.
        claimed_at: By the log's clock (UTC).
        told_at: The time of its start, as the entry that reported it first has it.
        started_at: By the holder's clock (UTC); None if it is not known to have started.
        ended_at: By the holder's clock; by the log's if it was lost.
        outcome: How the attempt ended, as the fold took it.
        late: The end that the holder reported when it was lost already.
    """

    retry: bool
    number: int
    worker: str
    attempt: int
    not_before: datetime
    foretold: bool
    claimed_at: datetime
    told_at: datetime | None = None
    started_at: datetime | None = None
    end: End | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    late: Finished | None = None

    @property
    def was_lost(self) -> bool:
        """Whether its holder died, or went silent past its lease."""
        return self.end is End.LOST or self.outcome is Outcome.LOST


@dataclass(slots=True)
class Claims:
    """All claims that stood on one run, oldest first on each log.

    Attributes:
        at_most_once: Whether that is how it is delivered: a start is on the log before the command
            is started, so one that did not count never was (rule 9).
        no_overlap: Whether it may not overlap: the same, but only on the cluster's log (rule 17).
        faults: A sentence for each start or end that nobody was allowed.
    """

    at_most_once: bool = False
    no_overlap: bool = False
    of: list[Claim] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def find(self, *, retry: bool, worker: str, number: int) -> Claim | None:
        """Return the claim that an entry of its holder names."""
        for claim in reversed(self.of):
            if (claim.number, claim.worker, claim.retry) == (number, worker, retry):
                return claim
        return None

    def start(self, entry: Started, *, retry: bool, counted: bool) -> None:
        """Take a start.

        Args:
            entry: As it stands on the log.
            retry: Whether it stands on the retry log.
            counted: Whether the fold took it.
        """
        claim = self.find(retry=retry, worker=entry.worker, number=entry.claim)
        if claim is None:
            if not self.foretells(retry=retry):
                self.faults.append(f"{entry.worker} started it without a claim that stood")
            return
        if claim.told_at not in (None, entry.started_at):
            self.faults.append(f"{entry.worker} started attempt {claim.attempt} twice")
        claim.told_at = entry.started_at
        if claim.started_at is not None or claim.end is End.FINISHED:
            pass  # The same message a second time.
        elif counted:
            claim.started_at = entry.started_at
        elif claim.foretold:
            pass  # It never was.
        elif claim.end is End.RELEASED:
            self.faults.append(
                f"{entry.worker} started attempt {claim.attempt} after it had given its claim back"
            )
        else:
            claim.started_at = entry.started_at  # It was lost meanwhile.

    def finish(self, entry: Finished, *, retry: bool, counted: bool, at: datetime) -> None:
        """Take an end; see `start`."""
        claim = self.find(retry=retry, worker=entry.worker, number=entry.claim)
        if claim is None:
            if entry.started_at is not None:
                self.faults.append(f"{entry.worker} ran it without a claim that stood")
        elif counted:
            claim.end, claim.outcome, claim.ended_at = End.FINISHED, entry.outcome, entry.ended_at
            claim.started_at = _later(claim.started_at, entry.started_at)
        elif entry.started_at is not None:
            self._finish_late(claim, entry, at)

    def _finish_late(self, claim: Claim, entry: Finished, at: datetime) -> None:
        """Take the end of a command whose claim no longer stood."""
        if claim.end is End.LOST:
            claim.late, claim.started_at = entry, claim.started_at or entry.started_at
            claim.ended_at = claim.ended_at or at
        elif claim.end is End.RELEASED:
            self.faults.append(
                f"{entry.worker} ran attempt {claim.attempt} after it had given its claim back"
            )
        elif claim.outcome is not entry.outcome:
            self.faults.append(
                f"attempt {claim.attempt} ended twice: {claim.outcome} and {entry.outcome}"
            )

    def release(self, worker: str, number: int, *, retry: bool) -> None:
        """Take a release that counted: an attempt whose start was only foretold never started."""
        claim = self.find(retry=retry, worker=worker, number=number)
        if claim is None:
            return
        claim.end = End.RELEASED
        if claim.foretold:
            claim.started_at = None

    def lose(self, worker: str, *, retry: bool, at: datetime) -> None:
        """Take the loss of the holder."""
        for claim in self.of:
            if claim.worker == worker and claim.retry == retry and claim.end is None:
                claim.end, claim.ended_at = End.LOST, at

    def foretells(self, *, retry: bool) -> bool:
        """Whether each start of it is on the log before its command is started."""
        return self.at_most_once or (self.no_overlap and not retry)

    @property
    def started(self) -> list[Claim]:
        """The claims under which a command was started, by attempt."""
        found = [claim for claim in self.of if claim.started_at is not None]
        return sorted(found, key=lambda claim: claim.attempt)


def _later(foretold: datetime | None, really: datetime | None) -> datetime | None:
    """Return when a command was started: a start that is read back first has too early a time."""
    if foretold is None or really is None:
        return foretold or really
    return max(foretold, really)
