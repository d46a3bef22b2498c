"""When in a second a tick is sent: between the instants at which jobs are due.

Jobs are due on whole seconds. A tick that came then would have runs published and claimed just
when others are to be started, on the same machine if it is a small one.
"""

from datetime import datetime

_MIDDLE_S = 0.5
#: Within this span of a second a tick is well placed: how often they come matters more.
_FIRST_S, _LAST_S = 0.4, 0.9


def seconds_until_mid_second(now: datetime) -> float:
    """Return how long to wait before a tick is sent: 0 if it is well placed now."""
    within = now.microsecond / 1_000_000
    if _FIRST_S <= within <= _LAST_S:
        return 0.0
    return (_MIDDLE_S - within) % 1.0
