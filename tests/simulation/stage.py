"""What processes need of the world that they live in: here of seconds, or of months."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from cronstream.core.planning.due import STEP
from cronstream.core.protocol.actions import Hand
from cronstream.core.timing import Timing
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Discarded, Job
from tests.builders import NAMES
from tests.simulation.executor import Start
from tests.simulation.log import Log, Topics
from tests.simulation.loop import Loop
from tests.simulation.making_up import Planned
from tests.simulation.trusting import Trust

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cronstream.core.health.presence import Shared
    from cronstream.core.planning.cursor import Cursor
    from cronstream.core.wire.runs import Run
    from tests.simulation.process import Process
    from tests.simulation.worker import SimWorker


class Spec(Protocol):
    """What a job's commands do."""

    @property
    def lasts_s(self) -> float:
        """How long each takes."""

    @property
    def fails(self) -> float:
        """Share of the attempts that fail."""

    @property
    def kills(self) -> str | None:
        """What each attempt at some of its runs ends."""

    def is_killer(self, run: "Run") -> bool:
        """Whether each attempt at this run kills."""


#: An attempt may start this much early: the clocks differ, and times are in milliseconds.
_EARLY_S = 0.21
#: So long may what a worker was misled to show in what its executors start.
_MISLED_S = 3.0


class Strikes(Protocol):
    """Who may hit a process at a step of its work."""

    def strike(self, process: "Process", step: str) -> None:
        """Hit a process that has just done a step of its work."""


class Stage:
    """A world, as its processes know it.

    Attributes:
        starts: Every command that was started.
        borrowed: Key and worker of each claim on what was lent.
        without_slot: What was announced to start, for which its worker had no slot.
        silences: Process id, from and to, of each cut, stop, long delay and death.
        stopped: Process id, from and to, of each time in which an executor was stopped too.
        struck_alone: How often an executor that a run had for itself was killed, by run.
        rows: Snapshots of ledgers, for (retry, partition), as JSON, oldest first.
        step_of_catch_up: A catch-up moves in steps of about this many due times.
        planned: What schedulers were about to publish, and who.
        cursors: What was written to the scheduler's table, oldest first.
        ill_timed: Share of the steps of a process at which it is struck.
        struck_at: A step at which it is struck more often; when it concerns a record, at one of
            `struck_kind`.
        stepped: Process name, from and to, and by how much, of each time in which a clock was off.
        misled: When a worker compared clocks, most of which were wrong.
        outages: From and to of each time in which nobody reaches the broker.
        level: What the installation was raised to, as the ``jobs`` topic says.
        slowest_s: The longest that a message takes when nothing is wrong.
        stale: A later attempt that the broker got this long after it was judged is stale.
        tells: Whether its processes tell of themselves on the workers' topic.
        steps: Whether clocks of its processes step, which they mind.
        joins_slowly: Whether the first reading there takes long.
        slowest_roll_s: The longest that reading there takes when nothing is wrong.
        wrong: From and to of each time in which the clock of schedulers and brokers was off.
        handed_over: Up to which offset of each partition what follows is handed over.
        set_back: When a cursor was set back, how far the scheduler's clock was ahead then, and
            from where.
        late: What an executor could have started in time, and had not a moment later.
    """

    cluster: str
    tells = False
    steps = False
    slowest_roll_s = 0.0
    joins_slowly = False
    processes: "Sequence[Process]" = ()
    workers: "Sequence[SimWorker]" = ()
    trouble: Strikes
    specs: dict[str, Any]
    stale: "timedelta"
    timing: Timing
    topics: Topics

    def __init__(self, seed: int) -> None:
        self.dice, self.trust = Random(seed), Trust(seed)
        self.loop = Loop()
        self.in_trouble, self.outage_until, self.level = True, 0.0, 1
        self.ill_timed, self.skew, self.slowest_s, self.slots = 0.0, 0.0, 0.05, 50
        self.struck_at: str | None = None
        self.struck_kind: type[Any] = Record
        self.on_the_wire = False
        self.count: Counter[str] = Counter()
        self.struck_alone: Counter[str] = Counter()
        self.starts: list[Start] = []
        self.without_slot: list[str] = []
        self.borrowed: set[str] = set()
        self.silences: list[tuple[str, float, float]] = []
        self.stopped: list[tuple[str, float, float]] = []
        self.stepped: list[tuple[str, float, float, float]] = []
        self.outages: list[tuple[float, float]] = []
        self.rows: dict[tuple[bool, int], list[bytes]] = {}
        self.cursors: list[Cursor] = []
        self.step_of_catch_up, self.planned = STEP, list[Planned]()
        self.late: list[str] = []
        self.wrong: list[tuple[float, float]] = []
        self.misled: list[float] = []
        self.handed_over: dict[int, int] = {}
        self.set_back: list[tuple[float, float, datetime]] = []
        self.workers_topic = Log(NAMES.workers, 0, batches=False)
        self.ticks = Log(NAMES.ticks, 0, batches=False)

    @property
    def timings(self) -> list[Timing]:
        """The settings of its workers."""
        return [self.timing]

    def timing_of(self, _: "Process") -> Timing:
        """Return the settings of a worker that starts now."""
        return self.timing

    def shared_of(self, process: "Process") -> "Shared":
        """Return what a process tells of its settings."""
        raise NotImplementedError

    def logs_of(self, *, retry: bool, cluster: str | None = None) -> list[Log]:
        """Return the partitions of the log of a role."""
        name = cluster or self.cluster
        return self.topics.of(NAMES.retry_log(name) if retry else NAMES.log(name))

    def spec(self, job: str) -> Spec:
        """Return what a job's commands do."""
        spec: Spec = self.specs[job]
        return spec

    def wire(self, records: list[Any]) -> list[Any]:
        """Return records as they come out of a message; in a few worlds they really go in one."""
        if not self.on_the_wire or isinstance(records[0], Job | Discarded | tuple):
            return records
        entries, refused = decode_entries(encode_entries(records))
        if refused:
            raise AssertionError(refused)
        return list(entries)

    def odds_at(self, step: str, record: object) -> float:  # noqa: ARG002 - for who overrides it
        """Return how likely a process is struck at a step of its work."""
        return self.ill_timed

    def seen(self, _: object) -> None:
        """A process has started."""
        self.count["process starts"] += 1

    def may_be_early_s(self, start: Start) -> float:
        """Return by how much a command may have be early: as far as its clock was ahead."""
        if any(start.at - _MISLED_S <= at <= start.at for at in self.misled):
            return float("inf")
        process = start.worker.rpartition(".")[0]
        ahead = [
            by
            for name, begin, end, by in self.stepped
            if name == process and begin <= start.at + _EARLY_S and start.at <= end
        ]
        return _EARLY_S + max(ahead, default=0.0)

    def begin(self, hand: Hand, worker: "SimWorker") -> Start:
        """A command is started."""
        run = hand.run
        luck = Random(f"{run.id}/{run.attempt}").random()
        outcome = Outcome.FAILED if luck < self.spec(run.job).fails else Outcome.SUCCEEDED
        start = Start(run, hand.key, worker.id, worker.retry, self.loop.now, outcome)
        self.starts.append(start)
        self.count["borrowed"] += hand.key + worker.id in self.borrowed
        return start
