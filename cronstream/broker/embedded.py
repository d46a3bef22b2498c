"""Start and stop the embedded Kafka."""

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from cronstream.broker.data_lock import DataLock, lock_data
from cronstream.broker.guard import Guard
from cronstream.broker.jars import KAFKA_VERSION, ensure_jars
from cronstream.broker.java import Java, find_java
from cronstream.broker.layout import (
    Layout,
    Membership,
    archive_flags,
    java_command,
    log4j_properties,
    server_properties,
)
from cronstream.broker.listeners import Listener, check_free
from cronstream.broker.ports import HOST, free_port, is_free
from cronstream.broker.probe import answers, answers_as
from cronstream.clock import monotonic
from cronstream.errors import BrokerError
from cronstream.settings import settings

#: What the JVM says of a port that is in use, and lines of the trace around it.
_TAKEN, _STACK_TRACE = "Address already in use", 100
_TRIES = 5
_FORMAT = "kafka.tools.StorageTool"
_SERVE = "kafka.Kafka"
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
        is_port_asked_for: Whether it takes no other port if somebody has this one when it is
            first started; likewise.
    """

    further: Sequence[Listener] = ()
    is_port_asked_for = True

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        guard: Guard,
        say: Callable[[str], None],
        jar_cache: Path | None = None,
        membership: Membership | None = None,
    ) -> None:
        cache = jar_cache or settings().jars
        self.port = port
        self._membership = membership
        self._layout = Layout((data_dir / "kafka").absolute(), cache.absolute())
        self._guard = guard
        self._say = say
        self._lock: DataLock | None = None
        self._java: Java | None = None
        self._jars: tuple[Path, ...] = ()
        self._process: asyncio.subprocess.Process | None = None
        self._launched_at = 0.0
        self._logged_bytes = 0

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
        self._lock, self._java, self._jars = lock, java, jars
        try:
            self._configure()
            if not (self._layout.data / "meta.properties").is_file():
                await self._format()
        except BaseException:
            self._unlock()
            raise

    async def launch(self) -> None:
        """Start the JVM, without waiting until it serves.

        Raises:
            BrokerError: If the port is in use, or the program cannot be started.
        """
        await self.prepare()
        if not is_free(self.port) and not self._take_another_port():
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
        self._logged_bytes = self._layout.log.stat().st_size if self._layout.log.exists() else 0
        archive = self._archive()
        flags = archive_flags(archive, self._unfinished(archive))
        self._process = await self._run(*flags, main=(_SERVE, str(self._layout.properties)))
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
                if not tries_left or (not is_free(self.port) and not self._take_another_port()):
                    raise
            except BaseException:
                await self.kill()
                raise
        # Whoever uses it by now is to find it there again.
        self.is_port_asked_for = True
        took_s = monotonic() - self._launched_at
        self._say(f"Kafka is ready at {self.address}, in {took_s:.1f} s")

    def _take_another_port(self) -> bool:
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
        self._ended(self._process.pid)
        return status

    async def stop(self) -> None:
        """End Kafka in good order: SIGTERM, and SIGKILL if that takes longer than 20 s."""
        if self._process is not None and self._process.returncode is None:
            archive = self._archive()
            if not archive.is_file():
                self._say("caching Kafka's classes, once, so that it starts faster ...")
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_WITHIN_S):
                    await self._process.wait()
                self._keep_archive(archive)
            except TimeoutError:
                self._say(f"Kafka has not ended within {_STOP_WITHIN_S:.0f} s and is killed")
        await self.kill()

    async def kill(self) -> None:
        """End Kafka at once; it recovers its logs at the next start."""
        if self._process is not None:
            if self._process.returncode is None:
                self.kill_now()
                await self._process.wait()
            self._ended(self._process.pid)
        self._unlock()

    def kill_now(self) -> None:
        """Send SIGKILL to the JVM, and do not wait for its end."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def last_lines(self, count: int = 5) -> list[str]:
        """Return the last lines that Kafka logged or wrote since its last start."""
        lines: deque[str] = deque(maxlen=count)
        for path, begin in ((self._layout.log, self._logged_bytes), (self._layout.output, 0)):
            with suppress(OSError), path.open(errors="replace") as file:
                # A log that is shorter than it was has been put aside for a new one.
                file.seek(begin if path.stat().st_size >= begin else 0)
                lines.extend(line.rstrip() for line in file if line.strip())
        return list(lines)

    def _configure(self) -> None:
        layout = self._layout
        membership = self._membership or Membership(1, {1: self._controller_port()})
        text = server_properties(layout.data, self.port, membership, self.further)
        layout.properties.write_text(text)
        layout.log4j.write_text(log4j_properties(layout.log))

    def _controller_port(self) -> int:
        taken = {listener.at.port for listener in self.further}
        return free_port(*({self.port + 1} - taken))

    async def _format(self) -> None:
        """Give the data folder its cluster id; a half-done one is made anew."""
        given = self._membership.cluster_id if self._membership else None
        cluster_id = given or new_cluster_id()
        shutil.rmtree(self._layout.data, ignore_errors=True)
        archive = self._archive()
        flags = archive_flags(archive, archive) if archive.is_file() else ()
        arguments = (
            "format",
            f"--cluster-id={cluster_id}",
            "-c",
            str(self._layout.properties),
        )
        process = await self._run(*flags, main=(_FORMAT, *arguments))
        self._guard.add(process.pid)
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._guard.remove(process.pid)
        if status != 0:
            shutil.rmtree(self._layout.data, ignore_errors=True)
            raise BrokerError(self._failure(f"could not format its data (status {status})"))

    async def _run(self, *flags: str, main: tuple[str, ...]) -> asyncio.subprocess.Process:
        """Start a class of Kafka's in a session of its own, so that Ctrl-C does not hit it."""
        if self._java is None or self._lock is None:
            raise BrokerError("Kafka was not prepared")
        command = [*java_command(self._java, self._jars, self._layout, *flags), *main]
        try:
            with self._layout.output.open("wb") as output:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[self._lock.fileno],
                )
        except OSError as error:
            self._unlock()
            raise BrokerError(f"{command[0]} cannot be started: {error}") from error

    async def _ready(self) -> None:
        if self._process is None:
            raise BrokerError("Kafka was not started")
        said_at = self._launched_at
        cluster_id = self._cluster_id()
        while not await answers_as(self.port, cluster_id):
            if self._process.returncode is not None:
                if any(_TAKEN in line for line in self.last_lines(_STACK_TRACE)):
                    raise _PortTakenError(self._failure("found one of its ports in use"))
                raise BrokerError(self._failure(f"ended with status {self._process.returncode}"))
            waited_s = monotonic() - self._launched_at
            if waited_s > _READY_WITHIN_S:
                raise BrokerError(self._failure(f"does not serve after {waited_s:.0f} s"))
            if monotonic() - said_at > _SECONDS_BETWEEN_LINES:
                said_at = monotonic()
                self._say(f"waiting for Kafka ({waited_s:.0f} s) ...")
            await asyncio.sleep(_PROBE_S)

    def _cluster_id(self) -> str:
        """Return what tells our Kafka from another that was quicker to take the port."""
        lines = (self._layout.data / "meta.properties").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))

    def _failure(self, what: str) -> str:
        lines = self.last_lines(3)
        said = f"; it said: {' | '.join(lines)}" if lines else ""
        return f"Kafka {what}{said} (see {self._layout.log} and {self._layout.output.name})"

    def _archive(self) -> Path:
        if self._java is None:
            raise BrokerError("Kafka was not prepared")
        return self._layout.archive(self._java, self._jars)

    @staticmethod
    def _unfinished(archive: Path) -> Path:
        """Return where this process has its JVM write the archive; remove what dead ones left."""
        for left in archive.parent.glob("*.jsa.*"):
            if left.suffix[1:].isdigit() and not psutil.pid_exists(int(left.suffix[1:])):
                left.unlink(missing_ok=True)
        return archive.with_name(f"{archive.name}.{os.getpid()}")

    def _keep_archive(self, archive: Path) -> None:
        """Take the archive that the JVM has written at its end; without one it starts slower."""
        with suppress(FileNotFoundError):
            self._unfinished(archive).replace(archive)

    def _ended(self, pid: int) -> None:
        self._guard.remove(pid)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None


def new_cluster_id() -> str:
    """Return what tells a Kafka cluster from others: a random UUID, as Kafka writes it."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _port_in_use(port: int, is_kafka: bool) -> str:
    other = f"use the Kafka that is there with --broker kafka://{HOST}:{port}, or " * is_kafka
    return f"port {port} of {HOST} is in use: {other}choose another one with --port"
