"""Projects what came while no console was there, where that is much, by processes of their own.

One process of Python folds some thousands of runs a second, on one processor, and answers slowly
meanwhile. Clusters have nothing in common: so each of several processes projects some of them, into
the same file, and what a transaction writes is of these alone. They end once they have come to
where the logs ended when they began, and what they had in memory goes with them. Then the console
goes on by itself, as one does that begins again; and so it does if one of them fails, for it will
meet what that one has met.
"""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from heapq import heappop, heappush
from logging.config import dictConfig
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from cronstream.console.projecting import WRITE_EVERY_S, Projection, Share
from cronstream.console.store import Store
from cronstream.errors import CronstreamError
from cronstream.history.scope import LogReader, Scope, places
from cronstream.history.tail import log_topics
from cronstream.json_lines import keep_stderr
from cronstream.logs import fields, logging_config
from cronstream.settings import Settings
from cronstream.topology.reading import Reader

logger = logging.getLogger(__name__)

#: Where fewer messages are to be read, a process takes longer to begin than it spares.
WORTH: Final = 20_000
#: Unless it was said how many there may be: each takes memory, of which a container has not much.
_UNLESS_SAID: Final = 2
#: By so much a process of these is less urgent than the console: pages come first.
_NICE: Final = 5
#: As the console itself has it: `cronstream.cli.lean`.
_GARBAGE: Final = (20_000, 20, 50)

_spawning: Final = multiprocessing.get_context("spawn")


class _Said(NamedTuple):
    """What a process says each time that it has written.

    Attributes:
        rows: How many it wrote.
        left: How many messages it has still to project.
        until: When the last of them came (UTC).
    """

    rows: int
    left: int
    until: datetime | None


class CatchingUp:
    """Processes that catch up; `cronstream.console.progress` has its attributes.

    Args:
        settings: Where Kafka is, and how many processes there may be.
        store: Where they write.
        on_written: Is called when something was written.
    """

    def __init__(self, settings: Settings, store: Store, on_written: Callable[[], None]) -> None:
        self._settings, self._store, self._on_written = settings, store, on_written
        self._left: dict[str, int] = {}
        self._shares: list[list[str]] = []
        self.is_current, self.done, self.total, self.written = False, 0, 0, 0
        self.known_until: datetime | None = None

    async def is_worth_it(self, reader: LogReader) -> bool:
        """Look at what is not projected; return whether it is enough for other processes.

        Raises:
            BrokerError: If the broker does not answer.
        """
        self._left = await self._look(reader)
        most = self._settings.console_projectors or min(len(os.sched_getaffinity(0)), _UNLESS_SAID)
        self._shares = shared_out(self._left, most)
        self.done, self.total = 0, sum(self._left.values())
        return self.total >= WORTH and most > 1

    async def run(self) -> bool:
        """Catch up; return whether each process came to its end, and something was projected.

        None of them is there afterwards.
        """
        how = "%d messages are to be read; processes that do so, each of some clusters: %d"
        about = fields("console-catches-up")
        logger.info(how, self.total, len(self._shares), extra=about)
        try:
            return await self._run()
        except OSError as error:  # The system may have no more processes.
            logger.warning("%s; the console catches up alone", error, extra=_alone(str(error)))
            return False

    async def _run(self) -> bool:
        with ExitStack() as stack:
            parts = []
            for share in self._shares:
                left = sum(self._left[cluster] for cluster in share)
                parts.append(_Part(self._settings, self._store.path, share, left))
                stack.callback(parts[-1].kill)
            while any(part.is_there for part in parts) and not _any_has_failed(parts):
                await asyncio.sleep(WRITE_EVERY_S)
                self._hear(parts)
            self._hear(parts)
            return self.done > 0 and not _any_has_failed(parts)

    def _hear(self, parts: list["_Part"]) -> None:
        written = sum(part.heard().rows for part in parts)
        self.done = max(0, self.total - sum(part.said.left for part in parts))
        moments = [part.said.until for part in parts if part.said.until is not None]
        self.known_until = max(moments, default=None)
        if written != self.written:
            self.written = written
            self._on_written()

    async def _look(self, reader: LogReader) -> dict[str, int]:
        """Return how many messages of each cluster are not projected."""
        layout = await reader.layout()
        logs = {log.topic: log for log in log_topics(reader.names, reader.names.clusters(layout))}
        spans = await reader.spans(places(layout, logs, Scope()), None)
        known, left = self._store.places(), dict.fromkeys((log.cluster for log in logs.values()), 0)
        for at, (begin, end) in spans.items():
            place = known.get((at.topic, at.partition))
            left[logs[at.topic].cluster] += max(0, end - max(begin, place.next if place else 0))
        return left


