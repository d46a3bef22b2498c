"""The revisions of jobs, as far back as the ``jobs`` topic goes, and each new one as it comes."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from heapq import heappush, heappushpop
from typing import Final

from aiokafka.structs import TopicPartition

from cronstream.core.crontab.revisions import Edit, Revisions
from cronstream.core.wire.job_messages import decode_jobs
from cronstream.core.wire.runs import Job
from cronstream.history.scope import LogReader
from cronstream.topology.publish import partition_of

#: Revisions of each job that are kept, the newest; and of all jobs together.
_OF_JOB: Final = 50
_OF_ALL: Final = 500
#: Messages that are folded before others have their turn.
_TURN: Final = 50
_POLL_S: Final = 1.0


class Pasts:
    """Keeps the newest revisions.

    Args:
        counts: Whether schedulers believe a definition.

    Attributes:
        gone_before: What was put there before then is gone (UTC); None if all is there.
    """

    def __init__(self, counts: Callable[[Job], bool] = lambda _: True) -> None:
        self._counts = counts
        self._of_job: dict[str, deque[Edit]] = {}
        #: A heap: the oldest of them is the next to go.
        self._of_all: list[tuple[datetime, int, int, Edit]] = []
        self.gone_before: datetime | None = None
        self._count = 0

    def of(self, job: str | None, limit: int) -> list[Edit]:
        """Return the newest revisions of a job, or of all, the newest first."""
        if job is None:
            return [edit for *_, edit in sorted(self._of_all, reverse=True)[:limit]]
        return list(reversed(self._of_job.get(job, ())))[:limit]

    async def follow(self, reader: LogReader) -> None:
        """Read all revisions, and then each new one, for as long as the reader can read.

        Raises:
            BrokerError: If the broker does not answer.
        """
        topic = reader.names.jobs
        partitions = await reader.partitions(topic)
        if not partitions:
            return  # It is asked again.
        starts = await reader.beginnings(topic, partitions)
        cut = frozenset(n for n, start in starts.items() if start > 0)
        revisions, place = Revisions(cut), partial(partition_of, partitions=len(partitions))
        self._of_job, self.gone_before = defaultdict(partial(deque, maxlen=_OF_JOB)), None
        self._of_all.clear()
        reader.follow({TopicPartition(topic, n): start for n, start in starts.items()})
        unseen = set(cut)
        while True:
            messages = await reader.poll(_POLL_S)
            for number, message in enumerate(messages):
                if message.partition in unseen:
                    unseen.discard(message.partition)
                    self.gone_before = max(self.gone_before or message.at, message.at)
                for job in decode_jobs(message.value)[0]:
                    counts = place(job.name) == message.partition and self._counts(job)
                    at = (message.partition, message.offset, message.at)
                    self._keep(revisions.fold(job, *at, counts=counts))
                if number % _TURN == 0:
                    await asyncio.sleep(0)

    def _keep(self, edit: Edit) -> None:
        self._of_job[edit.job.name].append(edit)
        self._count += 1
        item = (edit.at, edit.revision, self._count, edit)
        (heappush if len(self._of_all) < _OF_ALL else heappushpop)(self._of_all, item)
