"""What this process knows of the shards that it fires: jobs, cursor, and what is out of each."""

import asyncio
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cronstream.core.cursor import Cursor
from cronstream.core.due import Plan, Shard
from cronstream.errors import CronstreamError, MessageError
from cronstream.scheduler.ports import Clock
from cronstream.settings import Settings
from cronstream.topology.publish import Ack

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Out:
    """A plan that has been sent, with what the broker has not yet acknowledged of it."""

    plan: Plan
    waiting: set[asyncio.Future[Ack]]


@dataclass(slots=True)
class Held:
    """One shard that this process fires.

    Attributes:
        row: The row of its cursor that this process read or wrote last; if another stands in
            the table, somebody else has fired the shard meanwhile, and it is loaded again.
        kept: The cursor of that row; None if there is none that can be read.
        position: Offset up to which its ``jobs`` partition has been read.
        fired_at: When it was last planned, by the monotonic clock.
    """

    shard: Shard
    cursor: Cursor
    row: dict[str, Any] | None
    kept: Cursor | None
    position: int = 0
    taken_over: bool = False
    fired_at: float = float("-inf")
    out: Out | None = None


class Holdings:
    """The shards that are held, and the table of their cursors."""

    def __init__(
        self, settings: Settings, cursors: MutableMapping[str, dict[str, Any]], clock: Clock
    ) -> None:
        self._settings, self._cursors, self._clock = settings, cursors, clock
        self._held: dict[int, Held] = {}
        self._numbers = {"shards": settings.shards, "partitions": settings.partitions}
        self._rest = timedelta(seconds=settings.look_ahead_s / 3)

    def hold(self, number: int) -> Held:
        """Return the shard, begun anew if its cursor is not what this process left.

        Raises:
            CronstreamError: If it was written with other numbers of shards or partitions.
        """
        row, held = self._cursors.get(str(number)), self._held.get(number)
        if held is None or held.row != row:
            kept = self._kept(number, row)
            cursor = kept or Cursor(number, self._clock.now())
            held = Held(Shard(self._settings.look_ahead_s), cursor, row, kept)
            self._held[number] = held
        return held

    def write(self, number: int, held: Held, cursor: Cursor) -> None:
        """Put a cursor in the table: it is what this process leaves."""
        row = {**cursor.to_row(), **self._numbers}
        held.row = self._cursors[str(number)] = row
        held.kept = cursor

    def move(self, number: int, held: Held, plan: Plan) -> None:
        """Take the cursor of a plan that has been published; write it if something was.

        While nothing is due it is written now and then: well within the look-ahead, so that who
        takes over is not behind.
        """
        cursor = plan.cursor
        is_more = held.kept is None or cursor.says_more(held.kept, self._rest)
        if cursor != held.cursor and (plan.messages or is_more):
            self.write(number, held, cursor)
        held.cursor = cursor

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
            logger.error("shard %d: %s; it begins anew, an hour ago", number, reason)
        return None

    def _see_that_nothing_has_moved(self, row: dict[str, Any]) -> None:
        """Refuse a row that was written with other numbers: a job's messages would go elsewhere.

        There nobody would know what became of it before, nor of an edit.
        """
        for name, mine in self._numbers.items():
            was = row.get(name, mine)
            if was != mine:
                setting = f"CRONSTREAM_{name.upper()}"
                raise CronstreamError(
                    f"this installation was begun with {was} {name}, and {setting} is {mine}: "
                    f"set {setting} to {was} for every process; nothing is published until then"
                )
