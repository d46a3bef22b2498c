"""The shell of a worker: it sends, and talks to the executor; the core decides.

How it reads its log is in `cronstream.worker.folding`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from cronstream import clock
from cronstream.core.protocol.actions import Action, Append, Publish
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Owned
from cronstream.core.wire.naming import Role
from cronstream.executor import protocol
from cronstream.executor.child import Options
from cronstream.executor.orphans import Reaper
from cronstream.executor.pool import ExecutorPool
from cronstream.logs import fields
from cronstream.notices.outpost import Outpost
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.trust.keyring import Keyring
from cronstream.worker.borrowing import Borrowing
from cronstream.worker.commands import to_command
from cronstream.worker.distrust import DistrustWatch
from cronstream.worker.draining import let_commands_end
from cronstream.worker.folding import Folding
from cronstream.worker.late_watch import LateWatch
from cronstream.worker.loading import Loading
from cronstream.worker.mishaps import end_in_view, failed
from cronstream.worker.outputs import Outputs
from cronstream.worker.overdue_watch import OverdueWatch
from cronstream.worker.publishing import Publishing
from cronstream.worker.reports import Reports
from cronstream.worker.snapshots import Snapshots
from cronstream.worker.verdict_watch import VerdictWatch
from cronstream.worker.withheld import log_withheld

logger = logging.getLogger(__name__)

#: How long a turn waits for something to happen; and while nobody has a run that is not over.
_TURN_S, _IDLE_TURN_S = 0.1, 0.5
#: How long a stopping worker waits for the broker to take what it gives back.
_FLUSH_S = 3.0


class Worker:
    """One process of a cluster's worker or retry worker."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        member: Member,
        table: Any,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._settings, self._role, self.member = settings, role, member
        self._log = settings.names.log_of(role)
        self.snapshots = Snapshots(table, member.ledgers)
        self.publisher = Publisher(settings)
        self._on_fatal = on_fatal
        self.executor: ExecutorPool | None = None
        self._woken = asyncio.Event()
        self._decisions = Publishing(self.publisher, member, self._log, self._woken.set)
        aside = Quarantine(self.publisher)
        self.folding = Folding(settings, role, member, aside, on_fatal)
        self.folding.on_read = self._woken.set
        self._tasks: set[asyncio.Task[Any]] = set()
        #: Its loops, which go on until it stops; when it last turned, in monotonic seconds.
        self.loops: list[asyncio.Task[Any]] = []
        self.turned_at, self._is_failing = clock.monotonic(), False
        self.outputs = Outputs(settings, role, member)
        self.late_watch = LateWatch(member, settings.slots)
        self.overdue_watch = OverdueWatch(member)
        self.outpost = Outpost()
        self.folding.on_change = VerdictWatch(self.outpost).see
        self.reports = Reports(member, self.folding, self.outpost, self.outputs)
        self.distrust = DistrustWatch(member, Keyring(settings), role.cluster or "")
        self.loading = Loading(self.snapshots, self.folding.tenure, on_fatal, retry=role.retry)
        #: Whether another worker of this role is there, and stays.
        self.has_successor = False
        self.borrowing = Borrowing(member, self.loading, table)
        self.borrowing.on_read = self.folding.assigning.set

    # -- life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect, start the executor, and begin to turn.

        Raises:
            BrokerError: If no broker answers.
        """
        await asyncio.gather(self.publisher.start(), self.folding.start())
        self.executor = await ExecutorPool.launch(
            number=self._settings.executor_processes,
            slots=self._settings.slots,
            options=Options(
                self._settings.output_bytes, self._settings.pass_env, self._settings.log_output
            ),
            on_reports=self._reported,
            on_death=self._executor_died,
        )
        self.outputs.show = self.executor.send
        log_withheld(self._settings)
        me = self.member.me
        logger.info("this worker is %s in the ledger", me, extra=fields("worker-named", worker=me))
        loops = self._turn_for_ever(), self.folding.follow_for_ever()
        self.loops = [asyncio.create_task(loop) for loop in loops]
        self._tasks.update(self.loops)
        self._spawn(self.outputs.attend_for_ever())
        self._spawn(Reaper(lambda: self.executor.children if self.executor else ()).reap_for_ever())

    async def drain(self) -> None:
        """Before the worker leaves its group: claim nothing more, release what others will start.

        What is due before another can claim it is started here, if there is another.
        """
        self.member.drain(hands_over=self.has_successor and self._settings.drain_s > 0)
        self._turn()
        await asyncio.sleep(_TURN_S)
        await self.publisher.flush(_FLUSH_S)
        self.revoked()  # From now on no stream brings anything: what it holds is followed.

    def stay_alone(self) -> None:
        """Nobody is there to hand over to, or nobody any more: see `drain`."""
        self.has_successor = False
        if self.member.draining:
            self.member.drain()
            self._woken.set()

    async def finish(self) -> None:
        """After it has left: let running commands end, then end them; and disconnect."""
        self.member.assigned([], self.loading.load)
        self.folding.assigning.set()
        await let_commands_end(self.member, self._turn, self._settings.drain_s)
        self.folding.tenure.speak(clock.monotonic(), within_s=0.0)
        self._turn()
        await self.publisher.flush(_FLUSH_S)
        await self.folding.read_to_end(self.member.reading_on)
        await self.close()

    async def close(self) -> None:
        """Let go of everything at once: the executor ends what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.executor is not None:
            await self.executor.close()
        await asyncio.gather(self.folding.stop(), self.publisher.stop(), self.outpost.close())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- membership -----------------------------------------------------------------------

    def revoked(self) -> None:
        """A rebalance begins."""
        self.member.revoked()
        self.folding.assigning.set()

    def assigned(self, partitions: set[int]) -> None:
        """A rebalance is over, and Faust has recovered the tables."""
        self.member.assigned(partitions, self.loading.load)
        self.folding.tenure.assigned()
        self.folding.assigning.set()
        self.snapshots.forget()
        text, about = "owns %d of %d partitions", fields("assigned")
        logger.info(text, len(partitions), self._settings.partitions, extra=about)
        self._woken.set()

    def read_up_to(self, partition: int, end: int) -> None:
        """Read what is below `end` and has not come by the stream."""
        self._spawn(self.folding.make_up(partition, end))

    def wake(self) -> None:
        """Turn soon: there is news."""
        self._woken.set()

    # -- turning --------------------------------------------------------------------------

    async def _turn_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._woken.wait()
            self._woken.clear()
            self._turn()

    def _pause_s(self) -> float:
        """Return how long nothing can be due of which nobody has said anything."""
        member = self.member
        is_busy = member.holding or member.claiming or member.actions or member.draining
        if is_busy or any(ledger.book.live for ledger in member.ledgers.values()):
            return 0.0 if member.has_more else _TURN_S
        return clock.until_step(_IDLE_TURN_S)

    def _turn(self) -> None:
        mono = clock.monotonic()
        if self.executor is not None and not (self.executor.is_alive or self.member.draining):
            self.member.drain()  # Nothing can be started here any more.
        self._wake(mono)
        for partition in self.borrowing.look():
            self._spawn(self.borrowing.read(partition))
        self.folding.tenure.speak(mono)
        actions, self.member.actions = self.member.actions, []
        orders = [order for action in actions if (order := self._try(action))]
        if orders and self.executor is not None:
            self.executor.send(*orders)
        if not self.member.rebalancing:
            owners = self.member.owners.items()
            self.snapshots.write_due({p: o.ledger for p, o in owners if o.ready}, mono)
        self.late_watch.look(mono)
        self.overdue_watch.look(mono)
        self.distrust.look(mono)

    def _wake(self, mono: float) -> None:
        """Decide; if that fails, what was decided is done all the same, and the next turn tries.

        A worker in which it fails for long has not turned, and its health ends it.
        """
        try:
            self.member.wake(clock.now(), mono)
        except Exception:
            if not self._is_failing:
                text = "what is due cannot be decided; trying again"
                logger.exception(text, extra=fields("not-decided"))
            self._is_failing = True
        else:
            self.turned_at, self._is_failing = mono, False

    def _try(self, action: Action) -> protocol.Order | None:
        """Do it; what goes wrong with one run ends that run, and not the turn."""
        try:
            return self._do(action)
        except Exception as error:
            text, extra = failed(action)
            logger.exception(text, extra=extra)
            end_in_view(self.member, action, error, clock.now())
            return None

    def _do(self, action: Action) -> protocol.Order | None:
        """Do it, or return what the executor is to be sent."""
        match action:
            case Append(partition=partition, entry=Owned() as entry):
                sent = self.publisher.append(self._log, partition, entry)
                self._spawn(self.folding.see_that_it_is_read(sent, partition, entry.number))
            case Append(partition=partition, entry=entry):
                self.publisher.put(self._log, partition, entry)
            case Publish():
                self._spawn(self._decisions.publish(action))
            case _:
                return to_command(action, self.folding.spans.tracer)
        return None

    # -- the executor ---------------------------------------------------------------------

    def _reported(self, reports: list[protocol.Report]) -> None:
        self.reports.heed(reports)
        self._woken.set()

    def _executor_died(self, reason: str, keys: list[str]) -> None:
        """Have what it had made again; a worker that has no executor left ends."""
        self.outputs.forget(keys)
        self.member.executor_died(keys, clock.now(), clock.monotonic())
        self._woken.set()
        if self.executor is None or self.executor.is_alive:
            text = "%s; attempts that it had, and that are made again: %d"
            logger.error(text, reason, len(keys), extra=fields("executor-died"))
        elif self.executor is not None:
            self._on_fatal(reason)
