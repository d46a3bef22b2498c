"""Sees that a process does what it is there for, says so on ``/health``, and ends it if need be.

`cronstream.core.health.judging` says what is judged and which reasons end a process; what people do
about each is in docs/health.md.

``watch``     gathers the facts, judges them each second, and ends what is unhealthy for too long
``subject``   what is asked of a worker or a scheduler, and of its consumer group
``early``     ``/health`` of a process that waits for Kafka
``presence``  what it tells other processes of itself, and how it compares with them
``watchdog``  a thread that ends the process when its event loop is stuck
"""

from cronstream.health.early import EarlyPage
from cronstream.health.presence import PresenceWatch
from cronstream.health.subject import Group, Peer, Subject
from cronstream.health.watch import HealthWatch

__all__ = [
    "EarlyPage",
    "Group",
    "HealthWatch",
    "Peer",
    "PresenceWatch",
    "Subject",
]
