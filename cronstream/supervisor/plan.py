"""Which parts an installation has, and when one that has died is started again: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from cronstream.core.wire.naming import Role, RoleKind


def parts(clusters: Iterable[str]) -> tuple[Role, ...]:
    """Return the roles that run the jobs of `clusters`, the scheduler first."""
    workers = (
        Role(kind, cluster)
        for cluster in clusters
        for kind in (RoleKind.WORKER, RoleKind.RETRY_WORKER)
    )
    return (Role(RoleKind.SCHEDULER), *dict.fromkeys(workers))


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be started and stopped so that the wanted parts run, and no others."""

    start: tuple[Role, ...]
    stop: tuple[Role, ...]


def difference(running: Iterable[Role], wanted: Iterable[Role]) -> Change:
    """Return what leads from the parts that run to those that are wanted, in their order."""
    running, wanted = tuple(running), tuple(wanted)
    return Change(
        start=tuple(role for role in wanted if role not in running),
        stop=tuple(role for role in running if role not in wanted),
    )


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a part that has died is started again.

    Attributes:
        first_s: Seconds after the first death; twice as many after each further one.
        ceiling_s: At most so many seconds.
        reset_after_s: A part that has lived so many seconds is taken for sound again.
    """

    first_s: float = 0.5
    ceiling_s: float = 30.0
    reset_after_s: float = 60.0

    def count(self, deaths: int, lifetime_s: float) -> int:
        """Return which death in a row the next one is, after `deaths` and one more life."""
        return 1 if lifetime_s >= self.reset_after_s else deaths + 1

    def delay_s(self, deaths: int) -> float:
        """Return the seconds to wait after so many deaths in a row, counted from 1.

        Raises:
            ValueError: If `deaths` is below 1.
        """
        if deaths < 1:
            raise ValueError(f"deaths are counted from 1, not {deaths}")
        return float(min(self.first_s * 2 ** min(deaths - 1, 32), self.ceiling_s))
