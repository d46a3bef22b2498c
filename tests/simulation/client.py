"""A person's command line, which asks for a run now, or for a run's end."""

from functools import partial
from typing import Any

from cronstream.core.records import Cancelled, Run, SkipReason
from tests.simulation.loop import moment
from tests.simulation.process import Process
from tests.simulation.scale import STALE


class Client(Process):
    """A person's command line: it publishes a run, and again if the broker got it too late."""

    def started(self) -> None:
        """Nothing to begin with."""

    def publish(self, run: Run) -> None:
        """Publish it as judged now."""
        topics = self.world.topics
        log = topics.log(self.world.cluster_topic, topics.partition_of(run.job))
        fresh = run.derive(as_of=moment(self.loop.now))
        self.put(log, fresh, partial(self._acknowledged, fresh))

    def cancel(self, run: Run) -> None:
        """Ask for the end of a run, whatever it is doing."""
        topics = self.world.topics
        log = topics.log(self.world.cluster_topic, topics.partition_of(run.job))
        self.put(log, Cancelled(run=run.id, reason=SkipReason.CANCELLED, by="ada"))

    def _acknowledged(self, run: Run, _: int, at: Any) -> None:
        if run.as_of is not None and at - run.as_of > STALE:
            self.publish(run)
