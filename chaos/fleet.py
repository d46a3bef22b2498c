"""All parts of an installation: how each is started, which there are, and whether they are well."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from chaos.files import CrontabFiles
from chaos.service import Life, Service
from chaos.truth import PROCESS
from cronstream.broker.ports import HOST
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.errors import CronstreamError
from cronstream.supervisor.child import Guard, ProcessChild
from cronstream.supervisor.command import Command, Installation, worker_command

_READY_WITHIN_S = 90.0
_LOOK_AGAIN_S = 0.25
_ANSWER_WITHIN_S = 3.0
#: Beyond the drain time; then it is killed.
_STOP_MARGIN_S = 15.0


class Fleet:
    """The parts that there are, and those that there were.

    Attributes:
        parts: By name.
        files: The crontabs of its schedulers.
    """

    def __init__(
        self,
        installation: Installation,
        files: CrontabFiles,
        variables: Callable[[Role], dict[str, str]],
        logs: Path,
        guard: Guard,
    ) -> None:
        self._installation, self._variables = installation, variables
        self._logs, self._guard = logs, guard
        self.files = files
        self.parts: dict[str, Service] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, role: Role) -> Service:
        """Start one more part of a role."""
        number = 1 + sum(part.role == role for part in self.parts.values())
        name = f"{str(role).replace(' ', '-')}-{number}"
        part = Service(role, name, self._launch, (self._logs / f"{name}.log").open("a"))
        self.parts[name] = part
        self._tasks[name] = asyncio.create_task(part.keep(), name=name)
        return part

    async def _launch(
        self, part: Service, process: str, say: Callable[[str], None]
    ) -> ProcessChild:
        is_scheduler = part.role.cluster is None
        own = replace(
            self._installation,
            data_dir=self._installation.data_dir / part.name,
            crontab=self.files.of(part.name) if is_scheduler else self.files.common,
        )
        command = worker_command(own, part.role, part.web_port)
        own_variables = self._variables(part.role)
        variables = {
            **command.variables,
            **own_variables,
            PROCESS: process,
            "CRONSTREAM_LOG_FORMAT": "json",  # What it says is read by its part.
        }
        patience_s = float(own_variables["CRONSTREAM_DRAIN_S"]) + _STOP_MARGIN_S
        return await ProcessChild.start(
            Command(command.argv, variables), say, self._guard, patience_s
        )

    def of(self, kind: RoleKind, cluster: str | None = None) -> list[Service]:
        """Return the parts of a role that run and do not stand still."""
        return [
            part
            for part in self.parts.values()
            if part.role == Role(kind, cluster) and part.pid is not None and not part.is_paused
        ]

    def part_of_worker(self, worker: str) -> Service | None:
        """Return the part whose present life has this name in the ledger."""
        for part in self.parts.values():
            if part.pid is not None and part.lives[-1].worker == worker:
                return part
        return None

    def lives(self) -> list[Life]:
        """Return every life of every part."""
        return [life for part in self.parts.values() for life in part.lives]

    async def until_well(self, within_s: float = _READY_WITHIN_S) -> list[str]:
        """Wait until every part says that it is healthy; return what is wrong with the others."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while await self._complaints():  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(_LOOK_AGAIN_S)
        return await self._complaints()

    async def _complaints(self) -> list[str]:
        there = [part for part in self.parts.values() if not part.is_leaving]
        answers = await asyncio.gather(*(health(part.web_port) for part in there))
        return [
            f"{part.name}: {answer}"
            for part, (is_well, answer) in zip(there, answers, strict=True)
            if not is_well
        ]

    async def stop(self) -> None:
        """End all at once: what they hold is of no more use to anybody."""
        for part in self.parts.values():
            part.leave()
            part.kill_tree()
        if left := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(left, timeout=_STOP_MARGIN_S)

    def check(self) -> None:
        """See that every part is still kept alive.

        Raises:
            CronstreamError: If a part cannot be started at all.
        """
        for name, task in self._tasks.items():
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise CronstreamError(f"{name} cannot be started") from task.exception()


async def health(port: int) -> tuple[bool, str]:
    """Return whether a process is well, and what its ``/health`` answers, or why it does not."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return False, f"no answer ({type(error).__name__})"
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split()[1:2] == [b"200"], body.decode(errors="replace")[:300]
