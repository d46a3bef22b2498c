"""A scheduler: a real `Shard`, with its ticks, its file and its table modelled."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from cronstream.core.health import clocks
from cronstream.core.health.clocks import Comparison
from cronstream.core.planning import cursor as cursors
from cronstream.core.planning.cursor import Cursor
from cronstream.core.planning.due import Shard
from cronstream.core.planning.plan import Plan
from cronstream.core.wire.entries import Level
from cronstream.core.wire.levels import lowered
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Job
from tests.simulation.group import Group
from tests.simulation.handing_over import HandingOver
from tests.simulation.log import Log
from tests.simulation.loop import START
from tests.simulation.making_up import Planned
from tests.simulation.pausing import stated_from
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_AHEAD_S = 5.0
_REST = timedelta(seconds=LOOK_AHEAD_S / 3)
_TICK_S = 0.7
#: With a clock that stays off for so long it leaves the shard to another, if one is right.
_ENDS_AFTER_S = 2.0


class SimScheduler(Process):
    """One process of the scheduler; it fires the one shard while that is assigned to it."""

    world: "World"
    kind = RoleKind.SCHEDULER

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
        self._shard, self._busy, self._is_measuring = None, False, False
        self._compared: Comparison | None = None
        if self.world.tells:
            self._measure()
        self.enter()

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
        rows = self.world.cursors
        self._announced = self.knows == 1
        cursor = rows[-1] if rows else Cursor(0, START)
        if rows and self.dice.random() < 0.1:
            cursor = self.dice.choice(rows[-4:])
        self._load(cursor)
        shards = self._assigned = object()
        HandingOver(self, lambda: self._shard is not None and self._assigned is shards)

    def _load(self, cursor: Cursor) -> None:
        step = self.world.step_of_catch_up
        self._shard = Shard(self.world.look_ahead_s, cursor.holds, step=step)
        self._busy, self._read_to = False, 0
        self._cursor, self._file = cursor, {}
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
        elif self.telling is not None and not self._is_trusted():
            self.world.count["ticks given up, for their clock"] += 1
        elif not self._announced:
            self._announce(shard)
        elif edits := self._read_on(shard):
            wall, ahead_s = self.wall(), self.world.look_ahead_s
            changes = [
                (self.jobs, job.derive(effective_from=stated_from(job, wall, ahead_s)))
                for job in edits
            ]
            self._put_all(changes, lambda: self._free(shard))
        elif not self._is_far_ahead():
            self._publish(shard)
        elif self._may_set_back():
            self._set_back()

    def _read_on(self, shard: Shard) -> list[Job]:
        """Learn what is on the topic, and return what is to be there."""
        for offset, (_, [job]) in enumerate(self.jobs.messages[self._read_to :], self._read_to):
            shard.learn(job, offset)
            self._file[job.name] = job
        self._read_to = len(self.jobs.messages)
        return self.world.edits(self._file) or self._ahead()

    def _publish(self, shard: Shard) -> None:
        plan = shard.plan(self._cursor, self.wall())
        self.world.planned.append(Planned(self.id, shard, plan))
        if plan.noted is not None:
            self._cursor = plan.noted
            self.world.cursors.append(plan.noted)
            self.step("noted")
        topics, cluster = self.world.topics, self.world.cluster_topic
        entries = [
            (
                topics.log(cluster, topics.partition_of(entry.job)),
                self.world.trust.stamp(lowered(entry, self.knows), self.knows),
            )
            for _, entry in plan.messages
        ]
        self._put_all(entries, partial(self._published, shard, plan))

    # -- its clock ------------------------------------------------------------------------

    @property
    def _allowed(self) -> timedelta:
        """So far ahead of the log's time it may be, and so far behind to set a cursor back."""
        return timedelta(seconds=self.world.look_ahead_s)

    @property
    def _offset(self) -> timedelta:
        return timedelta(seconds=self.skew)

    def _measure(self) -> None:
        """Have the broker say what time it is, by a tick (``scheduler.clock_check``)."""
        self.later(_TICK_S, self._measure)
        if not self._is_measuring:
            self._is_measuring = True
            measured = partial(self._measured, self.wall(), self._offset)
            self.put(self.world.ticks, (self.id,), measured)

    def _measured(self, sent_at: datetime, offset: timedelta, _: int, at: datetime) -> None:
        self._is_measuring = False
        self._compared = Comparison.of(sent_at, at, self.wall(), offset)

    def _is_trusted(self) -> bool:
        compared = self._compared
        return compared is not None and compared.is_trusted(self._offset, self._allowed)

    def _is_far_ahead(self) -> bool:
        """Whether the cursor is so far ahead that nothing is due, and an edit would hold late."""
        return self._cursor.is_ahead(self.wall())

    def _may_set_back(self) -> bool:
        """Whether its clock agrees with the log's, by which the cursor may have been moved."""
        return self._compared is not None and self._compared.agrees(self._offset, self._allowed)

    def _set_back(self) -> None:
        """Go on from now (``scheduler.firing``): a clock that was ahead is right again."""
        self.world.set_back.append((self.loop.now, self.skew, self._cursor.at))
        self.world.cursors.append(self._cursor.set_back(self.wall()))
        self._load(self.world.cursors[-1])

    def _ahead(self) -> list[Job]:
        """Return definitions that hold only from far ahead (``core.planning.recent``)."""
        if self.telling is None or self._cursor.is_ahead(self.wall()):
            return []
        now, far = self.wall(), cursors.FAR_AHEAD
        known = self._file.values()
        return [job for job in known if job.effective_from and job.effective_from - now > far]

    def compare(self) -> None:
        """Leave the shard to another whose clock is right, if one's own is not."""
        if self.telling is None or not self.world.steps:
            return
        me, was = self.describe(self.telling.clock_s), self.clock_fault
        self.clock_fault = clocks.firing_fault(me, self.telling.present)
        if self.clock_fault and not was and self.has_joined:
            self.later(_ENDS_AFTER_S, self._end_for_its_clock)

    def _end_for_its_clock(self) -> None:
        if self.clock_fault:
            self.world.count["schedulers that ended, for their clock"] += 1
            self.crash(0.1)

    # -- publishing -----------------------------------------------------------------------

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
        holds = {**plan.cursor.holds, **plan.holds}
        cursor = replace(plan.cursor, holds=holds).without_old_holds()
        if mine or self.dice.random() < 0.5:
            rows = self.world.cursors
            if not rows or plan.messages or plan.cursor.says_more(rows[-1], _REST):
                rows.append(cursor)
                self.step("cursor set")
        if mine:
            shard.accept(plan)
            self._cursor, self._busy = cursor, False
            if not plan.complete:
                self._step(shard)
