"""Projects what came while no console was there, where that is much, by processes of their own.

One process of Python folds some thousands of runs a second, on one processor, and answers slowly
meanwhile. Clusters have nothing in common: so each of several processes projects some of them, into
the same file, and what a transaction writes is of these alone. Each goes on with what comes until
all have come to where the logs ended when they began; then they are killed, as any may be at any
moment, and what they had in memory goes with them. The console goes on by itself, as one does that
begins again: what is live is read again. So it does if one of them fails, for it will meet what
that one has met, or if none gets on.
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
from typing import Final, NamedTuple

from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.console.projecting import WRITE_EVERY_S, Projection, Share
from cronstream.console.store import Store
from cronstream.errors import CronstreamError, TruncatedError
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
#: Seconds after which they are ended if none has got on: a log may be gone that one waits for.
_PATIENCE_S: Final = 60.0
#: By so much a process of these is less urgent than the console: pages come first.
_NICE: Final = 5
#: As the console itself has it: `cronstream.cli.lean`.
_GARBAGE: Final = (20_000, 20, 50)
#: One that does not end when it is killed waits for a disk, and nobody for it.
_ENDS_WITHIN_S: Final = 2.0
#: What one ends with that has said why.
_HAS_SAID_WHY: Final = 3

_spawning: Final = multiprocessing.get_context("spawn")


class _Said(NamedTuple):
    """What a process says of itself, twice a second.

    Attributes:
        rows: How many it has written.
        left: How many messages of those that were there it has still to project.
        folded: How many it has folded, also of those that were projected before.
        is_current: Whether that is none.
        until: When the last of those came that it has projected (UTC).
    """

    rows: int
    left: int
    folded: int = 0
    is_current: bool = False
    until: datetime | None = None


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
        self.is_current, self.done, self.total, self.written = False, 0, 0, 0
        self.known_until: datetime | None = None

    async def is_worth_it(self, reader: LogReader) -> bool:
        """Look at what is not projected; return whether it is enough for other processes.

        Raises:
            BrokerError: If the broker does not answer.
            StoreError: If it cannot be seen how much is projected.
            TruncatedError: If a log ends before what was projected of it.
        """
        self._left = await self._look(reader)
        self.total = sum(self._left.values())
        return self.total >= WORTH and self._most > 1

    async def run(self) -> bool:
        """Catch up; return whether each process has. None of them is there afterwards."""
        shares = shared_out(self._left, self._most)
        how = "%d messages are to be read; processes that do so, each of some clusters: %d"
        logger.info(how, self.total, len(shares), extra=fields("console-catches-up"))
        try:
            with ExitStack() as stack:
                parts = []
                for share in shares:
                    left = sum(self._left[cluster] for cluster in share)
                    parts.append(_Part(self._settings, self._store.path, share, left))
                    stack.callback(parts[-1].kill)
                return await self._see_through(parts)
        except OSError as error:  # The system may have no more processes.
            _say_alone(str(error))
            return False

    async def _see_through(self, parts: list["_Part"]) -> bool:
        """Wait until all have caught up; return whether they have."""
        folded, moved_at = 0, clock.monotonic()
        while not all(part.said.is_current for part in parts):
            await asyncio.sleep(WRITE_EVERY_S)
            self._hear(parts)
            if failed := [part for part in parts if part.exit_status is not None]:
                _say_of(failed)
                return False
            if (now := sum(part.said.folded for part in parts)) != folded:
                folded, moved_at = now, clock.monotonic()
            elif clock.monotonic() - moved_at > _PATIENCE_S:
                _say_alone(f"nothing has come of it for {_PATIENCE_S:g} s")
                return False
        return True

    def _hear(self, parts: list["_Part"]) -> None:
        written = sum(part.heard().rows for part in parts)
        self.done = max(0, self.total - sum(part.said.left for part in parts))
        moments = [self.known_until, *(part.said.until for part in parts)]
        self.known_until = max((one for one in moments if one is not None), default=None)
        if written != self.written:
            self.written = written
            self._on_written()

    @property
    def _most(self) -> int:
        """How many processes there may be."""
        affinity = getattr(os, "sched_getaffinity", None)  # Only Linux has it.
        cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
        return self._settings.console_projectors or min(cores, _UNLESS_SAID)

    async def _look(self, reader: LogReader) -> dict[str, int]:
        """Return how many messages of each cluster are not projected."""
        layout = await reader.layout()
        logs = {log.topic: log for log in log_topics(reader.names, reader.names.clusters(layout))}
        spans = await reader.spans(places(layout, logs, Scope()), None)
        known, left = self._store.places(), dict.fromkeys((log.cluster for log in logs.values()), 0)
        self.known_until = max((place.at for place in known.values()), default=None)
        for at, (begin, end) in spans.items():
            place = known.get((at.topic, at.partition))
            reached = begin if place is None else max(begin, place.next)
            if end < reached:
                raise TruncatedError(
                    f"{at.topic}/{at.partition} ends at {end}, but was projected up to {reached}: "
                    "it was truncated, or recreated"
                )
            left[logs[at.topic].cluster] += end - reached
        return left


def shared_out(left: Mapping[str, int], most: int) -> list[list[str]]:
    """Return the clusters of each process: at most so many, with about as much for each to read.

    Args:
        left: How much is to be read of each cluster.
        most: How many processes there may be.
    """
    shares: list[tuple[int, int, list[str]]] = [(0, 0, []) for _ in range(most)]
    for cluster in sorted(left, key=lambda one: (-left[one], one)):
        size, number, clusters = heappop(shares)
        heappush(shares, (size + left[cluster], number + 1, [*clusters, cluster]))
    return [clusters for _, _, clusters in shares if clusters]


def _say_of(failed: list["_Part"]) -> None:
    for part in failed:
        if part.exit_status != _HAS_SAID_WHY:
            _say_alone(f"one of them has ended with status {part.exit_status}")


def _say_alone(reason: str) -> None:
    about = fields("console-alone", reason=reason)
    logger.warning("%s; the console catches up by itself", reason, extra=about)


class _Part:
    """One process, as the console sees it; it ends if the console does.

    Attributes:
        said: What it said last.
    """

    def __init__(
        self, settings: Settings, path: Path, clusters: Collection[str], left: int
    ) -> None:
        self._near, far = _spawning.Pipe()
        self.said = _Said(0, left)
        arguments = (settings, path, tuple(clusters), far)
        self._process = _spawning.Process(target=_catch_up, args=arguments, daemon=True)
        # Ctrl-C is for the console, which ends this one. What is started inherits that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            far.close()

    @property
    def exit_status(self) -> int | None:
        """How it has ended, less than 0 by a signal; None while it has not."""
        return self._process.exitcode

    def heard(self) -> _Said:
        """Return what it has said by now."""
        try:
            while self._near.poll():
                self.said = _Said(*self._near.recv())
        except EOFError:
            pass  # It has ended.
        return self.said

    def kill(self) -> None:
        """End it: what it has written agrees at any moment."""
        self._process.kill()
        self._process.join(_ENDS_WITHIN_S)
        self._near.close()


def _catch_up(
    settings: Settings, path: Path, clusters: Collection[str], console: Connection
) -> None:
    """Project some clusters; this is a process of its own."""
    os.nice(_NICE)
    if settings.log_format == "json":
        keep_stderr()
    dictConfig(logging_config(settings))
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    try:
        asyncio.run(_project(settings, path, clusters, console))
    except (CronstreamError, KafkaError, OSError) as error:
        _say_alone(str(error))
        sys.exit(_HAS_SAID_WHY)


async def _project(
    settings: Settings, path: Path, clusters: Collection[str], console: Connection
) -> None:
    # Nothing comes from there: it is readable once the console is no more.
    asyncio.get_running_loop().add_reader(console.fileno(), partial(os._exit, 1))
    with closing(Store(path, is_shared=True)) as store:
        projection = Projection(store, share=Share.of(settings.names, clusters))
        reader = Reader(settings, gives_up=True)
        await reader.start()
        saying = asyncio.create_task(_say(projection, console))
        try:
            await projection.follow(reader)
        finally:
            saying.cancel()
            await reader.stop()


async def _say(projection: Projection, console: Connection) -> None:
    """Say how far it is, for ever, once it knows what there is."""
    while True:
        await asyncio.sleep(WRITE_EVERY_S)
        if projection.is_current or projection.total:
            left, until = projection.total - projection.done, projection.known_until
            how_far = projection.written, left, projection.folded, projection.is_current
            console.send(_Said(*how_far, until))
