"""What a forecast is given beside jobs: the span of time, and who is there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked at: from `start` up to and without `until` (UTC), in steps of seconds."""

    start: datetime
    until: datetime
    step_s: float = 900.0


def _the_only_one(_: str) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Crew:
    """Who is there: the same for each cluster, and as many retry workers besides.

    Attributes:
        slots: Of each worker.
        worker_of: Which worker owns a job's partition, by the job's name.
    """

    workers: int = 1
    slots: int = 64
    worker_of: Callable[[str], int] = _the_only_one
