"""A person's command line, which asks for a run now, or for a run's end."""

from functools import partial
from typing import Any

from cronstream.core.wire.entries import Cancelled
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run
from tests.builders import NAMES
from tests.simulation.log import Log
from tests.simulation.loop import moment
from tests.simulation.process import Process


class Client(Process):
    """A person's command line: it publishes a run, and again if the broker got it too late."""

    def started(self) -> None:
        """Nothing to begin with."""

    def publish(self, run: Run) -> None:
        """Publish it as judged now."""
        self._publish(run.derive(as_of=moment(self.loop.now)))

    def _publish(self, run: Run) -> None:
        self.put(self._log_of(run), run, partial(self._acknowledged, run))

    def cancel(self, run: Run) -> None:
        """Ask for the end of a run, whatever it is doing."""
        log = self._log_of(run)
        self.put(log, Cancelled(run=run.id, reason=SkipReason.CANCELLED, by="ada"))

    def _log_of(self, run: Run) -> Log:
        topics = self.world.topics
        return topics.log(NAMES.log(run.cluster), topics.partition_of(run.job))

    def _acknowledged(self, run: Run, _: int, at: Any) -> None:
        """The next time it is judged by the clock of the broker, as `cli.connection` does."""
        if run.as_of is not None and at - run.as_of > self.world.stale:
            self._publish(run.derive(as_of=at))
