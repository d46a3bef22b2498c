"""Faust's tables, as this application keeps them, so that an outage of Kafka ends no process.

Faust sends a row with a producer of its own, and a row that waits there for five minutes ends the
process, with all that it runs (``ProducerBuffer._handle_pending``). That producer is never started:
rows go on their changelogs by `Changelog`.

And Faust recovers a table by reading its changelog from the beginning, which takes the longer the
older the installation is. A table here has one row on each partition, and the last is enough.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import faust
import orjson
from aiokafka.errors import KafkaError
from faust.stores import memory
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from typing_extensions import override

from cronstream import clock
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import CronstreamError
from cronstream.logs import fields
from cronstream.topology.refusals import missing_right
from cronstream.topology.waiting import until_answered

logger = logging.getLogger(__name__)


class KeptTable(faust.Table[Any, Any]):
    """A Faust table of one row for each partition, which is kept by the app's `Changelog`.

    The key is the partition's number. It has as many partitions as are set, however many somebody
    has given its topics besides.
    """

    #: Parts of rows that were read.
    parts_read = 0

    async def read_rows(
        self, partitions: Iterable[int], *, only_looks: bool = False
    ) -> dict[int, LastRow]:
        """Return the rows of some partitions as their changelog has them.

        Args:
            partitions: Of the changelog.
            only_looks: Whether they are not to be this process's own.

        Raises:
            BrokerError: If no broker answers; or it is a KafkaError.
        """
        app: Any = self.app
        topic = self.changelog_topic_name
        rows: dict[int, LastRow] = await app.changelog.read(
            topic, partitions, only_looks=only_looks
        )
        return rows

    async def restore(self, rows: Mapping[int, LastRow]) -> None:
        """Have these rows, by partition, and no others; one that is none is empty."""
        self.data.clear()
        for partition, row in rows.items():
            problem, found = "", None
            try:
                found = orjson.loads(row.lines()[0])
            except orjson.JSONDecodeError as error:
                problem = str(error)
            if not isinstance(found, dict):
                topic, found = self.changelog_topic_name, {}
                about = fields("row-lost", topic=topic, partition=partition)
                text = "%s/%d: what is kept there is no row (%s)"
                logger.warning(text, topic, partition, problem or "no object", extra=about)
            self.data[str(partition)] = found

    @override
    def partition_for_key(self, key: Any) -> int | None:
        """Return the partition of the message that is at work: rows go with it."""
        event = faust.current_event()
        if event is None:
            raise TypeError("a row is written only while a message of a stream is at work")
        return int(event.message.partition)

    def send_changelog(
        self,
        partition: int | None,
        key: Any,
        value: Any,
        key_serializer: Any = None,
        value_serializer: Any = None,
    ) -> Any:
        """Put a row on the changelog, and return it as a message of Faust's."""
        topic: Any = self.changelog_topic
        sent = topic.as_future_message(
            key=key,
            value=value,
            partition=partition,
            key_serializer=key_serializer or self.key_serializer,
            value_serializer=value_serializer or self.value_serializer,
        )
        app: Any = self.app
        message = sent.message
        app.changelog.put(topic.get_topic_name(), partition, message.key, message.value)
        return sent


class ViewTable(faust.Table[str, dict[str, Any]]):
    """A Faust table that shows what is in memory; it is never written, and nothing is kept."""

    #: What it shows.
    view: dict[str, Any]

    @classmethod
    def add(cls, app: Any, name: str, partitions: int, text: str, view: dict[str, Any]) -> Self:
        """Give an app such a table."""
        table = cls(app, name=name, partitions=partitions, key_type=str, help=text)
        table.view = view
        app.tables.add(table)
        return table

    def _new_store(self) -> "_ViewStore":
        return _ViewStore(
            "memory://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            options=self.options,
            view=self.view,
        )


class ElsewhereTable(ViewTable, KeptTable):
    """A table whose rows somebody else has, makes and reads, a part at a time; it shows a view."""

    #: Is given the lines of a partition's row; each step of it reads a part.
    reads: Callable[[int, list[bytes]], Iterator[None]]

    async def restore(self, rows: Mapping[int, LastRow]) -> None:
        """Have these rows read; other things are done in between."""
        for partition, row in rows.items():
            lines = await asyncio.to_thread(row.lines)
            for _ in self.reads(partition, lines):
                self.parts_read += 1
                await asyncio.sleep(0)

    def put(self, partition: int, row: bytes) -> None:
        """Put the text of a partition's row on the changelog."""
        app: Any = self.app
        key = orjson.dumps(str(partition))
        app.changelog.put(self.changelog_topic_name, partition, key, row)


class _ViewStore(memory.Store[str, dict[str, Any]]):
    def __init__(self, *args: Any, view: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.data = view


class PatientRecovery(Recovery):
    """Faust's recovery of tables, which reads only last rows, and waits as long as it takes.

    Faust's own goes on without an answer after 90 seconds, with tables that are empty or old, and
    never ends then; and an error of the broker's ends the process. A rebalance still begins it
    anew. What waiting does not mend ends the process with its sentence.
    """

    #: Since when the tables are being restored, in monotonic seconds; None if they are not.
    restoring_since: float | None = None

    @property
    def progress(self) -> int:
        """What grows while the tables are being restored."""
        app: Any = self.app
        parts = sum(t.parts_read for t in self.tables.values() if isinstance(t, KeptTable))
        return int(app.changelog.messages_read) + parts

    @override
    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        try:
            await super()._wait(coro)
        except (CronstreamError, KafkaError) as error:
            fault = error if isinstance(error, CronstreamError) else missing_right(error)
            if not fault:
                raise
            app: Any = self.app
            app.fail(str(fault))
            raise ServiceStopped from error

    async def _build_highwaters(self, *args: Any) -> None:
        await until_answered(super()._build_highwaters, *args)

    async def _build_offsets(self, _: Any, tps: Any, destination: Any, title: str) -> None:
        """Restore the tables: after that nothing is left that Faust would have to read."""
        if title != "active":
            return  # There are no standbys.
        self.restoring_since = clock.monotonic()
        try:
            for table in self.tables.values():
                if isinstance(table, KeptTable):
                    await self._restore(table)
        finally:
            self.restoring_since = None
        for place in tps:
            destination[place] = self.active_highwaters[place]

    async def _restore(self, table: KeptTable) -> None:
        wanted = {place.partition for place in self.actives_for_table[table]}
        rows = await until_answered(table.read_rows, wanted)
        if wanted == {place.partition for place in self.actives_for_table[table]}:
            await table.restore(rows)  # Else it was too slow to give way, and another is under way.

    async def _seek_offsets(self, *args: Any) -> None:
        await until_answered(super()._seek_offsets, *args)


class PatientTables(TableManager):
    """Faust's manager of tables, with a `PatientRecovery`."""

    @property
    def recovery(self) -> Recovery:
        """The recovery of all tables."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
