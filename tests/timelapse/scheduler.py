"""A scheduler: a real `Shard`, and the real rows of its cursor; it sleeps while nothing is due."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.planning.draft import Planned
from cronstream.core.planning.due import Shard
from cronstream.core.planning.recent import Recent
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.levels import lowered
from cronstream.core.wire.runs import Job
from cronstream.scheduler.clock_check import ClockCheck
from cronstream.scheduler.holding import Held, Out, Rows
from cronstream.scheduler.sending import Sent
from cronstream.settings import Settings
from tests.builders import NAMES
from tests.simulation.group import Group
from tests.simulation.loop import moment, seconds
from tests.simulation.process import Process
from tests.timelapse.kafka import SegmentedLog
from tests.timelapse.tables import Table

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

_SETTINGS: Final = Settings(partitions=2, shards=1, look_ahead_s=30.0)
LOOK_AHEAD_S: Final = _SETTINGS.look_ahead_s
#: As in ``scheduler.firing`` and ``scheduler.announcing``.
_PATIENCE_S: Final = 6.0
_REPEAT_S: Final = 86_400.0
_TICK_S: Final = 1.0
#: How often a clock that is refused, and a partition that takes nothing, is looked at again.
_LOOK_S: Final = 30.0
_LONG_S: Final = 30 * 86_400.0


class _Clock:
    """A process's clocks, as the scheduler asks them."""

    def __init__(self, process: Process) -> None:
        self.now: Callable[[], datetime] = process.wall
        self.monotonic: Callable[[], float] = process.mono


