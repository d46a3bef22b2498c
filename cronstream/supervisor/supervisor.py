"""Start all parts, keep them alive, follow the crontab's clusters, and stop all in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from cronstream.core.wire.naming import Role
from cronstream.errors import CronstreamError
from cronstream.supervisor.child import Child, Guard, ProcessChild
from cronstream.supervisor.command import Command
from cronstream.supervisor.keeper import Keeper, PartError, unless
from cronstream.supervisor.plan import Backoff, difference
from cronstream.supervisor.screen import stamped

_STILL_WAITING_S = 5.0
_US = "cronstream"
KILLED = 130


class Broker(Child, Protocol):
    """The embedded Kafka, as the supervisor sees it."""

    async def prepare(self) -> None:
        """Do what comes before its start, which may take long."""

    async def start(self) -> None:
        """Start it and wait until it serves."""


class Supervisor:
    """The parts of one installation.

    Args:
        command: Says what a role is started with.
        say: Is given each line, with the name of the part that says it; ours begin with the time.
        guard: Ends the parts if this process dies.
        stop_within_s: How long a part may take to stop: its drain time and a margin.
        stopping: Once it is set, by whomever, everything is stopped in good order.
    """

    def __init__(
        self,
        command: Callable[[Role], Command],
        say: Callable[[str, str], None],
        guard: Guard,
        *,
        stop_within_s: float,
        stopping: asyncio.Event,
    ) -> None:
        self._command = command
        self._say = say
        self._guard = guard
        self._stop_within_s = stop_within_s
        #: How long is waited before a part is started again; to be set before it runs.
        self.backoff = Backoff()
        #: What is kept alive beside the roles, by name, whatever the crontab says; the same.
        self.aside: Mapping[str, Callable[[], Command]] = {}
        self._stopping = stopping
        #: The parts that there are to be.
        self._keepers: dict[Role, Keeper] = {}
        #: All that have not ended, those too that were asked to.
        self._running: dict[Keeper, asyncio.Task[None]] = {}
        self._broker: Keeper | None = None
        self._broker_serves = asyncio.Event()
        self._status = 0

    def stop(self) -> None:
        """Have everything stopped in good order."""
        self._stopping.set()

    def kill(self) -> None:
        """Have everything killed at once."""
        self._status = KILLED
        self._stopping.set()
        self._announce(_US, "killing all parts")
        for keeper in self._running:
            keeper.kill_now()

    async def run(
        self,
        roles: Iterable[Role],
        changes: AsyncIterator[tuple[Role, ...]],
        broker: Broker | None = None,
    ) -> int:
        """Run `roles`, then those that each of `changes` names, until `stop`.

        Args:
            roles: What to start with.
            changes: All roles there are to be, each time that they change.
            broker: The Kafka to start with them; None if there is one elsewhere.

        Returns:
            The exit status: 0, 1 if a part could never be started, 130 after `kill`.
        """
        try:
            if broker is not None:
                # Downloads may take long; nothing else is of use before.
                await unless(self._stopping, broker.prepare())
            if not self._stopping.is_set():
                await self._run_all(roles, changes, broker)
        except CronstreamError as error:
            self._fail(str(error))
        finally:
            if broker is not None:
                await broker.kill()
        return self._status

    def _announce(self, label: str, text: str) -> None:
        """Say a line of our own."""
        self._say(label, stamped(text))

    async def _run_all(
        self,
        roles: Iterable[Role],
        changes: AsyncIterator[tuple[Role, ...]],
        broker: Broker | None,
    ) -> None:
        async with asyncio.TaskGroup() as last_to_end:
            if broker is not None:
                self._broker = self._broker_keeper(broker)
                self._begin(self._broker, last_to_end)
            try:
                async with asyncio.TaskGroup() as tasks:
                    await self._run_parts(roles, changes, tasks)
            finally:
                if self._broker is not None:
                    self._broker.stop()

    async def _run_parts(
        self,
        roles: Iterable[Role],
        changes: AsyncIterator[tuple[Role, ...]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        if self._broker is not None:
            # It may have to take another port than it was to have.
            await unless(self._stopping, self._broker_serves.wait())
        if not self._stopping.is_set():
            self._adapt(roles, tasks, is_first=True)
            for label, command in self.aside.items():
                self._begin(self._part_keeper(label, command, is_vital=False), tasks)
        following = tasks.create_task(self._follow(changes, tasks))
        await self._stopping.wait()
        following.cancel()
        await self._stop_parts()

    async def _follow(
        self, changes: AsyncIterator[tuple[Role, ...]], tasks: asyncio.TaskGroup
    ) -> None:
        async for roles in changes:
            if not self._stopping.is_set():
                self._adapt(roles, tasks)

    def _adapt(
        self, roles: Iterable[Role], tasks: asyncio.TaskGroup, *, is_first: bool = False
    ) -> None:
        """Start and stop what makes the running parts `roles`."""
        change = difference(self._keepers, roles)
        for role in change.stop:
            self._announce(_US, f"stopping {role}: its cluster is no longer in the crontab")
            self._keepers.pop(role).stop()
        for role in change.start:
            keeper = self._part_keeper(str(role), partial(self._command, role), is_vital=is_first)
            self._keepers[role] = keeper
            self._begin(keeper, tasks)

    def _begin(self, keeper: Keeper, tasks: asyncio.TaskGroup) -> None:
        self._running[keeper] = tasks.create_task(self._keep(keeper))

    async def _keep(self, keeper: Keeper) -> None:
        try:
            await keeper.run()
        except PartError as error:
            self._fail(str(error))
        finally:
            del self._running[keeper]

    def _fail(self, why: str) -> None:
        """Stop everything because of what starting a part again cannot help."""
        self._announce(_US, why)
        self._announce(_US, "stopping everything")
        self._status = self._status or 1
        self._stopping.set()

    async def _stop_parts(self) -> None:
        """Ask all parts at once to stop, and say what is waited for until they have."""
        for keeper in self._running:
            if keeper is not self._broker:
                keeper.stop()
        waited_s = 0.0
        while left := {k: task for k, task in self._running.items() if k is not self._broker}:
            self._announce(
                _US,
                f"stopping: waiting for {', '.join(keeper.label for keeper in left)} "
                f"({waited_s:.0f} of at most {self._stop_within_s:.0f} s); Ctrl-C again kills all",
            )
            await asyncio.wait(left.values(), timeout=_STILL_WAITING_S)
            waited_s += _STILL_WAITING_S

    def _part_keeper(self, label: str, command: Callable[[], Command], *, is_vital: bool) -> Keeper:
        former = next((k.ended for k in self._running if k.label == label), None)

        async def launch() -> Child:
            if former is not None:
                # A cluster that comes back while its worker still drains: same folder, same port.
                await former.wait()
            say = partial(self._say, label)
            return await ProcessChild.start(command(), say, self._guard, self._stop_within_s)

        return Keeper(
            label, launch, partial(self._announce, label), self.backoff, is_vital=is_vital
        )

    def _broker_keeper(self, broker: Broker) -> Keeper:
        async def launch() -> Child:
            await broker.start()
            self._broker_serves.set()
            return broker

        return Keeper("kafka", launch, partial(self._announce, "kafka"), self.backoff)
