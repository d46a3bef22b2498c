"""What this process knows of the shards that it fires: jobs, cursor, and what is out of each."""

import asyncio
import logging
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.planning.due import Shard
from cronstream.core.planning.plan import CatchUp, Plan
from cronstream.core.planning.recent import Seen
from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import Definition
from cronstream.errors import CronstreamError, MessageError, ScheduleError, ZoneError
from cronstream.logs import fields
from cronstream.scheduler.lagging import Straggler
from cronstream.scheduler.sending import Sender, Sent
from cronstream.scheduler.world import Clock
from cronstream.scheduler.zones import Zoneless
from cronstream.settings import Settings

logger = logging.getLogger(__name__)

_Row = dict[str, Any]


class Rows:
    """The table of cursors; each row says for which numbers of shards and partitions it holds.

    And how far ``jobs`` was read, which level it had announced there, and on which Kafka that was.

    Attributes:
        numbers: How many shards and partitions there are.
        rest: While nothing is due a row may be this far behind: well within the look-ahead, so that
            who takes over is not.
    """

    def __init__(
        self, table: MutableMapping[str, _Row], settings: Settings, noted: Callable[[], _Row]
    ) -> None:
        self._table, self._noted = table, noted
        self.rest = timedelta(seconds=settings.look_ahead_s / 3)
        self.numbers = {"shards": settings.shards, "partitions": settings.partitions}

    def get(self, shard: int) -> _Row | None:
        """Return the row of a shard, if it has one."""
        return self._table.get(str(shard))

    def seen(self, shard: int) -> Seen | None:
        """Return how far ``jobs`` was read when the row of a shard was written, if it says so."""
        noted = (self.get(shard) or {}).get("jobs")
        try:
            return Seen(int(noted["position"]), str(noted["mark"])) if noted else None
        except (KeyError, OverflowError, TypeError, ValueError):
            return None  # It is damaged, and all is read.

    def put(self, cursor: Cursor, seen: Seen) -> _Row:
        """Put a cursor in the table, and return its row."""
        jobs = {**seen._asdict(), **self._noted()}
        row = {**cursor.to_row(), **self.numbers, "jobs": jobs}
        self._table[str(cursor.shard)] = row
        return row


@dataclass(slots=True)
class Out:
    """A plan that has been sent, when, and where it could not be sent to."""

    plan: Plan
    sent: Sent
    at: float
    silent: set[Place]


