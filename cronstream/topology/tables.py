"""Faust's tables, as this application keeps them, so that an outage of Kafka ends no process.

Faust sends a row with a producer of its own, and a row that waits there for five minutes ends the
process, with all that it runs (``ProducerBuffer._handle_pending``). That producer is never started:
rows go on their changelogs by `Changelog`.
"""

from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped

from cronstream.errors import CronstreamError
from cronstream.topology.refusals import missing_right
from cronstream.topology.waiting import until_answered


class KeptTable(faust.Table[Any, Any]):
    """A Faust table whose rows go on its changelog by the app's `Changelog`.

    It has as many partitions as are set, however many somebody has given its topics besides.
    """

    def partition_for_key(self, key: Any) -> int | None:  # noqa: ARG002 - Faust's
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


class PatientRecovery(Recovery):
    """Faust's recovery of tables, which waits for an answer as long as it takes.

    Faust's own goes on without one after 90 seconds, with tables that are empty or old, and never
    ends then; and an error of the broker's ends the process. A rebalance still begins it anew. What
    waiting does not mend ends the process with its sentence.
    """

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ARG002, ASYNC109 - Faust's
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

    async def _build_offsets(self, *args: Any) -> None:
        await until_answered(super()._build_offsets, *args)

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
