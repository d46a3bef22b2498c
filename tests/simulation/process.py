"""A process that can crash, be stopped or be cut off, and its ordered producer."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from cronstream.core.health.presence import Presence
from cronstream.core.timing import Timing
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import RoleKind
from tests.builders import NAMES
from tests.simulation.log import Log
from tests.simulation.loop import START, Call, moment
from tests.simulation.telling import EVERY_S, LastLogged

if TYPE_CHECKING:
    from tests.simulation.group import Group
    from tests.simulation.stage import Stage

#: Called with offset and append time once the broker has acknowledged.
Done: TypeAlias = Callable[[int, datetime], None]
#: Topics on which each process says something all the time.
_BEATS = {NAMES.workers, NAMES.ticks}
_RETRY_S = 0.3
_LONG_S = 60.0


class Process:
    """One process; each start of it is another boot.

    Attributes:
        cut_until: Until then it reaches no broker.
        paused_until: Until then it does nothing at all (SIGSTOP).
        group: The consumer group that it belongs to; a client has none.
        knows: The highest level that it knows.
        upgraded_at: When it starts from then on, it knows them all.
        skew: Seconds that its wall clock is ahead; its monotonic clock has an origin of its own.
        stepped_s: How much of that is a step, for a while.
        timing: Its settings, as they were when it was started.
        has_joined: Whether it is a member of its group: not before it knows of the others.
        telling: Its end of the workers' topic, in worlds that have one.
        clock_fault: Why its clock cannot be trusted; empty if it can.
    """

    group: "Group"
    kind = RoleKind.WORKER

    def __init__(self, world: "Stage", name: str) -> None:
        self.world, self.name = world, name
        self.loop, self.dice = world.loop, world.dice
        self.boot, self.alive, self.draining = 0, False, False
        self.cut_until = self.paused_until = self.upgraded_at = 0.0
        self.knows = LEVEL
        self.skew = self.dice.uniform(-world.skew, world.skew)
        self._origin = self.dice.uniform(0, 1000)
        self.has_joined, self.telling, self.clock_fault = True, None, ""
        self.stepped_s = 0.0
        self._senders: dict[tuple[str, int], Sender] = {}

    telling: LastLogged | None
    timing: Timing

    @property
    def id(self) -> str:
        """The name that it has on the logs, another one after each start."""
        return f"{self.name}.{self.boot}"

    def wall(self) -> datetime:
        """Return the time by its clock."""
        return moment(self.loop.now + self.skew)

    def mono(self) -> float:
        """Return its monotonic seconds."""
        return self.loop.now + self._origin

    def latency(self) -> float:
        """Return how long a message takes now: mostly little."""
        return self.dice.random() ** 4 * self.world.slowest_s + 0.002

    @property
    def out_of_reach_until(self) -> float:
        """Until when it reaches no broker."""
        return max(self.cut_until, self.world.outage_until)

    @property
    def fit(self) -> bool:
        """Whether it runs, and a broker hears of it."""
        now = self.loop.now
        return self.alive and now >= self.out_of_reach_until and now >= self.paused_until

    def start(self) -> None:
        """Start, or start again; one that is too old for its installation does not join."""
        self.knows = LEVEL if self.loop.now >= self.upgraded_at else 1
        if self.world.level > self.knows:
            self.world.count["too old to join"] += 1
            self.loop.at(self.upgraded_at, self.start)
            return
        self.boot, self.alive, self.draining = self.boot + 1, True, False
        self.timing = self.world.timing_of(self)
        self.cut_until = self.paused_until = 0.0
        self._senders, self.clock_fault = {}, ""
        self.started()

    def started(self) -> None:
        """Do what this kind of process does at its start."""
        raise NotImplementedError

    def enter(self) -> None:
        """Join the group: at once, or once it has told of itself, and heard of the others."""
        if not self.world.tells:
            self.join_group()
            return
        self.has_joined, self.telling = False, LastLogged(self)
        self.telling.begin()

    def join_group(self) -> None:
        """Be a member from now on, unless it is about to stop."""
        if not self.draining:
            self.has_joined = True
            self.group.join(self)

    def hear(self, _: int) -> None:
        """There is something new on the workers' topic."""
        if self.telling is not None and self.alive:
            self.telling.notice()

    def compare(self) -> None:
        """Do what follows from what all processes tell."""

    def describe(self, clock_s: float | None) -> Presence:
        """Return what it tells of itself."""
        return Presence(
            name=self.id,
            role=self.kind,
            version="",
            level=self.knows,
            shared=self.world.shared_of(self),
            clock_s=clock_s,
            every_s=EVERY_S,
            since=START,
        )

    def revoked(self) -> None:
        """Learn that a rebalance is under way."""
        raise NotImplementedError

    def assigned(self, partitions: set[int]) -> None:
        """Learn that it is over, and what is one's own now."""
        raise NotImplementedError

    def crash(self, down_s: float) -> None:
        """End at once, whatever is under way, and start again later."""
        if self.alive:
            self.alive = False
            self.world.silences.append((self.id, self.loop.now, float("inf")))
            self.loop.at(self.loop.now + down_s, self.start)

    def later(self, delay: float, call: Call) -> None:
        """Have it do something, once it is not stopped, unless it has died by then."""
        self.loop.at(self.loop.now + delay, partial(self._do, self.boot, call))

    def _do(self, boot: int, call: Call) -> None:
        if boot != self.boot or not self.alive:
            return
        if self.loop.now < self.paused_until:
            self.loop.at(self.paused_until, partial(self._do, boot, call))
        else:
            call()

    def when_reached(self, call: Call) -> None:
        """Have it do something now, or once a broker reaches it."""
        if self.loop.now < self.out_of_reach_until:
            wait = self.out_of_reach_until - self.loop.now + self.dice.random() * 0.1
            self.later(wait, partial(self.when_reached, call))
        else:
            call()

    def put(self, log: Log, record: Any, done: Done | None = None) -> None:
        """Put a record on a log, after all that it put there before."""
        key = (log.name, log.partition)
        if key not in self._senders:
            self._senders[key] = Sender(self, log)
        self._senders[key].put(record, done)

    def step(self, name: str, record: object = None) -> None:
        """Come to a step of its work, where it may be struck.

        Args:
            name: What it has just done.
            record: To what.
        """
        odds = self.world.odds_at(name, record)
        if odds and self.world.in_trouble and self.dice.random() < odds:
            self.later(0.0, partial(self.world.trouble.strike, self, name))

    @property
    def idle(self) -> bool:
        """Whether everything that it put somewhere has been acknowledged."""
        return not any(
            sender.sending for (log, _), sender in self._senders.items() if log not in _BEATS
        )


