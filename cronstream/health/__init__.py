"""Sees that a process does what it is there for, says so on ``/health``, and ends it if need be.

`cronstream.core.health.judging` says what is judged and which reasons end a process; what people do
about each is in docs/health.md.

``watch``     gathers the facts, judges them each second, and ends what is unhealthy for too long
``subject``   what is asked of a worker or a scheduler, and of its consumer group
``serving``   ``/health`` and ``/metrics`` where Faust's own server does not serve them
``rights``    why Kafka refuses it, if that is why it stands still
``presence``  what it announces of itself to the others, and how it compares with them
``watchdog``  a thread that ends the process when its event loop is stuck
"""

from cronstream.health.presence import PresenceWatch
from cronstream.health.rights import RightsWatch
from cronstream.health.serving import OwnServer, metrics_view
from cronstream.health.subject import Group, Peer, Subject
from cronstream.health.watch import HealthWatch

__all__ = [
    "Group",
    "HealthWatch",
    "OwnServer",
    "Peer",
    "PresenceWatch",
    "RightsWatch",
    "Subject",
    "metrics_view",
]
