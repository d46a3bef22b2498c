"""What a process does, from its first moment to its last, by the role that it has taken."""

from collections.abc import Callable, Iterable
from typing import Protocol

from faust.types import TP

from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.app import App
from cronstream.health.subject import Peer, Subject
from cronstream.scheduler import SchedulerDuty
from cronstream.settings import Settings
from cronstream.topology.installation_level import Found
from cronstream.worker import WorkerDuty


class Duty(Protocol):
    """What the application asks of a role, in the order of a process's life."""

    role: Role

    @property
    def subject(self) -> Subject:
        """Whose health is watched."""

    @property
    def peer(self) -> Peer:
        """What it announces to other processes, and does about what they announce."""

    def declare(self, app: App) -> None:
        """Give the app its topics, agents, timers and tables."""

    async def start(self, found: Found) -> None:
        """Connect, and begin; `found` is what the installation says of itself."""

    def revoked(self) -> None:
        """A rebalance begins."""

    def assigned(self, places: Iterable[TP]) -> None:
        """A rebalance is over: of all partitions these are ours."""

    async def drain(self) -> None:
        """Give back what has not started, while the process is still in its group."""

    async def finish(self) -> None:
        """Let what runs come to its end, and disconnect: the process has left its group."""


def new_duty(app: App, role: Role, settings: Settings, fail: Callable[[str], None]) -> Duty:
    """Return what a role has to do.

    Args:
        app: Keeps the role's tables; nothing else is declared in it yet.
        role: The role.
        settings: Those of this process.
        fail: Is given the reason when the process is to end.
    """
    kind = SchedulerDuty if role.cluster is None else WorkerDuty
    return kind(app, role, settings, fail)