class Sender:
    """Appends to one log, one message at a time; what waits meanwhile goes in one message."""

    def __init__(self, process: Process, log: Log) -> None:
        self._process, self._log, self._boot = process, log, process.boot
        self._world, self._loop, self._dice = process.world, process.loop, process.dice
        self._waiting: list[tuple[Any, Done | None]] = []
        self.sending = False

    def put(self, record: Any, done: Done | None) -> None:
        """Append it after all that was put here before."""
        self._waiting.append((record, done))
        if not self.sending:
            self.sending = True
            self._process.later(0.0, self._send)

    def _send(self) -> None:
        size = len(self._waiting) if self._log.batches else 1
        if size > 1 and self._dice.random() < 0.2:
            size = self._dice.randint(1, size - 1)
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        self._loop.at(self._loop.now + self._delay(), partial(self._arrive, batch))
        self._process.step("sent", batch[0][0])

    def _delay(self) -> float:
        if self._world.in_trouble and self._dice.random() < 0.01:
            self._world.silences.append((self._process.id, self._loop.now, self._loop.now + 2))
            return 2.0
        return self._process.latency()

    def _retry_s(self) -> float:
        """Return how long to wait until it is tried again: longer where it is away for long."""
        away = max(self._process.out_of_reach_until, self._log.down_until) - self._loop.now
        return _RETRY_S if away < _LONG_S else away / 2

    def _arrive(self, batch: list[tuple[Any, Done | None]]) -> None:
        """At the broker: what is on its way may arrive although its sender is stopped or dead."""
        process, now = self._process, self._loop.now
        dead = not process.alive or process.boot != self._boot
        if dead and self._dice.random() < 0.5:
            return
        if now < max(process.out_of_reach_until, self._log.down_until):
            if not dead:
                self._loop.at(now + self._retry_s(), partial(self._arrive, batch))
            return
        offset, at = self._log.append(now, self._world.wire([record for record, _ in batch]))
        process.step("appended", batch[0][0])
        if self._world.in_trouble and self._dice.random() < 0.06:
            self._world.count["doubled sends"] += 1
            process.later(_RETRY_S, partial(self._arrive, batch))
        else:
            process.later(process.latency(), partial(self._acknowledged, batch, offset, at))

    def _acknowledged(
        self, batch: list[tuple[Any, Done | None]], offset: int, at: datetime
    ) -> None:
        if self._waiting:
            self._send()
        else:
            self.sending = False
        for _, done in batch:
            if done is not None:
                done(offset, at)
        self._process.step("acknowledged", batch[0][0])
