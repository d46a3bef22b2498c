"""What a scheduler shard is about to publish, and how far it is then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.planning.cursor import Cursor, Lag
from cronstream.core.planning.draft import Planned


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be published now, and the cursor once all of it has been.

    Attributes:
        messages: Cluster and entry, in the order in which they go to each log.
        cursor: To be set when every message has been acknowledged.
        noted: To be set before anything is published, if this is a catch-up not yet noted.
        complete: Whether it reaches as far ahead as it should; if not, plan on at once.
        base: How far all has been published before it; where it is tried again from.
        holds: From when the revisions hold that it takes into force, by number, where that is not
            what they say.
    """

    messages: list[Planned]
    cursor: Cursor
    base: Lag
    noted: Cursor | None = None
    complete: bool = True
    holds: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What is to be published on partitions that are behind their shard.

    Attributes:
        messages: Cluster and entry, in the order in which they go to each log.
        reached: How far they are once every message has been acknowledged.
        noted: To be set before anything is published, if that is not so yet.
    """

    messages: list[Planned]
    reached: Lag
    noted: Lag | None
