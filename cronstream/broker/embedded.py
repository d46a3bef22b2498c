"""Start and stop the embedded Kafka."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cronstream.broker.data_lock import DataLock, lock_data
from cronstream.broker.formatting import cluster_id_of, format_data, is_formatted, new_cluster_id
from cronstream.broker.guard import Guard
from cronstream.broker.jars import KAFKA_VERSION, ensure_jars
from cronstream.broker.java import find_java
from cronstream.broker.kafka_program import KafkaProgram, KafkasWords
from cronstream.broker.layout import Layout, Membership, log4j_properties, server_properties
from cronstream.broker.listeners import Listener, check_free
from cronstream.broker.ports import HOST, free_port, is_free
from cronstream.broker.probe import answers, answers_as
from cronstream.clock import monotonic
from cronstream.errors import BrokerError
from cronstream.settings import settings

#: What the JVM says of a port that is in use, and lines of the trace around it.
_TAKEN, _STACK_TRACE = "Address already in use", 100
_TRIES = 5
_PROBE_S = 0.03
_SECONDS_BETWEEN_LINES = 5.0
#: A start after a kill reads the logs again; with much data in them that takes its time.
_READY_WITHIN_S = 180.0
#: Less than a second is usual; the first time, the class archive is written too.
_STOP_WITHIN_S = 20.0


class _PortTakenError(BrokerError):
    """Somebody took one of its ports between the look and the bind."""


class EmbeddedBroker:
    """One Kafka broker on the loopback interface, with its data in a folder of its own.

    Used by one task at a time. `prepare` and `launch` may be called on their own by who has
    something to do in between; `start` does what is left to do. Without a membership it is a
    cluster of its own; `cronstream.broker.cluster` makes several of them one.

    Attributes:
        port: Where it listens.
        further: Where else it listens; to be set before it is started.
        properties: Further lines of Kafka's configuration; likewise.
        flags: Further flags for its Java; likewise.
        users: Whom its data is made with, as Kafka's ``--add-scram`` takes each; likewise.
        membership: Which node of which cluster it is; likewise.
        is_port_asked_for: Whether it takes no other port if somebody has this one when it is
            first started; likewise.
    """

    further: Sequence[Listener] = ()
    properties: Sequence[str] = ()
    flags: Sequence[str] = ()
    users: Sequence[str] = ()
    membership: Membership | None = None
    is_port_asked_for = True

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        guard: Guard,
        say: Callable[[str], None],
        jar_cache: Path | None = None,
    ) -> None:
        cache = jar_cache or settings().jars
        self.port = port
        self._layout = Layout((data_dir / "kafka").absolute(), cache.absolute())
        self._guard = guard
        self._say = say
        self._lock: DataLock | None = None
        self._kafka: KafkaProgram | None = None
        self._words = KafkasWords(self._layout)
        self._process: asyncio.subprocess.Process | None = None
        self._launched_at = 0.0

    @property
    def address(self) -> str:
        """``host:port``, as Kafka clients take it."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The address as Faust and ``--broker`` take it."""
        return f"kafka://{self.address}"

    @property
    def pid(self) -> int | None:
        """The JVM's process, or None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def prepare(self) -> None:
        """Do all that comes before the JVM that serves: Java, jars, lock, format.

        Raises:
            BrokerError: If any of it cannot be had; it says what to do.
        """
        if self._lock is not None:
            return
        java = await asyncio.to_thread(find_java, settings().java_home)
        jars = await ensure_jars(self._layout.cache, self._say)
        try:
            self._layout.folder.mkdir(parents=True, exist_ok=True)
            lock = await lock_data(self._layout.lock, self.port)
        except OSError as error:
            raise BrokerError(f"Kafka's data cannot be kept: {error}") from error
        self._lock, self._kafka = lock, KafkaProgram(java, jars, self._layout)
        try:
            self._configure()
            if not is_formatted(self._layout):
                given = self.membership.cluster_id if self.membership else None
                cluster_id = given or new_cluster_id()
                given_users = [f"--add-scram={user}" for user in self.users]
                await format_data(self._kafka, lock.fileno, self._guard, cluster_id, *given_users)
        except BaseException:
            self._unlock()
            raise

    async def launch(self) -> None:
        """Start the JVM, without waiting until it serves.

        Raises:
            BrokerError: If the port is in use, or the program cannot be started.
        """
        await self.prepare()
        if not is_free(self.port) and not self._choose_another_port():
            is_kafka = await answers(self.port)
            self._unlock()
            raise BrokerError(_port_in_use(self.port, is_kafka))
        try:
            check_free(self.further)
        except BrokerError:
            self._unlock()
            raise
        self._configure()
        self._launched_at = monotonic()
        self._words = KafkasWords.from_now(self._layout)
        self._process = await self._serve()
        self._guard.add(self._process.pid)

    async def start(self) -> None:
        """Start Kafka and wait until it serves.

        Raises:
            BrokerError: If it does not come to that; nothing is left running then.
        """
        for tries_left in reversed(range(_TRIES)):
            await self.prepare()
            self._say(f"starting Kafka {KAFKA_VERSION} ...")
            await self.launch()
            try:
                await self._ready()
                break
            except _PortTakenError:
                await self.kill()
                if not tries_left or (not is_free(self.port) and not self._choose_another_port()):
                    raise
            except BaseException:
                await self.kill()
                raise
        # Whoever uses it by now is to find it there again.
        self.is_port_asked_for = True
        took_s = monotonic() - self._launched_at
        self._say(f"Kafka is ready at {self.address}, in {took_s:.1f} s")

    def _choose_another_port(self) -> bool:
        """Take a port that is free now, if nobody has asked for this one; return whether."""
        if not self.is_port_asked_for:
            taken, self.port = self.port, free_port()
            self._say(f"port {taken} is in use: Kafka takes {self.port}")
            if self._lock is not None:
                self._lock.note(self.port)
        return not self.is_port_asked_for

    async def wait(self) -> int:
        """Wait until the JVM has ended and return its exit status, negative for a signal."""
        if self._process is None:
            raise BrokerError("Kafka was not started")
        status = await self._process.wait()
        self._guard.remove(self._process.pid)
        return status

    async def stop(self) -> None:
        """End Kafka in good order: SIGTERM, and SIGKILL if that takes longer than 20 s."""
        if self._process is not None and self._process.returncode is None:
            if self._kafka is not None and not self._kafka.archive.is_file():
                self._say("caching Kafka's classes, once, so that it starts faster ...")
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_WITHIN_S):
                    await self._process.wait()
                if self._kafka is not None:
                    self._kafka.keep_archive()
            except TimeoutError:
                self._say(f"Kafka has not ended within {_STOP_WITHIN_S:.0f} s and is killed")
        await self.kill()

    async def kill(self) -> None:
        """End Kafka at once; it recovers its logs at the next start."""
        if self._process is not None:
            if self._process.returncode is None:
                self.kill_now()
                await self._process.wait()
            self._guard.remove(self._process.pid)
        self._unlock()

    def kill_now(self) -> None:
        """Send SIGKILL to the JVM, and do not wait for its end."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def last_lines(self, count: int = 5) -> list[str]:
        """Return the last lines that Kafka logged or wrote since its last start."""
        return self._words.last_lines(count)

    def _configure(self) -> None:
        layout = self._layout
        membership = self.membership or Membership(1, {1: self._controller_port()})
        text = server_properties(layout.data, self.port, membership, self.further)
        layout.properties.write_text("\n".join([text, *self.properties]))
        layout.log4j.write_text(log4j_properties(layout.log))

    def _controller_port(self) -> int:
        taken = {listener.at.port for listener in self.further}
        return free_port(*({self.port + 1} - taken))

    async def _serve(self) -> asyncio.subprocess.Process:
        if self._kafka is None or self._lock is None:
            raise BrokerError("Kafka was not prepared")
        try:
            return await self._kafka.serve(self._lock.fileno, self.flags)
        except BrokerError:
            self._unlock()
            raise

    async def _ready(self) -> None:
        if self._process is None:
            raise BrokerError("Kafka was not started")
        said_at = self._launched_at
        cluster_id = cluster_id_of(self._layout)
        while not await answers_as(self.port, cluster_id):
            if self._process.returncode is not None:
                if any(_TAKEN in line for line in self.last_lines(_STACK_TRACE)):
                    raise _PortTakenError(self._words.failure("found one of its ports in use"))
                raise BrokerError(
                    self._words.failure(f"ended with status {self._process.returncode}")
                )
            waited_s = monotonic() - self._launched_at
            if waited_s > _READY_WITHIN_S:
                raise BrokerError(self._words.failure(f"does not serve after {waited_s:.0f} s"))
            if monotonic() - said_at > _SECONDS_BETWEEN_LINES:
                said_at = monotonic()
                self._say(f"waiting for Kafka ({waited_s:.0f} s) ...")
            await asyncio.sleep(_PROBE_S)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None


def _port_in_use(port: int, is_kafka: bool) -> str:
    other = f"use the Kafka that is there with --broker kafka://{HOST}:{port}, or " * is_kafka
    return f"port {port} of {HOST} is in use: {other}choose another one with --port"
