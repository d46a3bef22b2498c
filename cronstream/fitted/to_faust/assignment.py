"""Which partitions of which topics are shared out in a consumer group, whatever a broker forgets.

A broker that has just started answers before it has heard of all topics. Faust's leader then shares
out what it was given ("Ignoring missing topic"), and nobody looks again for five minutes: the
whole group stands by, and is well (seen in chaos, with a broker that was restarted
while a worker joined). But which topics there are, and their partitions, is known here.
"""

from collections.abc import Mapping
from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor


class KnownTopics:
    """What a broker says of its topics, with what is known of them besides.

    Attributes:
        partitions: How many partitions each topic of this installation has, by its name.
    """

    def __init__(self, cluster: Any, partitions: Mapping[str, int]) -> None:
        self._cluster, self.partitions = cluster, partitions

    def partitions_for_topic(self, topic: str) -> frozenset[int] | None:
        """Return the numbers of a topic's partitions; None if nobody knows of any."""
        if topic in self.partitions:
            return frozenset(range(self.partitions[topic]))
        found = self._cluster.partitions_for_topic(topic)
        return None if found is None else frozenset(found)


class Assignor(PartitionAssignor):
    """Faust's assignor, which never leaves out a topic that this installation has declared."""

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        app: Any = self.app
        known: Any = KnownTopics(cluster, app.known_partitions)
        return super()._perform_assignment(known, member_metadata)
