"""Reads the definitions that an audit needs: from what is kept of ``jobs`` on, if that is enough.

It is if all that is not kept any more had been replaced, or taken out, before any due time that is
audited. Else all of the topic is read, as far back as it goes.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from cronstream.core.audit.definitions import Definitions
from cronstream.core.audit.known import Offsets
from cronstream.core.planning.recent import Believes, Recent, believe_all
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import decode_house
from cronstream.history.jobs import known_jobs
from cronstream.history.scope import LogReader, read_between
from cronstream.topology.jobs import kept
from cronstream.topology.last_rows import rows_on


class DefinitionsRead:
    """The definitions of all jobs, and what else stands between them.

    Attributes:
        definitions: Those that matter to due times from a moment on.
        offsets: What is left of each partition of ``jobs``.
        words: What it says of whether processes may work in the installation, in order.
    """

    def __init__(
        self, reader: LogReader, needed_from: datetime, believes: Believes = believe_all
    ) -> None:
        self.definitions = Definitions(needed_from, believes)
        self.offsets: dict[int, Offsets] = {}
        self.words: list[House] = []
        self._reader, self._believes = reader, believes
        self._is_whole = True

    async def read(self) -> None:
        """Read them, up to the present end.

        Raises:
            BrokerError: If the broker does not answer.
        """
        there = await self._reader.partitions(self._reader.names.jobs)
        if not there:
            return
        start = await self._reader.beginnings(self._reader.names.jobs, there)
        end = await self._reader.ends(self._reader.names.jobs, there)
        self.offsets = {shard: Offsets(start[shard], end[shard]) for shard in there}
        start |= await self._begin(shard for shard in there if start[shard] == 0)
        async for message in read_between(self._reader, self._reader.names.jobs, start, end):
            self.definitions.fold(message.offset, message.value)
            word = decode_house(message.value) if message.partition == 0 else None
            self.words += [word] if word is not None else []

    async def names(self) -> set[str]:
        """Return all names that jobs ever had."""
        return set(self.definitions.of) if self._is_whole else await known_jobs(self._reader)

    async def _begin(self, shards: Iterable[int]) -> dict[int, int]:
        """Begin with what is kept, where it is enough; return from where on each is to be read."""
        wanted = {shard: self.offsets[shard].end for shard in shards}
        rows = partial(rows_on, self._reader, self._reader.names.kept_jobs)
        begun = {}
        for shard, recent in (await kept(self._reader, rows, wanted, self._believes)).items():
            if self._is_enough(shard, recent):
                self.definitions.begin(recent.definitions(), recent.dropped_by)
                self.words += [recent.house] if recent.house and shard == 0 else []
                begun[shard] = recent.position
                self._is_whole = False
        return begun

    def _is_enough(self, shard: int, recent: Recent) -> bool:
        """Whether what is kept says as much as all of it; of moving it has the last word alone."""
        house = recent.house if shard == 0 else None
        is_last = house is None or (house.state is HouseState.OPEN and house.at is not None)
        return is_last and recent.dropped_at < self.definitions.bound
