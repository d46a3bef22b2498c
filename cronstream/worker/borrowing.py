"""Reads the ledgers of partitions that others lend from (rule 26): the last snapshot of each.

What has come since is read as what is held is: see `Folding.follow_for_ever`. Nothing depends on
it: what cannot be read now is tried again, and until then nothing is borrowed from there.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import orjson
from aiokafka.errors import KafkaError

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_parts
from cronstream.core.protocol.member import Member
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import BrokerError, LevelError, MessageError
from cronstream.worker.loading import Loading

logger = logging.getLogger(__name__)

#: Before what could not be read is tried again.
_AGAIN_S: Final = 3.0


class Borrowing:
    """Gives a worker's member the ledgers that it asks for.

    Attributes:
        on_lending: Is called when the member lends from other partitions than before.
        on_read: Is called when a ledger is there that is to be read on.

    Args:
        member: The worker's.
        loading: Its own, which has each partition read on from where its ledger is.
        table: Reads the rows of its ``ledgers`` table.
    """

    def __init__(self, member: Member, loading: Loading, table: Any) -> None:
        self._member, self._loading, self._table = member, loading, table
        self.on_lending: Callable[[], None] = lambda: None
        self.on_read: Callable[[], None] = lambda: None
        self._lending: frozenset[int] = frozenset()
        self._reading: set[int] = set()

    def look(self) -> set[int]:
        """Return the partitions that are to be read from now on."""
        if self._lending != self._member.lending:
            self._lending = self._member.lending
            self.on_lending()
        found = self._member.to_load() - self._reading if self._member.borrowing else set()
        self._reading |= found
        return found

    async def read(self, partition: int) -> None:
        """Read one of them."""
        try:
            rows = await self._table.read_rows([partition], only_looks=True)
            ledger = await self._ledger(rows.get(partition))
            if partition in self._member.to_load():  # It may have become its own.
                self._loading.begin(partition, ledger)
                self._member.lend_ledger(partition, ledger)
                self.on_read()
        except (BrokerError, KafkaError, OSError, LevelError) as error:
            logger.debug("partition %d: nothing is borrowed from it yet (%s)", partition, error)
            await asyncio.sleep(_AGAIN_S)
        finally:
            self._reading.discard(partition)

    async def _ledger(self, row: LastRow | None) -> Ledger:
        """Return what a row says; an empty ledger, of which all is to be read, if there is none."""
        if row is None:
            return Ledger(retry=self._loading.retry)
        lines = await asyncio.to_thread(row.lines)
        try:
            parts = from_parts(map(orjson.loads, lines))
            ledger = next(parts)  # The same in each step.
            for _ in parts:
                await asyncio.sleep(0)
        except MessageError:
            return Ledger(retry=self._loading.retry)
        return ledger
