"""What becomes of the output that executors hand on: the log has it, or whoever follows a run."""

from collections.abc import Callable

from cronstream import clock
from cronstream.core.protocol.member import Member
from cronstream.core.wire.live_output import Follow
from cronstream.core.wire.naming import Role
from cronstream.executor.protocol import Finished, Report, Show, SoFar, Started, Wrote
from cronstream.settings import Settings
from cronstream.topology.output_topic import OutputTopic
from cronstream.worker.live_output import LiveOutput
from cronstream.worker.output_log import OutputLog


class Outputs:
    """Hands on what the commands of one worker write.

    Attributes:
        show: Asks the executors for output; to be set once there are any.
    """

    def __init__(self, settings: Settings, role: Role, member: Member) -> None:
        self.show: Callable[[Show], None] = lambda _: None
        self._log = OutputLog(member.holding) if settings.log_output else None
        self._topic = OutputTopic(settings, role.cluster or "", self._follow)
        self._live = LiveOutput(member.me, member.holding, self._ask, self._topic.put)

    async def attend_for_ever(self) -> None:
        """Hear who follows, until this is cancelled."""
        await self._topic.attend_for_ever()

    def reported(self, report: Report) -> None:
        """Take what an executor says of an attempt, before anything else is made of it."""
        mono = clock.monotonic()
        match report:
            case Wrote():
                if self._log is not None:
                    self._log.wrote(report)
                self._live.wrote(report, mono)
            case SoFar():
                self._live.so_far(report)
            case Started(key=key):
                self._live.started(key, mono)
            case Finished(key=key):
                self._ended(key)

    def forget(self, keys: list[str]) -> None:
        """Let go of commands that have gone with their executor."""
        for key in keys:
            self._ended(key)

    def _ended(self, key: str) -> None:
        if self._log is not None:
            self._log.ended(key)
        self._live.ended(key)

    def _ask(self, order: Show) -> None:
        self.show(order)

    def _follow(self, follow: Follow) -> None:
        self._live.follow(follow, clock.monotonic())
