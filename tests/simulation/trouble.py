"""What goes wrong, drawn from the seed before time begins."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Forwarded,
    Level,
    Lost,
    Owned,
    Released,
    Repair,
    Settled,
    Started,
    Withdrawal,
)
from cronstream.core.wire.runs import Run
from tests.simulation.client import Client
from tests.simulation.log import Log
from tests.simulation.loop import moment, seconds
from tests.simulation.process import Process
from tests.simulation.worker import SimWorker

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Kinds of trouble, and how often each comes beside the others.
_KINDS = {
    "crash": 5,
    "cut": 4,
    "pause": 4,
    "outage": 1,
    "rebalance": 4,
    "edit": 5,
    "drain": 3,
    "run now": 2,
    "edits under a silent holder": 2,
    "edits under a silent scheduler": 2,
    "edit at a start": 2,
    "outage after a rebalance": 1,
    "executor dies": 2,
    "cancel": 3,
}
#: The steps of a process at which it may be struck.
STEPS = (
    "sent",
    "appended",
    "acknowledged",
    "read",
    "handed over",
    "started",
    "finished",
    "noted",
    "cursor set",
)
#: What strikes it there.
BLOWS = ("crash", "cut", "pause")
_STRUCK = (
    Run,
    Run,
    Withdrawal,
    Owned,
    Claimed,
    Released,
    Started,
    Finished,
    Forwarded,
    Settled,
    Lost,
)
#: Share of the worlds in which the clocks of brokers step.
_CLOCKS = 0.15
#: Share of the worlds in which a person asks for repairs that are not needed.
_REPAIRS: Final = 0.2
#: How often a process is struck at the step that its world aims at.
AIMED = 0.12


def kinds() -> list[str]:
    """Return the kinds of trouble."""
    return list(_KINDS)


class Trouble:
    """Troubles of one world."""

    def __init__(self, world: "World") -> None:
        self.world, self.dice, self.loop = world, world.dice, world.loop

    def aim(self) -> None:
        """Draw at which step of a process this world strikes, if at any."""
        world, dice = self.world, self.dice
        world.ill_timed = dice.choice((0.0, 0.0, 0.002, 0.006))
        world.struck_at = dice.choice((None, *STEPS))
        world.struck_kind = dice.choice(_STRUCK)

    def begin(self, until: float) -> None:
        """Draw what is to go wrong, and when; all of it is over at the end."""
        self.loop.at(until, self.end)
        # Each world has its own mixture: rare meetings of two kinds become common somewhere.
        weights = [weight * self.dice.choice((0.1, 1, 1, 6)) for weight in _KINDS.values()]
        for kind in self.dice.choices(kinds(), weights, k=self.dice.randint(2, 12)):
            name = kind.replace(" ", "_")
            act = getattr(self, name if kind == "edit" else f"_{name}")
            self.loop.at(self.dice.uniform(0.3, until), partial(self._begin, kind, act))

    def _begin(self, kind: str, act: "partial[None]") -> None:
        self.world.count[kind] += 1
        act()

    def end(self) -> None:
        """Begin nothing new, and let nothing be due any more; what is under way runs out."""
        world = self.world
        world.in_trouble = False
        world.let_rest()

    def step_clocks(self, seed: int, until: float) -> None:
        """Have the brokers' clocks be wrong for a while in some worlds, and right again after."""
        dice = Random(f"{seed} clocks")
        if dice.random() >= _CLOCKS:
            return
        for _ in range(dice.randint(1, 3)):
            at = dice.uniform(0.3, until - 0.2)
            logs = [x for retry in (False, True) for x in self.world.logs_of(retry=retry)]
            wrong = dice.sample(logs, dice.randint(1, len(logs)))
            ahead_s = dice.choice((8.0, 60.0, 7200.0, -8.0))
            self.loop.at(at, partial(self._step, wrong, ahead_s))
            self.loop.at(min(at + dice.uniform(0.2, 3), until), partial(self._step, wrong, 0.0))

    def repair(self, seed: int, until: float) -> None:
        """Have a person ask for repairs in some worlds, though no clock has published ahead."""
        dice = Random(f"{seed} repairs")
        if dice.random() >= _REPAIRS:
            return
        for _ in range(dice.randint(1, 4)):
            retry, partition = dice.random() < 0.3, dice.randrange(self.world.topics.partitions)
            log = self.world.logs_of(retry=retry)[partition]
            self.loop.at(dice.uniform(0.3, until), partial(self._repair, log))

    def _repair(self, log: Log) -> None:
        self.world.count["repairs"] += 1
        log.append(self.loop.now, [Repair(by="ada")])

    def _step(self, logs: list[Log], ahead_s: float) -> None:
        """Step the clock by which some logs are written; at level 1 that does harm."""
        self.world.count["clocks of brokers that stepped"] += 1
        for log in logs:
            if any(isinstance(entry, Level) for _, entries in log.messages for entry in entries):
                log.ahead_s = ahead_s

    def of_second_life(self) -> list[Callable[[], None]]:
        """Return what may go wrong once the logs have lost their beginning."""
        return [self._crash, self._rebalance, self.edit, self.edit, self._run_now, self._drain]

    def _any(self) -> Process | None:
        """Return a process that is alive; rather one that holds something."""
        alive = [process for process in self.world.processes if process.alive]
        holders = [w for w in self.world.workers if w.alive and w.member.holding]
        if holders and self.dice.random() < 0.5:
            return self.dice.choice(holders)
        return self.dice.choice(alive) if alive else None

    def strike(self, process: Process, step: str) -> None:
        """Hit a process that has just done a step of its work."""
        if not self.world.in_trouble or isinstance(process, Client):
            return
        blow = self.dice.choice((self._crash, self._cut, self._pause))
        self.world.count[f"{blow.__name__[1:]} when {step}"] += 1
        blow(process)
        if self.dice.random() < (0.3 if isinstance(process, SimWorker) else 0.7):
            self.loop.at(self.loop.now + self.dice.uniform(0, 3), self.edit)

    def _crash(self, process: Process | None = None) -> None:
        if process := process or self._any():
            process.crash(self.dice.uniform(0.2, 5))

    def _long(self) -> float:
        """Return a span that may be shorter or longer than a session, a fence or a lease."""
        timings = self.world.timings
        timing = timings[0] if len(timings) == 1 else self.dice.choice(timings)
        about_a_lease = timing.lease_s + self.dice.uniform(-1.0, 0.6)
        spans = (0.5, 1.5, 3.5, 6)
        longer = self.dice.choice(spans) * self.dice.uniform(0.6, 1.4)
        return about_a_lease if self.dice.random() < 0.25 else longer

    def _cut(self, process: Process | None = None) -> None:
        if process := process or self._any():
            until = process.cut_until = max(process.cut_until, self.loop.now + self._long())
            self.silence(process, until)

    def _pause(self, process: Process | None = None) -> None:
        if process := process or self._any():
            until = process.paused_until = max(process.paused_until, self.loop.now + self._long())
            if isinstance(process, SimWorker) and self.dice.random() < 0.5:
                process.executor.paused_until = until
                self.world.stopped.append((process.id, self.loop.now, until))
            self.silence(process, until)

    def silence(self, process: Process, until: float) -> None:
        """Have a process be silent, as it is from now on, until a time."""
        self.world.silences.append((process.id, self.loop.now, until))
        process.group.silent(process)
        self.loop.at(until + 0.001, partial(_is_back, process))

    def _outage(self) -> None:
        until = max(self.world.outage_until, self.loop.now + self._long())
        self.world.outage_until = until
        self.world.outages.append((self.loop.now, until))
        self.loop.at(until + 0.001, self._restore)

    def _restore(self) -> None:
        for process in self.world.processes:
            self.loop.at(self.loop.now + self.dice.random() * 0.2, partial(_is_back, process))

    def _rebalance(self) -> None:
        self.dice.choice(self.world.groups).rebalance()

    def edit(self) -> None:
        """Change a job, or take it out."""
        job = self.dice.choice(list(self.world.file))
        self.world.edit(job, self.dice.choice((1, 2, 3, 5, 5, None)))

    def _edits_under_a_silent_holder(self) -> None:
        """Edit a job, once or more, while the worker with its claims cannot give way."""
        holders = [w for w in self.world.workers if w.alive and w.member.holding]
        if not holders:
            return
        holder = self.dice.choice(holders)
        (self._cut if self.dice.random() < 0.5 else self._pause)(holder)
        job = self.dice.choice([held.run.job for held in holder.member.holding.values()])
        for _ in range(self.dice.randint(1, 3)):
            edit = partial(self.world.edit, job, self.dice.choice((1, 2, 3)))
            self.loop.at(self.loop.now + self.dice.uniform(0, 2), edit)

    def _edits_under_a_silent_scheduler(self) -> None:
        """Edit jobs while what a scheduler has published is still on its way."""
        firing = [s for s in self.world.schedulers if s.alive and s.mine and not s.idle]
        for scheduler in firing:
            self._cut(scheduler)
        for _ in range(self.dice.randint(1, 3)):
            self.loop.at(self.loop.now + self.dice.uniform(0, 3), self.edit)

    def _edit_at_a_start(self) -> None:
        """Edit a job just when a run of it starts: the withdrawal and `Started` meet."""
        now = moment(self.loop.now)
        held = [h for w in self.world.workers if w.alive for h in w.member.holding.values()]
        if waiting := [h.run for h in held if h.run.not_before > now]:
            run = self.dice.choice(waiting)
            at = seconds(run.not_before) - self.dice.uniform(0, 1)
            edit = partial(self.world.edit, run.job, self.dice.choice((1, 2, 3, 5, None)))
            self.loop.at(at, edit)

    def _outage_after_a_rebalance(self) -> None:
        """Nobody reaches the broker for about a lease, when holders may not be owners."""
        self.dice.choice(self.world.groups[1:]).rebalance()
        self.loop.at(self.loop.now + self.dice.uniform(0.5, 2.5), self._outage)

    def _drain(self) -> None:
        worker = self.dice.choice(self.world.workers)
        if worker.fit and not worker.draining:
            worker.drain(self.dice.choice((0.0, 1.0, 3.0)), self.dice.uniform(0.2, 3))

    def _executor_dies(self) -> None:
        if holders := [w for w in self.world.workers if w.alive and w.member.holding]:
            worker = self.dice.choice(holders)
            executor = self.dice.choice(worker.executors)
            runs = [key.partition("#")[0] for key, one in worker.apart.items() if one is executor]
            self.world.struck_alone.update([] if executor.dead else runs)
            worker.lose_executor(executor)

    def _cancel(self) -> None:
        """A person cancels a run, in whatever state it is."""
        ledgers = [x for w in self.world.workers if w.alive for x in w.member.ledgers.values()]
        if runs := [live.run for ledger in ledgers for live in ledger.book.live.values()]:
            self.world.cancel(self.dice.choice(runs))

    def upgrade(self) -> None:
        """Have some worlds begin with old processes, which are upgraded one by one."""
        world, dice = self.world, self.dice
        if dice.random() >= 0.25 or world.steps:
            return
        in_order = dice.random() < 0.5
        for process in world.processes:
            earliest = 3.0 if in_order and process in world.schedulers else 0.5
            process.upgraded_at = dice.uniform(earliest, 3.0 if earliest < 1 else 5.5)
            self.loop.at(process.upgraded_at, partial(self._upgrade, process))

    def _upgrade(self, process: Process) -> None:
        if not process.alive or process.draining:
            return
        self.world.count["upgrade"] += 1
        if isinstance(process, SimWorker) and self.dice.random() < 0.7:
            process.drain(self.dice.choice((0.0, 1.0)), 0.1)
        else:
            process.crash(0.1)

    def _run_now(self) -> None:
        self.world.run_now(self.dice.choice(list(self.world.file)))


def _is_back(process: Process) -> None:
    if process.fit:
        process.group.back(process)
