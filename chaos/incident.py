"""What was done to whom, and from when to when: what runs that went wrong may be blamed on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chaos.plan import Fault, FaultKind, Reach, Target

#: Silence that is shorter makes nobody lost: the lease, less a heartbeat and its way.
_LEASE_S = 4.0
#: What a fault may delay after its end: a lease or a session runs out, the group comes together
#: again, and then once more with the part that has come back.
AFTERMATH = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault as it was inflicted.

    Attributes:
        process: The life of the part that it struck; empty for a broker and for topics.
        began_at: When it struck (UTC).
        until: When it was over: the part went on, or was started again.
        met_instant: Whether the ledger said what was waited for; else it struck all the same.
    """

    fault: Fault
    process: str
    began_at: datetime
    until: datetime
    met_instant: bool = True

    @property
    def target(self) -> Target:
        """Who was struck."""
        return self.fault.card.target

    @property
    def label(self) -> str:
        """What the table of figures calls it."""
        return self.fault.card.label

    def concerns(self, cluster: str, *, retry: bool) -> bool:
        """Whether first (or later) attempts of the cluster may have felt it."""
        if not self.is_felt:
            return False
        match self.target:
            case Target.WORKER:
                return not retry and self.fault.cluster == cluster
            case Target.RETRY_WORKER:
                return retry and self.fault.cluster == cluster
            case Target.SCHEDULER:
                return not retry
            case _:
                return True

    def overlaps(self, begin: datetime, end: datetime) -> bool:
        """Whether it, or its aftermath, was felt between two moments."""
        return self.began_at <= end and begin <= self.until + AFTERMATH

    @property
    def is_felt(self) -> bool:
        """Whether it may have harmed anybody at all."""
        return not self.fault.card.is_harmless

    @property
    def may_cost_a_lease(self) -> bool:
        """Whether who was struck may have been taken for lost, or have given up what it did."""
        card = self.fault.card
        return self.is_felt and (card.kind is not FaultKind.PAUSE or card.lasts_s > _LEASE_S)

    @property
    def stops_executor(self) -> bool:
        """Whether who was struck stood still with its executor and its commands."""
        card = self.fault.card
        return card.kind is FaultKind.PAUSE and card.reach is Reach.TREE

    @property
    def is_schedulers(self) -> bool:
        """Whether it struck a scheduler."""
        return self.target is Target.SCHEDULER

    @property
    def is_kill(self) -> bool:
        """Whether it killed a worker, or a retry worker, or its executor."""
        is_workers = self.target in (Target.WORKER, Target.RETRY_WORKER)
        return is_workers and self.fault.card.kind is FaultKind.KILL
