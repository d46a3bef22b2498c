"""What a worker gathers of lending from what the others of its role announce (rule 26)."""

from collections.abc import Iterable

from cronstream.core.health.presence import Presence, numbers
from cronstream.core.protocol.lending import LENT_SINCE, Others


def others_of(me: Presence, present: Iterable[Presence]) -> Others:
    """Return which slots the other workers of a role may have free, and from where they lend.

    Args:
        me: The worker that asks.
        present: All processes that are there, with or without itself.
    """
    there = [
        who
        for who in present
        if (who.as_role, who.leaving) == (me.as_role, False) and who.name != me.name
        if who.level >= LENT_SINCE
    ]
    slots = sum(who.slots for who in there if not who.lends)
    return Others(slots, frozenset().union(*(numbers(who.lends) for who in there)))
