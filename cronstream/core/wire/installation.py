"""What the ``jobs`` topic says of the installation itself: which it is, and whether it is open."""

import re
from datetime import datetime

from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.record import Record
from cronstream.errors import MessageError


class Installation(Record, namespace="cronstream.Installation"):
    """Which installation the ``jobs`` topic is of; the first one on its partition 0 counts.

    From the scheduler that first puts a crontab in force, which remembers it.
    """

    #: Made at random, once: 32 hexadecimal digits.
    id: str
    #: The id of the Kafka that it was begun on: offsets mean nothing on another.
    kafka: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no scheduler has made: it becomes the name of a file."""
        if not re.fullmatch("[0-9a-f]{32}", self.id):
            raise MessageError(f"installation {self.id!r}, which is not an id")


class House(Record, namespace="cronstream.House"):
    """Whether processes may work here from now on; the last word on the ``jobs`` topic counts.

    On each of its partitions, from ``cronstream move-out`` and ``move-in``; an installation of
    which nothing was said is open.
    """

    state: HouseState
    #: The id of the export that this is about.
    export: str
    #: The due times up to this one are the former house's, and those after it the next one's (UTC).
    at: datetime | None = None
