"""Makes the member of a worker, as the settings have it."""

from datetime import timedelta

from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.naming import Role
from cronstream.settings import Settings
from cronstream.topology.presence import new_name


def new_member(settings: Settings, role: Role) -> Member:
    """Return a worker as the protocol sees it, which owns and holds nothing yet."""
    timing = Timing(
        look_ahead=timedelta(seconds=settings.look_ahead_s),
        lease_s=settings.lease_s,
        fence_s=settings.fence_s,
        slots=settings.slots,
    )
    return Member(new_name(), settings.names.topics_of(role.cluster or ""), timing)
