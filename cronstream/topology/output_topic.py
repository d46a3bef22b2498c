"""A worker's end of its cluster's ``output`` topic: who follows, and what is written meanwhile.

Without that topic, or a right to it, a worker goes on, and nobody sees output live. So its clients
are its own: what fails here breaks nothing else.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.wire.live_output import FOLLOWS, Follow, Written, decode, encode
from cronstream.errors import CronstreamError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.producing import start_producer, stop_producer
from cronstream.topology.reading import Reader
from cronstream.topology.refusals import missing_right
from cronstream.topology.topics import ensure_topics, output_topic

logger = logging.getLogger(__name__)

#: Messages that wait for Kafka, at most; and how large one may be.
_WAITING: Final = 64
_MAX_BYTES: Final = 400_000
#: Before what failed is tried again.
_AGAIN_S: Final = 30.0
#: How long the broker may wait for something to come: nobody follows most of the time.
_WAIT_MS: Final = 2_000
#: Who said so long ago that he follows does so no more, as after an outage.
_LONG_AGO: Final = timedelta(seconds=60)


class OutputTopic:
    """Hears who follows, and puts there what is written.

    Args:
        settings: Where Kafka is.
        cluster: Whose topic it is.
        on_follow: Is called with each that follows.
    """

    def __init__(
        self, settings: Settings, cluster: str, on_follow: Callable[[Follow], None]
    ) -> None:
        self._settings, self._cluster, self._on_follow = settings, cluster, on_follow
        self._topic = settings.names.output(cluster)
        self._waiting: asyncio.Queue[Written] = asyncio.Queue(_WAITING)
        self._reader: Reader | None = None
        self._producer: Any = None
        self._is_told = False

    def put(self, written: Written) -> bool:
        """Have something sent; return whether there is room for it."""
        try:
            self._waiting.put_nowait(written)
        except asyncio.QueueFull:
            return False
        return True

    async def attend_for_ever(self) -> None:
        """Hear and send until this is cancelled, whatever becomes of Kafka."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._hear))
            tasks.create_task(self._again_and_again(self._send))

    async def _again_and_again(self, work: Callable[[], Any]) -> None:
        while True:
            try:
                await work()
            except (CronstreamError, KafkaError, OSError) as error:
                self._report(error)
            await asyncio.sleep(_AGAIN_S)

    async def _hear(self) -> None:
        await ensure_topics([output_topic(self._cluster, self._settings)], self._settings)
        async with Reader(self._settings, waits_ms=_WAIT_MS) as reader:
            place = TopicPartition(self._topic, 0)
            reader.follow({place: (await reader.ends(self._topic, [0]))[0]})
            while True:
                for message in await reader.poll(_WAIT_MS / 1000):
                    self._see(message)

    def _see(self, message: LogMessage) -> None:
        name, value = FOLLOWS
        is_old = clock.now() - message.at > _LONG_AGO
        if is_old or (name, value.encode()) not in message.headers:
            return
        said = decode(message.value)
        if isinstance(said, Follow):
            self._on_follow(said)

    async def _send(self) -> None:
        """Send what there is to send; connects only once there is something."""
        written = await self._waiting.get()
        self._producer = await start_producer(self._settings, _MAX_BYTES, counts_messages=False)
        try:
            while True:
                await self._producer.send_and_wait(self._topic, encode(written), partition=0)
                written = await self._waiting.get()
        finally:
            await stop_producer(self._producer)

    def _report(self, error: Exception) -> None:
        """Say once that live output is not to be had, and why."""
        what = missing_right(error, self._topic) or error
        if not self._is_told:
            text = "%s: what commands write cannot be followed while they run (%s)"
            about = fields("output-not-followed", topic=self._topic, cluster=self._cluster)
            logger.warning(text, self._topic, what, extra=about)
        self._is_told = True