def shared_out(left: Mapping[str, int], most: int) -> list[list[str]]:
    """Return the clusters of each process: at most so many, with about as much for each to read.

    Args:
        left: How much is to be read of each cluster; one without anything is none's.
        most: How many processes there may be.
    """
    shares: list[tuple[int, list[str]]] = [(0, []) for _ in range(most)]
    for cluster in sorted(left, key=lambda one: (-left[one], one)):
        if left[cluster]:
            size, clusters = heappop(shares)
            heappush(shares, (size + left[cluster], [*clusters, cluster]))
    return [clusters for _, clusters in shares if clusters]


class _Part:
    """One process, as the console sees it; it ends if the console does.

    Attributes:
        said: What it said last, with all the rows that it has written.
    """

    def __init__(
        self, settings: Settings, path: Path, clusters: Collection[str], left: int
    ) -> None:
        self._near, far = _spawning.Pipe()
        self.said = _Said(0, left, None)
        arguments = (settings, path, tuple(clusters), far)
        self._process = _spawning.Process(target=_catch_up, args=arguments, daemon=True)
        self._process.start()
        far.close()

    @property
    def is_there(self) -> bool:
        return self._process.is_alive()

    @property
    def has_failed(self) -> bool:
        return self._process.exitcode not in (None, 0)

    def heard(self) -> _Said:
        """Return what it has said by now."""
        try:
            while self._near.poll():
                found = _Said(*self._near.recv())
                self.said = found._replace(rows=found.rows + self.said.rows)
        except EOFError:
            pass  # It has ended.
        return self.said

    def kill(self) -> None:
        """End it, if it has not ended: what it has written agrees at any moment."""
        self._process.kill()
        self._process.join()
        self._near.close()


def _any_has_failed(parts: Collection[_Part]) -> bool:
    return any(part.has_failed for part in parts)


def _catch_up(
    settings: Settings, path: Path, clusters: Collection[str], console: Connection
) -> None:
    """Project some clusters; this is a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the console, which ends this.
    os.nice(_NICE)
    if settings.log_format == "json":
        keep_stderr()
    dictConfig(logging_config(settings))
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    try:
        with closing(Store(path)) as store:
            asyncio.run(_project(settings, store, clusters, console))
    except (CronstreamError, KafkaError, OSError) as error:
        logger.warning("%s; the console catches up alone", error, extra=_alone(str(error)))
        sys.exit(1)


def _alone(reason: str) -> dict[str, dict[str, Any]]:
    return fields("console-alone", reason=reason)


async def _project(
    settings: Settings, store: Store, clusters: Collection[str], console: Connection
) -> None:
    # Nothing comes from there: it is readable once the console is no more.
    asyncio.get_running_loop().add_reader(console.fileno(), partial(os._exit, 1))

    def say(runs: Collection[str]) -> None:
        left = projection.total - projection.done
        console.send(_Said(len(runs), left, projection.known_until))

    projection = Projection(store, say, share=Share.of(settings.names, clusters))
    reader = Reader(settings, gives_up=True)
    await reader.start()
    try:
        await projection.follow(reader, is_to_end=True)
    finally:
        await reader.stop()
