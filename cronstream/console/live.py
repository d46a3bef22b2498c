"""Output of a run as its command writes it, for a browser that looks at the run meanwhile.

As ``cronstream logs --follow``: that somebody follows is put on the cluster's topic of output every
few seconds, and while it is, the worker puts there what is written.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.console.ansi import Ansi
from cronstream.console.output import StartableReader
from cronstream.core.wire.live_output import EVERY_S, FOLLOWS, Follow, Written, decode, encode
from cronstream.errors import CronstreamError
from cronstream.history.heard import Heard
from cronstream.history.scope import LogReader
from cronstream.topology.publish import Ack

_POLL_S: Final = 0.25
#: Browsers that follow at once, at most: each has connections of its own to Kafka.
_MOST: Final = 20
#: Nothing but this is said while nothing is written.
_ALIVE_EVERY_S: Final = 10.0


class RawPublisher(Protocol):
    """What is needed of `cronstream.topology.publish.Publisher`."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> "asyncio.Future[Ack]":
        """Put bytes on a partition."""


class LiveOutput:
    """Hears what commands write.

    Args:
        reader: Returns a reader of its own, not yet connected.
        publisher: Likewise one that publishes.
    """

    def __init__(
        self, reader: Callable[[], StartableReader], publisher: Callable[[], RawPublisher]
    ) -> None:
        self._reader, self._publisher = reader, publisher
        self._following = 0

    async def of(self, run_id: str, cluster: str) -> AsyncGenerator[dict[str, Any] | None]:
        """Yield what each attempt writes, or why that cannot be; now and then None, for nothing."""
        if self._following >= _MOST:
            yield {"problem": f"{_MOST} browsers follow runs already; reload to see what is kept"}
            return
        reader, publisher = self._reader(), self._publisher()
        self._following += 1
        try:
            await reader.start()
            await publisher.start()
            async for one in _hear(reader, publisher, run_id, reader.names.output(cluster)):
                yield one
        except (CronstreamError, KafkaError, TimeoutError, OSError) as error:
            yield {"problem": f"cannot be followed: {str(error) or 'Kafka does not answer'}"}
        finally:
            self._following -= 1
            for client in (reader, publisher):
                with suppress(KafkaError, TimeoutError, OSError):
                    await client.stop()


async def _hear(
    reader: LogReader, publisher: RawPublisher, run_id: str, topic: str
) -> AsyncIterator[dict[str, Any] | None]:
    if not await reader.partitions(topic):
        yield {"problem": f"topic {topic} is not there, which workers of this version make"}
        return
    reader.follow({TopicPartition(topic, 0): (await reader.ends(topic, [0]))[0]})
    follow = encode(Follow(run=run_id, follower=secrets.token_hex(8)))
    heard: dict[int, tuple[Heard, Ansi]] = {}
    said_at = alive_at = float("-inf")
    while True:
        if clock.monotonic() - said_at >= EVERY_S:
            said_at, said = clock.monotonic(), publisher.put_raw(topic, 0, follow, dict([FOLLOWS]))
            await said
        said_now = [decode(message.value) for message in await reader.poll(_POLL_S)]
        for written in said_now:
            if isinstance(written, Written) and written.run == run_id:
                known = heard.setdefault(written.attempt, (Heard(), Ansi()))
                yield _shown(known, written)
        if clock.monotonic() - alive_at >= _ALIVE_EVERY_S:
            alive_at = clock.monotonic()
            yield None


def _shown(known: tuple[Heard, Ansi], written: Written) -> dict[str, Any] | None:
    heard, ansi = known
    if not heard.accepts(written):
        return None
    pieces = ansi.feed(written.text, is_end=written.is_end)
    if heard.has_gap:
        pieces.insert(0, ("a-note", "\n… some of its output has not come …\n"))
    if written.left_out:
        pieces.append(("a-note", f"\n… {written.left_out:,} bytes are left out here …\n"))
    return {"attempt": written.attempt, "pieces": pieces} if pieces else None
