"""What commands wrote, read from Kafka by the offset of the entry that has it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.entries import Finished
from cronstream.errors import CronstreamError
from cronstream.history.scope import LogReader

logger = logging.getLogger(__name__)

#: A page does not wait for longer.
_WITHIN_S: Final = 3.0


class StartableReader(LogReader, Protocol):
    """What is needed of `cronstream.topology.reading.Reader`."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""


class Outputs:
    """Reads the outputs of attempts, one page after the other.

    Args:
        reader: Returns a reader of its own, not yet connected.
    """

    def __init__(self, reader: Callable[[], StartableReader]) -> None:
        self._make, self._lock = reader, asyncio.Lock()
        self._reader: StartableReader | None = None

    async def fill(self, run: dict[str, Any]) -> None:
        """Put what each attempt wrote into a run's fields; where it cannot be read, say why.

        Once Kafka has not answered for one of them, the others are not asked for: a page would wait
        for as many times as there are attempts.
        """
        problem: str | None = None
        for attempt in run["attempts"]:
            attempt["output_problem"] = None
            offset = attempt["offsets"].get("ended")
            if offset is None:
                continue
            if problem is None:
                problem = await self._try_to_fill(run["run"], attempt, offset)
            if problem is not None:
                attempt["output_problem"] = f"what it wrote cannot be read now: {problem}"

    async def _try_to_fill(self, run_id: str, attempt: dict[str, Any], offset: int) -> str | None:
        """Do so for one attempt; return why it cannot be done."""
        try:
            async with asyncio.timeout(_WITHIN_S), self._lock:
                try:
                    await self._fill(run_id, attempt, offset)
                except BaseException:
                    # Who waits for the lock only leaves it to who has it.
                    await self.stop()
                    raise
        except (CronstreamError, KafkaError, TimeoutError, OSError) as error:
            return str(error) or "Kafka does not answer"
        return None

    async def _fill(self, run_id: str, attempt: dict[str, Any], offset: int) -> None:
        topic, partition = attempt["topic"], attempt["partition"]
        if self._reader is None:
            self._reader = await self._connected()
        beginning = (await self._reader.beginnings(topic, [partition]))[partition]
        if offset < beginning:
            attempt["output_problem"] = "what it wrote is no longer kept by Kafka"
            return
        start, end = {partition: offset}, {partition: offset + 1}
        found = [message async for message in self._reader.read(topic, start, end)]
        for entry in (entry for message in found for entry in decode_entries(message.value)[0]):
            if isinstance(entry, Finished) and entry.run == run_id:
                attempt["output_head"], attempt["output_tail"] = entry.head, entry.tail

    async def _connected(self) -> StartableReader:
        reader = self._make()
        try:
            await reader.start()
        except BaseException:
            await reader.stop()
            raise
        return reader

    async def stop(self) -> None:
        """Disconnect."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(KafkaError, OSError):
                await reader.stop()
