"""All messages that are on topics: the entries of logs, and those with topics of their own."""

from datetime import datetime
from typing import TypeAlias

from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Discarded, Job


class Tick(Record, namespace="cronstream.Tick"):
    """Time to look for due runs; decides nothing, and may be late or doubled."""

    shard: int
    #: By the clock of the scheduler that sent it (UTC).
    at: datetime


Message: TypeAlias = Entry | Job | Control | Installation | House | Discarded | Tick
