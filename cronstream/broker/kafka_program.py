"""Kafka as a program: how it is started, what it wrote, and the archive of its classes."""

import asyncio
import os
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cronstream.broker.java import Java
from cronstream.broker.layout import Layout, archive_flags, java_command
from cronstream.errors import BrokerError

#: So many lines show people why it failed.
_LINES = 3


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """The Kafka of one folder, with the Java and the jars that it is started with."""

    java: Java
    jars: Sequence[Path]
    layout: Layout

    @property
    def archive(self) -> Path:
        """The archive of classes that makes it start faster; it need not be there."""
        return self.layout.archive(self.java, self.jars)

    async def format(self, lock: int, *arguments: str) -> asyncio.subprocess.Process:
        """Start Kafka's tool that formats its data; see `start`."""
        archive = self.archive
        flags = archive_flags(archive, archive) if archive.is_file() else ()
        return await self.start(lock, flags, "kafka.tools.StorageTool", "format", *arguments)

    async def serve(self, lock: int, further: Sequence[str]) -> asyncio.subprocess.Process:
        """Start the broker; see `start`. It writes the archive as it ends, if there is none.

        With further flags it writes none: an agent's classes would not fit those who have none.
        """
        archive = self.archive
        is_to_use = archive.is_file() or not further
        own = archive_flags(archive, _unfinished(archive)) if is_to_use else ()
        flags = (*own, *further)
        return await self.start(lock, flags, "kafka.Kafka", str(self.layout.properties))

    async def start(
        self, lock: int, flags: Sequence[str], *main: str
    ) -> asyncio.subprocess.Process:
        """Start a class of Kafka's in a session of its own, so that Ctrl-C does not hit it.

        Args:
            lock: The descriptor of the folder's lock, which it holds as long as it lives.
            flags: For Java.
            main: The class, and its arguments.

        Raises:
            BrokerError: If there is no starting it.
        """
        command = [*java_command(self.java, self.jars, self.layout, *flags), *main]
        try:
            with self.layout.output.open("wb") as output:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[lock],
                )
        except OSError as error:
            raise BrokerError(f"{command[0]} cannot be started: {error}") from error

    def keep_archive(self) -> None:
        """Take the archive that the JVM has written at its end; without one it starts slower."""
        with suppress(FileNotFoundError):
            _unfinished(self.archive).replace(self.archive)


@dataclass(frozen=True, slots=True)
class KafkasWords:
    """What Kafka has logged and written since a moment.

    Attributes:
        begin: How long its log was then, in bytes.
    """

    layout: Layout
    begin: int = 0

    @classmethod
    def from_now(cls, layout: Layout) -> "KafkasWords":
        """Return what it is going to log and write."""
        return cls(layout, layout.log.stat().st_size if layout.log.exists() else 0)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of it."""
        lines: deque[str] = deque(maxlen=count)
        for path, begin in ((self.layout.log, self.begin), (self.layout.output, 0)):
            with suppress(OSError), path.open(errors="replace") as file:
                # A log that is shorter than it was has been put aside for a new one.
                file.seek(begin if path.stat().st_size >= begin else 0)
                lines.extend(line.rstrip() for line in file if line.strip())
        return list(lines)

    def failure(self, what: str) -> str:
        """Return the sentence for a failure, with what Kafka said, and where there is more."""
        lines = self.last_lines(_LINES)
        said = f"; it said: {' | '.join(lines)}" if lines else ""
        return f"Kafka {what}{said} (see {self.layout.log} and {self.layout.output.name})"


def _unfinished(archive: Path) -> Path:
    """Return where this process has its JVM write the archive; remove what dead ones left."""
    for left in archive.parent.glob("*.jsa.*"):
        if left.suffix[1:].isdigit() and not psutil.pid_exists(int(left.suffix[1:])):
            left.unlink(missing_ok=True)
    return archive.with_name(f"{archive.name}.{os.getpid()}")
