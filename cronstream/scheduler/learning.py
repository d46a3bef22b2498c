"""Learns what has come on ``jobs``: all of it, or of very much a part at a time.

A shard that learnt hundreds of thousands of revisions before it publishes anything would be late
with what has nothing to do with them, and with a plan too large to be published in time. So it
takes them into force in parts, each with what is due meanwhile, as a scheduler would to which they
come one after another: what is not edited goes on on time, and an edit is in force once its turn
has come. One that was away for longer than an edit reaches back (`REACH`) makes up for that only as
far as it knows what held then: what it published before would stand.
"""

import asyncio
import logging
from collections.abc import Callable

from cronstream.core.planning.due import REACH
from cronstream.core.planning.recent import Seen
from cronstream.core.planning.sharing import same
from cronstream.core.wire.job_messages import Definition, decode_house
from cronstream.errors import CronstreamError
from cronstream.logs import fields
from cronstream.scheduler.foreign import belongs
from cronstream.scheduler.holding import Held
from cronstream.scheduler.plan_log import second
from cronstream.scheduler.world import Clock, JobsReader
from cronstream.topology.installation_level import see_that_it_is_open
from cronstream.topology.jobs import PART, JobsLog, read_on, see_that_it_goes_on
from cronstream.topology.log_message import LogMessage
from cronstream.topology.quarantine import in_short

logger = logging.getLogger(__name__)


class Learning:
    """Has the shards of this process learn what stands on their ``jobs`` partitions."""

    def __init__(self, reader: JobsReader, jobs: JobsLog, clock: Clock) -> None:
        #: Puts aside what cannot be read, and why.
        self.on_refused: Callable[[LogMessage, str], None] = lambda _, __: None
        #: Is given where the partition of a shard ends, whenever that was asked.
        self.on_end: Callable[[int, int], None] = lambda _, __: None
        #: Whether this process is putting jobs there, which is to be through first.
        self.waits: Callable[[], bool] = lambda: False
        self._reader, self._jobs, self._clock = reader, jobs, clock

    async def learn(self, number: int, held: Held) -> None:
        """Learn what has come of a shard, or a part of it: `Held.unlearnt` says what is left.

        Raises:
            CronstreamError: If it is not the topic any more that was read before.
            HouseError: If nobody may work in the installation any more.
            LevelError: If it was raised to a level that is not known here.
        """
        if held.row is None and not held.taken_over:
            await self._see_that_it_is_new(number)
        end = (await self._reader.ends(self._reader.names.jobs, [number]))[number]
        self.on_end(number, end)
        if held.seen.position == 0 and not held.knew_all:
            await see_that_it_goes_on(self._reader, number, held.left, end)
            await self._begin(number, held)
        await self._read(number, held, end)
        see_that_it_is_open(held.house)
        self._note(number, held, end - held.seen.position)
        is_behind = held.cursor.at <= self._clock.now() - REACH
        held.known_to = held.told_last if held.unlearnt and is_behind else None

    async def _begin(self, number: int, held: Held) -> None:
        """Learn what is known here, though that may take longer than a tick.

        A later tick goes on to wait for it: two at a time would learn each job twice.
        """
        beginning = held.beginning or asyncio.create_task(self._learn_known(number, held))
        held.beginning = beginning
        try:
            await asyncio.shield(beginning)
        finally:
            held.beginning = None if beginning.done() else beginning

    async def _learn_known(self, number: int, held: Held) -> None:
        """Learn what this process knows of what the shard had read, if it knows enough."""
        if held.left.position:
            recent = await self._jobs.read_to(number, held.left.position)
        else:
            recent = (await self._jobs.read_on()).of[number]
        if recent.serves(held.cursor):
            seen = held.left if held.left.position else recent.seen
            shards, before = len(self._jobs.known.of), seen.position
            told = [d for d in recent.definitions() if d.revision < before]
            known = [d for d in told if belongs(d.job, number, shards)]
            house = recent.house
            for first in range(0, len(known), PART):
                await asyncio.to_thread(held.learn, known[first : first + PART])
                self._jobs.on_move(number)
            held.seen, held.house = seen, house

    async def _read(self, number: int, held: Held, end: int) -> None:
        """Read on from where the shard has come to, and learn that."""
        learnt, goes_in_parts = 0, _goes_in_parts(held)

        def take(message: LogMessage) -> bool:
            nonlocal learnt
            learnt += self._fold(held, message)
            is_behind = held.seen.position < held.left.position
            return goes_in_parts and learnt >= PART and not is_behind

        until = end
        if goes_in_parts and self.waits():
            until = min(end, max(held.left.position, held.seen.position))
        await read_on(self._reader, {number: held.seen}, {number: until}, take)

    def _fold(self, held: Held, message: LogMessage) -> int:
        """Learn what a message says; return how much that is, in jobs."""
        jobs, refused = self._jobs.decoded.jobs_of(message.value)
        shards, here = len(self._jobs.known.of), message.partition
        ours = [job for job in jobs if belongs(job, here, shards)]
        believed, recent = filter(self._jobs.believes, ours), self._jobs.known.of[here]
        held.learn(same(Definition(j, message.offset), recent.last(j.name)) for j in believed)
        if len(ours) < len(jobs):
            others = (job for job in jobs if not belongs(job, here, shards))
            refused = [*refused, *(f"job {j.name!r} belongs to another partition" for j in others)]
        if refused and message.offset >= held.left.position:  # Else who had the shard has done so.
            self.on_refused(message, in_short(refused))
        held.house = decode_house(message.value) or held.house
        held.seen = Seen.after(message.offset, message.value)
        self._jobs.on_move(message.partition)
        return max(1, len(jobs))

    def _note(self, number: int, held: Held, unlearnt: int) -> None:
        """Say what a shard knows now, where that is news."""
        if not held.taken_over:
            held.taken_over = True
            where = second(held.cursor.at) if held.row else "new"
            about = fields("shard-taken", shard=number, jobs=held.shard.jobs)
            text = "shard %d: taken over, cursor %s, %d jobs"
            logger.info(text, number, where, held.shard.jobs, extra=about)
        if unlearnt and not held.unlearnt:
            about = fields("edits-in-parts", shard=number)
            text = "shard %d: edits are being put in force in parts (messages to be read: %d)"
            logger.info(text, number, unlearnt, extra=about)
        elif held.unlearnt and not unlearnt:
            about = fields("edits-in-force", shard=number)
            logger.info("shard %d: all edits are in force", number, extra=about)
        held.unlearnt = unlearnt
        held.knew_all |= not unlearnt

    async def _see_that_it_is_new(self, number: int) -> None:
        """A shard without a cursor begins now: what was due before would be lost, if it had one.

        Raises:
            CronstreamError: If the table's changelog has messages: the table was not recovered.
        """
        topic = self._reader.names.cursors
        end = (await self._reader.ends(topic, [number]))[number]
        if end:
            raise CronstreamError(
                f"the table has no cursor for it, though {topic}/{number} has had {end}: it was "
                "not recovered"
            )


def _goes_in_parts(held: Held) -> bool:
    """Whether a shard may publish before it has learnt all that has come.

    One without a cursor would look back to when old definitions were in force: it may not, unless
    it has known all there was before, as of a topic without jobs. Nor may one that has a plan to
    repeat, where it does not know what that was made with.
    """
    cursor = held.cursor
    has_begun = cursor.taken > 0 or held.knew_all
    return has_begun and (cursor.noted is None or bool(held.left.mark))