class Held:
    """One shard that this process fires.

    Attributes:
        row: The row of its cursor that this process read or wrote last; if another stands in
            the table, somebody else has fired the shard meanwhile, and it is loaded again.
        kept: The cursor of that row; None if there is none that can be read.
        stragglers: The partitions that are behind its cursor.
        left: How far its ``jobs`` partition had been read when the row was written.
        seen: How far it has been read here.
        unlearnt: How many messages there were still to be read when that was last seen to.
        knew_all: Whether there were none once, in this process.
        published: How far ``jobs`` had been read when the plan was made that was accepted last.
        known_to: Up to when it may be planned with what has been learnt; None if as far as ever.
        told_last: From when what was learnt last is to hold.
        house: The last word there on whether processes may work here.
        fired_at: When it was last planned, by the monotonic clock.
    """

    def __init__(
        self,
        cursor: Cursor,
        shard: Shard,
        rows: Rows,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self.shard, self.cursor = shard, cursor
        self.kept: Cursor | None = None
        self._rows, self._sender, self._clock = rows, sender, clock
        self.row = rows.get(cursor.shard)
        self.stragglers = {place: Straggler(lag) for place, lag in cursor.behind.items()}
        self.left = rows.seen(cursor.shard) or Seen(cursor.taken)
        self.seen = Seen(0)
        self.unlearnt = self.published = 0
        self.knew_all = False
        self.known_to: datetime | None = None
        self.told_last = cursor.at
        self.house: House | None = None
        #: The jobs that are set aside for their time zones, by name, with the cluster of each.
        self.zoneless: dict[str, tuple[str, Zoneless]] = {}
        #: Has it learn what this process knows of its jobs, while that is under way.
        self.beginning: asyncio.Task[None] | None = None
        self.taken_over = False
        self.fired_at = float("-inf")
        self.out: Out | None = None

    def learn(self, definitions: Iterable[Definition]) -> None:
        """Learn definitions, and say what is wrong with schedules in them.

        What this version cannot read, none of its level can, so that costs only itself. But a time
        zone may be known to another machine: nothing is announced where such a job belongs.
        """
        for job, revision in definitions:
            was_zoneless, problem = self.zoneless.pop(job.name, None), ""
            self.told_last = job.effective_from or self.told_last
            try:
                self.shard.learn(job, revision)
            except ZoneError:
                self.zoneless[job.name] = job.cluster, Zoneless(job.name, job.timezone)
            except ScheduleError as error:
                problem = str(error)
            if problem:
                about = fields("job-unreadable", job=job.name)
                logger.error("%s; it does not run until it is edited", problem, extra=about)
            if was_zoneless and self.taken_over and job.name not in self.zoneless:
                what = "what was due of it before, by a zone that is not known here, is not run"
                about = fields("job-changed", job=job.name)
                logger.warning("job %r has changed, and %s", job.name, what, extra=about)

    def unread(self) -> dict[Place, Zoneless]:
        """Return where nothing may be announced, since the time zone of a job is not known here."""
        place_of = self._sender.place_of
        return {place_of(cluster, job): why for job, (cluster, why) in self.zoneless.items()}

    def write(self, cursor: Cursor) -> None:
        """Put a cursor in the table: it is what this process leaves."""
        behind = {place: straggler.lag for place, straggler in self.stragglers.items()}
        noted = replace(cursor if behind else cursor.without_old_holds(), behind=behind)
        self.row, self.kept = self._rows.put(noted, self.seen), noted

    def accept(self, out: Out) -> None:
        """Take a plan as published, but for where it was not taken: that is set aside."""
        plan, reached = out.plan, Lag(out.plan.cursor.at, out.plan.cursor.taken)
        for place in self._sender.behind(out.sent):
            self.stragglers[place] = Straggler(plan.base, out.sent, reached)
        for place in out.silent | out.sent.refused:
            self.stragglers[place] = Straggler(plan.base)
        cursor = replace(plan.cursor, holds={**plan.cursor.holds, **plan.holds})
        if plan.cursor != self.cursor and (plan.messages or self._says_more(cursor)):
            self.write(cursor)
        self.shard.accept(plan, [straggler.lag for straggler in self.stragglers.values()])
        self.cursor = cursor if self.stragglers else cursor.without_old_holds()
        self.out, self.published = None, self.seen.position

    def _says_more(self, cursor: Cursor) -> bool:
        """Whether a cursor is worth a row, though nothing has been published before it."""
        kept = self.kept
        if kept is None or kept.behind or self.stragglers:
            return True
        return cursor.says_more(kept, self._rows.rest)

    def catch_up(self, lag: Lag, places: set[Place]) -> CatchUp:
        """Return what partitions lack that are equally far."""
        place_of = self._sender.place_of
        return self.shard.catch_up(
            lag,
            self.cursor,
            self._clock.now(),
            lambda cluster, job: place_of(cluster, job) in places,
        )

    def note(self) -> None:
        """Write down how far the stragglers are."""
        self.write(self.cursor)

    def has_reached(self, lag: Lag) -> bool:
        """Whether the shard itself is no further."""
        return lag.at >= self.cursor.at and lag.taken >= self.cursor.taken

    def clusters(self) -> set[str]:
        """Return the clusters of the jobs in force."""
        return self.shard.clusters


class Holdings:
    """The shards that are held, and the table of their cursors."""

    def __init__(self, settings: Settings, rows: Rows, sender: Sender, clock: Clock) -> None:
        self._settings, self._rows, self._sender, self._clock = settings, rows, sender, clock
        self._held: dict[int, Held] = {}

    def hold(self, number: int) -> Held:
        """Return the shard, begun again if its cursor is not what this process left.

        Raises:
            CronstreamError: If it was written with other numbers of shards or partitions.
        """
        row, held = self._rows.get(number), self._held.get(number)
        if held is None or held.row != row:
            kept = self._kept(number, row)
            shard = Shard(self._settings.look_ahead_s, kept.holds if kept else None)
            cursor = kept or Cursor(number, self._clock.now())
            held = Held(cursor, shard, self._rows, self._sender, self._clock)
            held.kept = kept
            self._held[number] = held
        return held

    def set_back(self, number: int, to: datetime) -> None:
        """Have the shard begin again from a time, as far as it is beyond it."""
        held = self._held.pop(number)
        behind = {place: straggler.lag for place, straggler in held.stragglers.items()}
        self._rows.put(replace(held.cursor, behind=behind).set_back(to), held.seen)

    def is_right(self, numbers: Iterable[int]) -> bool:
        """Whether shards are held, and none of them is far ahead of the clock."""
        now = self._clock.now()
        return all(n in self._held and not self._held[n].cursor.is_ahead(now) for n in numbers)

    def has_in_force(self, number: int, position: int) -> bool:
        """Whether the shard is held, and has published by what stands below a position."""
        return number in self._held and self._held[number].published >= position

    def forget(self, number: int) -> None:
        """Have the shard loaded again when it is next held."""
        self._held.pop(number, None)

    def forget_others(self, shards: frozenset[int]) -> list[int]:
        """Forget all shards but these, and return which were held."""
        others = sorted(set(self._held) - shards)
        for number in others:
            del self._held[number]
        return others

    @property
    def shards(self) -> dict[int, Shard]:
        """The shards that are held, by number."""
        return {number: held.shard for number, held in self._held.items()}

    def learnt(self, number: int, name: str) -> Definition | None:
        """Return what a shard has learnt of a job last; None if it is not held, or has not."""
        held = self._held.get(number)
        found = None if held is None else held.shard.latest(name)
        return None if found is None else Definition(found.job, found.number)

    def ahead_s(self) -> float | None:
        """Return how many seconds the shard is ahead of now that is least; None without any."""
        now = self._clock.now()
        ahead = [(held.cursor.at - now).total_seconds() for held in self._held.values()]
        return min(ahead, default=None)

    def zoneless(self, number: int) -> list[Zoneless]:
        """Return the jobs of a shard that are set aside for their time zones."""
        held = self._held.get(number)
        return [] if held is None else [why for _, why in held.zoneless.values()]

    def is_settled(self, number: int) -> bool:
        """Whether the shard is held, and nothing of it is out."""
        return number in self._held and self._held[number].out is None

    def _kept(self, number: int, row: dict[str, Any] | None) -> Cursor | None:
        if row is not None:
            self._see_that_nothing_has_moved(row)
            try:
                return Cursor.from_row(row)
            except MessageError as error:
                reason = error
            text = "shard %d: %s; it starts again from an hour ago"
            logger.error(text, number, reason, extra=fields("cursor-lost", shard=number))
        return None

    def _see_that_nothing_has_moved(self, row: dict[str, Any]) -> None:
        """Refuse a row that was written with other numbers: a job's messages would go elsewhere.

        There nobody would know what became of it before, nor of an edit.
        """
        for name, mine in self._rows.numbers.items():
            was = row.get(name, mine)
            if was != mine and type(was) is int:
                setting = f"CRONSTREAM_{name.upper()}"
                raise CronstreamError(
                    f"this installation was begun with {was} {name}, and {setting} is {mine}: "
                    f"set {setting} to {was} for every process; nothing is published until then"
                )