class _Kept(dict[str, dict[str, Any]]):
    """A table in memory, whose rows also go elsewhere."""

    def __init__(self, write: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._write = write

    def __setitem__(self, key: str, row: dict[str, Any]) -> None:
        super().__setitem__(key, row)
        self._write(row)


class LapseScheduler(Process):
    """One process of the scheduler; it fires the one shard while that is assigned to it."""

    world: "Lapse"

    def __init__(self, world: "Lapse", name: str, group: Group) -> None:
        super().__init__(world, name)
        self.group = group
        self.held: Held | None = None

    # -- life -----------------------------------------------------------------------------

    def started(self) -> None:
        """Begin with nothing in memory."""
        self.held, self._out, self._busy = None, None, False
        self._recent, self._file = None, dict[str, Job]()
        self._told_at: dict[tuple[str, int], float] = {}
        self._clock_check = ClockCheck(LOOK_AHEAD_S, _Clock(self))
        self._sleeping = 0
        self._table, self._kept = Table(self.world.cursor_log), Table(self.world.kept_jobs)
        self.group.join(self)

    _out: Out | None
    _busy: bool
    _recent: Recent | None
    _file: dict[str, Job]
    _table: Table
    _kept: Table

    @property
    def mine(self) -> bool:
        """Whether it takes the shard for its own."""
        return self.held is not None

    def crash(self, down_s: float) -> None:
        """The group finds out later."""
        if self.alive:
            self.settle()
            self.group.silent(self)
            self.held = None
        super().crash(down_s)

    def drain(self, _: float, down_s: float) -> None:
        """Stop in good order: nothing of it runs on."""
        self.settle()
        self.held, self.draining = None, True
        self.group.leave(self)
        super().crash(down_s)

    def revoked(self) -> None:
        """What is being published goes on; the cursor stays where it is."""
        self.settle()
        self.held = None

    def assigned(self, partitions: set[int]) -> None:
        """Begin from the row of the table."""
        if not partitions:
            return
        row = self._table.read()
        self.world.see_row(self._table, row)
        table = _Kept(self._write)
        if row is not None:
            dict.__setitem__(table, "0", row)
        kept = None if row is None else Cursor.from_row(row)
        shard = Shard(LOOK_AHEAD_S, kept.holds if kept else None)
        rows = Rows(table, _SETTINGS, lambda: {"level": self.world.level})
        sender = cast("Any", self)
        time = _Clock(self)
        self.held = Held(kept or Cursor(0, time.now()), shard, rows, sender, time)
        self.held.kept = kept
        self._out, self._busy = None, False
        self._take_jobs(self.held)
        self._wake()

    def _take_jobs(self, held: Held) -> None:
        """Learn the jobs: from what is kept of them, where that is enough."""
        if self._recent is None:
            row = self._kept.read()
            self._recent = Recent() if row is None else Recent.from_row(row)
        recent, jobs = self._recent, self.world.jobs.messages
        self.world.growth.note_scheduler(
            self._table.messages_read, len(recent.definitions()) + len(jobs) - recent.position
        )
        for offset, (_, [job]) in enumerate(jobs[recent.position :], recent.position):
            recent.fold(offset, encode(job))
        self._file = {definition.job.name: definition.job for definition in recent.definitions()}
        if recent.serves(held.cursor):
            definitions = [(one.job, one.revision) for one in recent.definitions()]
        else:
            self.world.count["all of jobs was read"] += 1
            definitions = [(job, offset) for offset, (_, [job]) in enumerate(jobs)]
        for job, revision in definitions:
            held.shard.learn(job, revision)
        held.seen = recent.seen
        self._keep_jobs()

    def _keep_jobs(self) -> None:
        """Write what is known of the jobs, so that nobody reads all of the topic."""
        if self._recent is not None and self.loop.now >= self.out_of_reach_until:
            row = self._recent.to_row()
            self._kept.write(self.loop.now, self._kept.cut(row))
            self.world.growth.note_jobs(row)

    # -- rows -----------------------------------------------------------------------------

    def _write(self, row: dict[str, Any]) -> None:
        if self.loop.now >= self.out_of_reach_until:
            self._table.write(self.loop.now, self._table.cut(row))
            self.world.growth.note_cursor(row)

    def write_late(self) -> None:
        """Write its row once more: it was stopped, and does not know that others went on."""
        if self.held is not None and self.held.row is not None:
            self.world.count["cursors that came late"] += 1
            self._write(self.held.row)
            # Who has the shard writes a row each third of the look-ahead, if it is awake.
            for other in self.world.schedulers:
                if other is not self:
                    other.later(LOOK_AHEAD_S / 3, other.settle)

    def settle(self) -> None:
        """Do what the ticks of the time would have done in which it slept: nothing was due."""
        held = self.held
        if held is None or self._busy or not self.fit or not self._is_trusted():
            return
        plan = held.shard.plan(held.cursor, self.wall())
        if plan.complete and not plan.messages:
            held.accept(Out(plan, Sent(), self.mono(), set()))

    # -- ticks ----------------------------------------------------------------------------

    def poke(self) -> None:
        """Something has changed while it may sleep: the file, or a clock."""
        if self.alive and self.held is not None:
            self._wake()

    def _wake(self, after_s: float = 0.0) -> None:
        self._sleeping += 1
        self.later(after_s, partial(self._tick, self._sleeping))

    def _tick(self, number: int) -> None:
        if number == self._sleeping and self.held is not None:
            self.when_reached(partial(self._step, self.held))
            self._wake(self._pause_s())

    def _pause_s(self) -> float:
        """Return how long nothing has to be done, as far as it knows."""
        held = self.held
        if held is None or self._busy or not self.fit:
            return _TICK_S
        if not self._is_trusted() or held.stragglers:
            return _LOOK_S
        if self._has_news(held):
            return _TICK_S
        due = held.shard._agenda._heap
        if held.shard._agenda_at is None or not due:
            return _TICK_S if held.shard._agenda_at is None else _LONG_S
        at = seconds(due[0][0]) - self.skew - LOOK_AHEAD_S - _TICK_S
        return max(_TICK_S, at - self.loop.now)

    def _has_news(self, held: Held) -> bool:
        return held.seen.position < len(self.world.jobs.messages) or bool(
            self.world.edits(self._file)
        )

    def _is_trusted(self) -> bool:
        at = moment(self.loop.now + self.world.ticks_ahead_s)
        self._clock_check.measure(self.wall(), at, self._clock_check.offset())
        return self._clock_check.is_trusted

    def _step(self, held: Held) -> None:
        if self.held is not held:
            return
        if self.world.level > self.knows:
            self.crash(0.5)
            return
        if not self._is_trusted():
            self.world.count["ticks given up, for their clock"] += 1
            return
        if self._busy:
            self._see_who_is_silent(held)
            return
        if held.cursor.is_ahead(self.wall()) and self._clock_check.agrees:
            self._set_back(held)
            return
        self._learn(held)
        edits = self.world.edits(self._file)
        if edits:
            self._publish_edits(held, edits)
        elif not self._announce(held):
            self._fire(held)

    def _set_back(self, held: Held) -> None:
        """Go on from now (``scheduler.firing``): a clock that was ahead is right again."""
        self.world.count["cursors set back"] += 1
        behind = {place: straggler.lag for place, straggler in held.stragglers.items()}
        cursor = replace(held.cursor, behind=behind).set_back(self.wall())
        self._write({**(held.row or {}), **cursor.to_row()})
        self.assigned({0})

    def _learn(self, held: Held) -> None:
        jobs, recent = self.world.jobs.messages, self._recent
        if recent is None or held.seen.position == len(jobs):
            return
        for offset, (_, [job]) in enumerate(jobs[held.seen.position :], held.seen.position):
            held.shard.learn(job, offset)
            recent.fold(offset, encode(job))
            self._file[job.name] = job
        held.seen = recent.seen
        self._keep_jobs()

    def _publish_edits(self, held: Held, edits: list[Job]) -> None:
        changes = [job.derive(effective_from=self.wall()) for job in edits]
        self._put_all(held, [(self.world.jobs, job) for job in changes])

    def _announce(self, held: Held) -> bool:
        """Say on each log what may stand there, each day again; return whether that is needed."""
        if self.knows == 1:
            return False
        self.world.level = max(self.world.level, self.knows)
        now, due = self.mono(), []
        for cluster in sorted(held.shard.clusters):
            for retry in (False, True):
                for log in self.world.logs_of(retry=retry, cluster=cluster):
                    told_at = self._told_at.get((log.name, log.partition), -_REPEAT_S)
                    if now - told_at >= _REPEAT_S and not self._is_down(log):
                        self._told_at[log.name, log.partition] = now
                        due.append((log, Level(level=self.knows)))
        if due:
            self._put_all(held, due)
        return bool(due)

    def _put_all(self, held: Held, records: list[tuple[Any, Any]]) -> None:
        left, self._busy = len(records), True

        def acknowledged(_: int, __: datetime) -> None:
            nonlocal left
            left -= 1
            if not left and self.held is held:
                self._busy = False
                self._wake()

        for log, record in records:
            self.put(log, record, acknowledged)

    # -- firing ---------------------------------------------------------------------------

    def place_of(self, cluster: str, job: str) -> Place:
        """Return the partition of a cluster's log that has a job's entries."""
        return Place(cluster, self.world.topics.partition_of(job))

    def behind(self, sent: Sent) -> set[Place]:
        """Return the partitions that have not acknowledged all that was sent to them."""
        return {self.place_of(cluster, entry.job) for cluster, entry in sent.waiting.values()}

    def _log(self, place: Place) -> SegmentedLog:
        return self.world.topics.log(NAMES.log(place.cluster), place.partition)

    def _is_down(self, log: Any) -> bool:
        return bool(self.loop.now < log.down_until)

    def _fire(self, held: Held) -> None:
        plan = held.shard.plan(held.cursor, self.wall())
        if plan.noted is not None and plan.messages:
            held.write(plan.noted)
        places = {self.place_of(cluster, entry.job) for cluster, entry in plan.messages}
        places -= held.stragglers.keys()
        silent = {place for place in places if self._is_down(self._log(place))}
        away = silent | held.stragglers.keys()
        messages = [m for m in plan.messages if self.place_of(m[0], m[1].job) not in away]
        sent = self._send(held, messages)
        self._out, self._busy = Out(plan, sent, self.mono(), silent), True
        self._see_whether_it_is_through(held)

    def _send(self, held: Held, messages: list[Planned]) -> Sent:
        sent = Sent(len(messages))
        for cluster, entry in messages:
            token: Any = object()
            sent.waiting[token] = cluster, entry

            def acknowledged(_: int, __: datetime, token: Any = token) -> None:
                del sent.waiting[token]
                if not sent.waiting and self.held is held:
                    self._see_whether_it_is_through(held)
                    self._advance(held)

            log = self._log(self.place_of(cluster, entry.job))
            self.put(log, lowered(entry, self.knows), acknowledged)
        return sent

    def _see_who_is_silent(self, held: Held) -> None:
        if self._out is not None and self.mono() - self._out.at >= _PATIENCE_S:
            self.world.count["partitions set aside"] += 1
            self._accept(held, self._out)

    def _see_whether_it_is_through(self, held: Held) -> None:
        if self._out is not None and not self._out.sent.waiting:
            self._accept(held, self._out)

    def _accept(self, held: Held, out: Out) -> None:
        self._out, self._busy = None, False
        held.accept(out)
        self.step("cursor set")
        self._tend(held)
        self._wake(self._pause_s() if out.plan.complete else 0.0)

    def _tend(self, held: Held) -> None:
        """Publish what partitions lack that take something again (``scheduler.lagging``)."""
        self._advance(held)
        for lag, places in self._free(held).items():
            step = held.catch_up(lag, places)
            if step.noted is not None:
                for place in places:
                    held.stragglers[place].lag = step.noted
                held.note()
            sent = self._send(held, list(step.messages))
            for place in places:
                held.stragglers[place].sent, held.stragglers[place].reached = sent, step.reached
        self._advance(held)

    def _advance(self, held: Held) -> None:
        """Take what has been acknowledged, and let go of who is there."""
        for place, one in held.stragglers.items():
            if one.sent is not None and place not in self.behind(one.sent):
                one.lag = one.lag if one.reached is None else one.reached
                one.sent = one.reached = None
        done = [p for p, one in held.stragglers.items() if held.has_reached(one.lag)]
        for place in done:
            del held.stragglers[place]

    def _free(self, held: Held) -> dict[Lag, set[Place]]:
        groups: dict[Lag, set[Place]] = {}
        for place, one in held.stragglers.items():
            takes = one.sent is None and not self._is_down(self._log(place))
            if takes and self._is_told(place) and not held.has_reached(one.lag):
                groups.setdefault(one.lag, set()).add(place)
        return groups

    def _is_told(self, place: Place) -> bool:
        return self.knows == 1 or (NAMES.log(place.cluster), place.partition) in self._told_at
