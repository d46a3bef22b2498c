"""Inflicts the faults of a plan, each at its instant, on a real installation."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import psutil

from chaos.fleet import Fleet
from chaos.incident import Incident
from chaos.ledgers import Ledgers, Sighting
from chaos.plan import Card, Fault, FaultKind, Instant, Reach, Target
from chaos.poison import Poisoner
from chaos.service import Service, limit_files
from chaos.workload import HERD_EVERY_S
from cronstream import clock
from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.core.wire.entries import Claimed, Finished, Started
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.core.wire.runs import Run

#: If the ledger does not say by then what is waited for, the fault strikes all the same.
_INSTANT_WITHIN_S = 8.0
#: A herd's first starts are under way then.
_INTO_HERD_S = 0.1
#: A broker whose disk is full ends itself with the next write; it is killed if it has not by then.
_ENDS_ITSELF_WITHIN_S = 8.0
_LOOK_AGAIN_S = 0.1
_ROLES = {
    Target.SCHEDULER: RoleKind.SCHEDULER,
    Target.WORKER: RoleKind.WORKER,
    Target.RETRY_WORKER: RoleKind.RETRY_WORKER,
}
_ENTRIES = {
    Instant.PUBLISHED: Run,
    Instant.CLAIMED: Claimed,
    Instant.STARTED: Started,
    Instant.FINISHED: Finished,
}


class Striker:
    """Strikes as the plan says, and notes each incident.

    Attributes:
        incidents: What has been done so far.
    """

    def __init__(
        self,
        fleet: Fleet,
        kafka: EmbeddedCluster,
        ledgers: Ledgers,
        poisoner: Poisoner,
        dice: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self._fleet, self._kafka, self._ledgers = fleet, kafka, ledgers
        self._poisoner = poisoner
        self._dice, self._say = dice, say
        self.incidents: list[Incident] = []
        #: Of three brokers any one may be lost; two are not promised.
        self._broker_is_away = asyncio.Lock()

    async def strike_all(self, plan: tuple[Fault, ...]) -> None:
        """Inflict each fault at its time; those that last go on beside the next ones."""
        began = clock.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for fault in plan:
                await asyncio.sleep(max(0.0, began + fault.at_s - clock.monotonic()))
                self._fleet.check()
                tasks.create_task(self._strike(fault))

    async def _strike(self, fault: Fault) -> None:
        card = fault.card
        if card.target in (Target.BROKER, Target.CONTROLLER):
            _, is_met = await self._await_instant(fault, lambda _: True)
            async with self._broker_is_away:
                await self._strike_broker(fault, is_met=is_met)
        elif card.kind is FaultKind.SCALE:
            await self._scale(fault)
        elif card.target is Target.TOPICS:
            await self._poison(fault)
        else:
            part, is_met = await self._find(fault)
            if part is None:
                self._say(f"{fault.number}: {card.label}: nobody is there to be struck")
            else:
                await self._strike_part(fault, part, is_met=is_met)

    # -- whom, and when -----------------------------------------------------------------------

    async def _find(self, fault: Fault) -> tuple[Service | None, bool]:
        """Wait for the instant, and return the part that it concerns."""
        wants_retry = fault.card.target is Target.RETRY_WORKER

        def concerns(sighting: Sighting) -> bool:
            if sighting.cluster != fault.cluster or sighting.is_retry != wants_retry:
                return False
            return isinstance(sighting.entry, Run) or self._of(sighting) is not None

        sighting, is_met = await self._await_instant(fault, concerns)
        part = self._of(sighting)
        if part is not None:
            return part, True
        kind = _ROLES[fault.card.target]
        of_cluster = None if kind is RoleKind.SCHEDULER else fault.cluster
        there = sorted(self._fleet.of(kind, of_cluster), key=lambda part: part.name)
        # The scheduler that fires is the one worth striking.
        there = [part for part in there if part.fires] or there
        return (self._dice.choice(there) if there else None), is_met

    async def _await_instant(
        self, fault: Fault, concerns: Callable[[Sighting], bool]
    ) -> tuple[Sighting | None, bool]:
        """Return the entry that was waited for, if there is one, and whether the instant came."""
        instant = fault.card.instant
        if instant is Instant.HERD:
            now = clock.now().timestamp()
            await asyncio.sleep(HERD_EVERY_S - now % HERD_EVERY_S + _INTO_HERD_S)
        kind = _ENTRIES.get(instant)
        if kind is None:
            return None, True

        def wanted(sighting: Sighting) -> bool:
            is_it = isinstance(sighting.entry, kind) and concerns(sighting)
            return is_it and not _needs_no_decision(sighting)

        sighting = await self._ledgers.see(wanted, _INSTANT_WITHIN_S)
        return sighting, sighting is not None

    def _of(self, sighting: Sighting | None) -> Service | None:
        """Return the part whose worker has put this entry on the log."""
        worker = getattr(sighting and sighting.entry, "worker", None)
        part = None if worker is None else self._fleet.part_of_worker(worker)
        return None if part is None or part.is_paused else part

    # -- what is done -------------------------------------------------------------------------

    async def _strike_part(self, fault: Fault, part: Service, *, is_met: bool) -> None:
        card, process, began_at = fault.card, part.process, clock.now()
        self._say(f"{fault.number}: {card.label} ({card.instant}, {card.reach}): {process}")
        part.away_s = card.lasts_s
        if card.kind is FaultKind.PAUSE:
            part.pause(tree=card.reach is Reach.TREE)
            await asyncio.sleep(card.lasts_s)
            part.resume()
        elif card.kind is FaultKind.TERM:
            part.terminate()
            await part.ended(process)
            await asyncio.sleep(card.lasts_s)
        elif card.kind is FaultKind.DISK:
            part.fill_disk()
            await asyncio.sleep(card.lasts_s)
            part.free_disk()
        elif card.kind is FaultKind.EDIT:
            self._say(f"{fault.number}: {self._fleet.files.edit(part.name)}")
        else:
            await _kill(part, card)
            await asyncio.sleep(card.lasts_s)
        self._note(fault, process, began_at, is_met=is_met)

    async def _scale(self, fault: Fault) -> None:
        began_at = clock.now()
        part = self._fleet.add(Role(RoleKind.WORKER, fault.cluster))
        self._say(f"{fault.number}: {fault.card.label}: {part.name} comes")
        await asyncio.sleep(fault.card.lasts_s)
        self._say(f"{fault.number}: {fault.card.label}: {part.name} goes")
        process = part.process
        part.leave()
        await part.ended(process)
        self._note(fault, process, began_at, is_met=True)

    async def _poison(self, fault: Fault) -> None:
        _, is_met = await self._await_instant(fault, lambda _: True)
        began_at = clock.now()
        self._say(f"{fault.number}: {fault.card.label} ({fault.card.instant}): {fault.cluster}")
        await self._poisoner.pour(fault.cluster)
        self._note(fault, "", began_at, is_met=is_met)

    async def _strike_broker(self, fault: Fault, *, is_met: bool) -> None:
        node = await self._node(fault.card)
        broker, began_at = self._kafka.brokers[node], clock.now()
        self._say(f"{fault.number}: {fault.card.label}: broker {node}")
        if broker.pid is None:
            return
        if fault.card.kind is FaultKind.HANG:
            await _hang(broker.pid, fault.card.lasts_s)
        else:
            await self._take_away(broker, fault.card)
        await self._kafka.until_in_sync()
        self._note(fault, "", began_at, is_met=is_met)

    async def _take_away(self, broker: EmbeddedBroker, card: Card) -> None:
        if card.kind is FaultKind.DISK:
            await _fill_disk_of(broker)
        elif card.reach is Reach.TREE:
            await broker.kill()
        else:
            await broker.stop()
        await asyncio.sleep(card.lasts_s)
        await broker.start()

    async def _node(self, card: Card) -> int:
        nodes = sorted(self._kafka.brokers)
        controller = await self._kafka.controller()
        if controller is None or len(nodes) == 1:
            return self._dice.choice(nodes)
        if card.target is Target.CONTROLLER:
            return controller
        return self._dice.choice([node for node in nodes if node != controller])

    def _note(self, fault: Fault, process: str, began_at: datetime, *, is_met: bool) -> None:
        self.incidents.append(Incident(fault, process, began_at, clock.now(), is_met))


async def _hang(pid: int, lasts_s: float) -> None:
    """Have a broker answer nothing for a time, while its machine keeps its connections up."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        await asyncio.sleep(lasts_s)
    finally:
        process.resume()


async def _fill_disk_of(broker: EmbeddedBroker) -> None:
    """Let a broker write no more: it is to end itself then, and is killed if it does not."""
    if broker.pid is not None:
        with suppress(psutil.NoSuchProcess):
            limit_files(broker.pid, 0)
    end = clock.monotonic() + _ENDS_ITSELF_WITHIN_S
    while broker.pid is not None and clock.monotonic() < end:  # noqa: ASYNC110 - it ends itself
        await asyncio.sleep(_LOOK_AGAIN_S)
    await broker.kill()


async def _kill(part: Service, card: Card) -> None:
    match card.reach:
        case Reach.PROCESS:
            part.kill()
        case Reach.TREE:
            part.kill_tree()
        case Reach.EXECUTOR:
            part.kill_executor()
        case Reach.ORDERS:
            await part.kill_amid_orders()


def _needs_no_decision(sighting: Sighting) -> bool:
    """Whether nothing is published after this finish: a success settles a run at once."""
    entry = sighting.entry
    return (
        isinstance(entry, Finished) and entry.outcome is Outcome.SUCCEEDED and not sighting.is_retry
    )
