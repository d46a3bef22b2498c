"""A scheduler: a real `Shard`, with its ticks, its file and its table modelled."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from cronstream.core.planning.cursor import Cursor
from cronstream.core.planning.due import Shard
from cronstream.core.planning.plan import Plan
from cronstream.core.wire.levels import lowered
from cronstream.core.wire.records import Job, Level
from tests.simulation.group import Group
from tests.simulation.log import Log
from tests.simulation.loop import START
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_AHEAD_S = 5.0
_REST = timedelta(seconds=LOOK_AHEAD_S / 3)
_TICK_S = 0.7


class SimScheduler(Process):
    """One process of the scheduler; it fires the one shard while that is assigned to it."""

    world: "World"

    def __init__(self, world: "World", name: str, group: Group) -> None:
        super().__init__(world, name)
        self.group = group
        self.jobs = world.jobs
        self._shard: Shard | None = None
        self._file: dict[str, Job] = {}
        self._read_to = 0

    @property
    def mine(self) -> bool:
        """Whether it takes the shard for its own."""
        return self._shard is not None

    def started(self) -> None:
        """Begin with nothing in memory."""
        self._shard, self._busy = None, False
        self.group.join(self)

    def crash(self, down_s: float) -> None:
        """The group finds out later."""
        if self.alive:
            self.group.silent(self)
        super().crash(down_s)

    def revoked(self) -> None:
        """What is being published goes on; a cursor may still be written."""
        self._shard = None

    def assigned(self, partitions: set[int]) -> None:
        """Begin from the table's cursor, or now and then from an older one (rule 18)."""
        if not partitions:
            return
        self._shard, self._busy, self._read_to = Shard(LOOK_AHEAD_S), False, 0
        self._announced = self.knows == 1
        self._file = {}
        rows = self.world.cursors
        self._cursor = rows[-1] if rows else Cursor(0, START)
        if rows and self.dice.random() < 0.1:
            self._cursor = self.dice.choice(rows[-4:])
        self._tick(self._shard)

    def _tick(self, shard: Shard) -> None:
        if self._shard is not shard:
            return
        self.later(_TICK_S, partial(self._tick, shard))
        self.when_reached(partial(self._step, shard))

    def _step(self, shard: Shard) -> None:
        if self._shard is not shard or self._busy:
            return
        if self.world.level > self.knows:
            self.crash(0.5)
            return
        if not self._announced:
            self._announce(shard)
            return
        for offset, (_, [job]) in enumerate(self.jobs.messages[self._read_to :], self._read_to):
            shard.learn(job, offset)
            self._file[job.name] = job
        self._read_to = len(self.jobs.messages)
        edits = self.world.edits(self._file)
        if edits:
            changes = [(self.jobs, job.derive(effective_from=self.wall())) for job in edits]
            self._put_all(changes, lambda: self._free(shard))
            return
        plan = shard.plan(self._cursor, self.wall())
        if plan.noted is not None:
            self._cursor = plan.noted
            self.world.cursors.append(plan.noted)
            self.step("noted")
        topics, cluster = self.world.topics, self.world.cluster_topic
        entries = [
            (topics.log(cluster, topics.partition_of(entry.job)), lowered(entry, self.knows))
            for _, entry in plan.messages
        ]
        self._put_all(entries, partial(self._published, shard, plan))

    def _announce(self, shard: Shard) -> None:
        """Say what may stand on the logs from now on; ``jobs`` has been told before them."""
        self.world.level = self.knows
        logs = [log for retry in (False, True) for log in self.world.logs_of(retry=retry)]
        level = Level(level=self.knows)
        self._put_all([(log, level) for log in logs], partial(self._has_announced, shard))

    def _has_announced(self, shard: Shard) -> None:
        if self._shard is shard:
            self._announced = True
        self._free(shard)

    def _put_all(self, records: "list[tuple[Log, Any]]", done: Any) -> None:
        self._busy = True
        left = len(records)
        if not left:
            done()
            return

        def acknowledged(_: int, __: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                done()

        for log, record in records:
            self.put(log, record, acknowledged)

    def _free(self, shard: Shard) -> None:
        if self._shard is shard:
            self._busy = False

    def _published(self, shard: Shard, plan: Plan) -> None:
        """Set the cursor; one that has lost the shard meanwhile may write it all the same."""
        mine = self._shard is shard
        if mine or self.dice.random() < 0.5:
            rows = self.world.cursors
            if not rows or plan.messages or plan.cursor.says_more(rows[-1], _REST):
                rows.append(plan.cursor)
                self.step("cursor set")
        if mine:
            shard.accept(plan)
            self._cursor, self._busy = plan.cursor, False
            if not plan.complete:
                self._step(shard)
