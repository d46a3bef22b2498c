"""How a worker reads its log: each message is folded once, in order, whichever way it comes.

The way in is Faust's stream of the log, or, for partitions that are held but not assigned, a
plain consumer; both feed `_receive`, where a message counts once, by its offset. A gap in what the
stream brings (a committed offset is ahead of the snapshot after a crash) is read from the log.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.ledger.admission import Place
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import News, SkipNews
from cronstream.core.protocol.member import Member
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError, LevelError, TruncatedError
from cronstream.logs import fields
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.worker_counts import (
    MISPLACED,
    NOT_FOLDED,
    OUT_OF_BOUNDS,
    UNREADABLE,
    Folded,
    WorkerCounts,
)
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Ack, partition_of
from cronstream.topology.quarantine import Quarantine, in_short
from cronstream.topology.reading import Reader
from cronstream.tracing.run_spans import RunSpans
from cronstream.worker.refusals import RefusalWatch
from cronstream.worker.run_lines import RunLines
from cronstream.worker.tenure import Tenure

logger = logging.getLogger(__name__)

#: How long what is followed is waited for, before it is seen whether that is still what to follow.
_FOLLOW_S = 0.1
#: The same while all that is held is this worker's, which ends by `Folding.assigning`.
_REST_S = 2.0
#: Before what could not be read is tried again.
_AGAIN_S = 0.5
#: What is there is folded for so long at once; then others have their turn.
_AT_ONCE_S = 0.02
#: How long the stream has to bring a worker's own `Owned`, before it is read without the stream.
_OWNED_WITHIN_S = 0.5
#: How long a worker that ends may read what it has put on its log.
_TO_END_S = 2.0

OnChange: TypeAlias = Callable[[datetime, list[Entry], list[News | SkipNews]], None]


class Folding:
    """Reads the log of one worker into its member.

    Attributes:
        on_read: Is called whenever something was read.
        on_change: Is given what a message has changed, if that is this worker's to note: when it
            was appended, its entries, and the news.
        assigning: Is set whenever a rebalance begins, or is over, or a ledger is there to borrow.
        tenure: Knows of what is this worker's to note, whoever has read it.
        counts: Counts that; `spans` traces it, if runs are traced.

    Args:
        on_fatal: Is given the reason when nothing can be read any more as it has to be.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role,
        member: Member,
        quarantine: Quarantine,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._settings, self._role, self._member = settings, role, member
        self._log = settings.names.log_of(role)
        self._quarantine, self._on_fatal = quarantine, on_fatal
        self.on_read: Callable[[], None] = lambda: None
        self.on_change: OnChange = lambda _at, _entries, _news: None
        self._gaps, self._follower = Reader(settings), Reader(settings)
        self.refusals, self._lines, self.tenure = RefusalWatch(), RunLines(), Tenure(member)
        self.counts, self.spans = WorkerCounts(Metrics(), role), RunSpans()
        self._catching_up, self.assigning = asyncio.Lock(), asyncio.Event()
        self._has_ended, self._breathed_at = False, float("-inf")

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        await asyncio.gather(self._gaps.start(), self._follower.start())

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._gaps.stop(), self._follower.stop())

    async def fold(self, stream: Any) -> None:
        """Fold the log; the body of this role's agent. Nothing waits in the stream.

        It yields nothing: what an agent yields Faust sends to whichever topic a message names in
        its header ``Faust-Ag-ReplyTo``, and while there is none it folds nothing, for minutes.
        """
        async for event in stream.events():
            raw = event.message
            at = datetime.fromtimestamp(raw.timestamp, UTC)
            await self._receive(
                LogMessage(raw.topic, raw.partition, raw.offset, at, raw.key, raw.value)
            )

    async def follow_for_ever(self) -> None:
        """Read what no stream brings: see `Member.to_follow`."""
        following: set[int] = set()
        while True:
            self.assigning.clear()
            wanted = {p for p in self._member.to_follow() if p in self._member.ledgers}
            if wanted != following:
                places = {p: self._member.ledgers[p].book.next_offset for p in wanted}
                self._follower.follow({TopicPartition(self._log, p): o for p, o in places.items()})
                following = wanted
            if self._member.keeps_all:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.assigning.wait(), _REST_S)
                continue
            try:
                came = await self._follower.poll(_FOLLOW_S)
            except (KafkaError, OSError) as error:
                logger.debug("%s: nothing could be followed (%s)", self._log, error)
                await asyncio.sleep(_AGAIN_S)
                continue
            for message in came:
                await self._receive(message)

    async def _receive(self, message: LogMessage) -> None:
        if self._has_ended:
            return  # What could not be folded is not passed over.
        before, ledger = None, self._member.ledgers.get(message.partition)
        while ledger and ledger is not before and message.offset > ledger.book.next_offset:
            try:
                await self._catch_up(message.partition, message.offset)
            except TruncatedError as error:
                self._end(str(error))
                return  # Not folded: what was before it is lost.
            except (BrokerError, KafkaError, OSError) as error:
                # Its reader, the stream or the loop above, would end by it, and the worker too.
                logger.debug("partition %d: a gap is not read yet (%s)", message.partition, error)
                await asyncio.sleep(_AGAIN_S)
                continue
            before, ledger = ledger, self._member.ledgers.get(message.partition)
        self._fold(message)
        self.on_read()
        await self._breathe()

    async def _breathe(self) -> None:
        """Let others have their turn, if it is time to: much that is there makes no reader wait."""
        if clock.monotonic() - self._breathed_at > _AT_ONCE_S:
            await asyncio.sleep(0)
            self._breathed_at = clock.monotonic()

    async def see_that_it_is_read(
        self, owned: asyncio.Future[Ack], partition: int, number: int
    ) -> None:
        """Have the barrier read that was put on a partition: nothing is decided before.

        Each half second without it, it is read without the stream, until it is there or another
        assignment has come.
        """
        try:
            offset = (await owned).offset
        except BrokerError as error:
            self._end(f"partition {partition} cannot be owned ({error})")
            return
        while (owner := self._member.owners.get(partition)) and owner.awaits(number):
            folded = owner.ledger.book.next_offset
            if 0 <= offset < folded:  # It is -1 if the broker had it before, and knows no more.
                place = f"{self._log}/{partition}"
                what = f"goes on at {offset}, but was folded up to {folded}"
                self._end(f"{place} {what}: it was truncated, or recreated")
                return
            await asyncio.sleep(_OWNED_WITHIN_S)
            await self.make_up(partition, offset + 1)

    def _end(self, reason: str) -> None:
        """Have the worker end, once: each partition may find a reason."""
        if not self._has_ended:
            self._has_ended = True
            self._on_fatal(reason)

    async def read_to_end(self, partitions: set[int]) -> None:
        """Fold what there is on partitions that are about to be another's, if that is soon done."""
        with contextlib.suppress(BrokerError, KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(_TO_END_S):
                ends = await self._gaps.ends(self._log, partitions) if partitions else {}
                await asyncio.gather(*(self.make_up(p, end) for p, end in ends.items()))

    async def make_up(self, partition: int, end: int) -> None:
        """Read what is below `end` and has not come by the stream.

        Faust loses a message that it is handing on while it suspends its flow, as it does in
        each rebalance (``Consumer._drain_messages`` notes it as read). Where nothing follows
        that shows the gap, the fold would wait for ever: for its own `Owned`, if it was that.
        """
        try:
            await self._catch_up(partition, end)
        except TruncatedError as error:
            self._end(str(error))
        except (BrokerError, KafkaError, OSError) as error:
            logger.debug("partition %d: not read up to %d yet (%s)", partition, end, error)
        self.on_read()

    async def _catch_up(self, partition: int, end: int) -> None:
        async with self._catching_up:
            ledger = self._member.ledgers.get(partition)
            if ledger is None or ledger.book.next_offset >= end:
                return
            start = ledger.book.next_offset
            async for message in self._gaps.read(self._log, {partition: start}, {partition: end}):
                if self._member.ledgers.get(partition) is not ledger:
                    return  # It was let go meanwhile: another may be at an earlier offset.
                self._fold(message)
                await self._breathe()
            logger.debug("partition %d: caught up from %d to %d", partition, start, end)

    def _fold(self, message: LogMessage) -> None:
        partition = message.partition
        ledger = self._member.ledgers.get(partition)
        if ledger is None or message.offset < ledger.book.next_offset:
            return
        fit, refused = self._admit(message)
        where = f"{self._log}/{partition}, offset {message.offset}"
        try:
            self._member.read(partition, message.offset, message.at, fit, clock.monotonic())
        except LevelError as error:
            self._end(f"{where}: {error}")
            return
        except Exception as error:  # The message would stop each worker that comes after this one.
            about = fields(
                "not-folded", topic=self._log, partition=partition, offset=message.offset
            )
            logger.exception("%s: cannot be folded; it is passed over", where, extra=about)
            refused.append((NOT_FOLDED, f"cannot be folded: {error!r}"))
        refused += ((OUT_OF_BOUNDS, reason) for reason in ledger.book.aside)
        self._put_aside(message, [reason for _, reason in refused])
        if ledger.book.turned_away:
            self.refusals.note(ledger.book.turned_away, clock.monotonic())
        self._note(message, fit, ledger.book, refused[0][0] if refused else "")

    def _admit(self, message: LogMessage) -> tuple[list[Entry], list[tuple[str, str]]]:
        """Return the entries of a message that may be folded; why others may not, with a word."""
        entries, unreadable = decode_entries(message.value)
        refused = [(UNREADABLE, reason) for reason in unreadable]
        place = Place(
            self._role.cluster or "",
            self._role.retry,
            message.partition,
            lambda job: partition_of(job, self._settings.partitions),
        )
        fit: list[Entry] = []
        for entry in entries:
            problem = place.problem(entry)
            if problem is None:
                fit.append(entry)
            else:
                refused.append((MISPLACED, problem))
        return fit, refused

    def _note(self, message: LogMessage, entries: list[Entry], book: Book, aside: str) -> None:
        """Have noted what a message has changed, if that is ours to note, once it is known."""
        news, book.news = book.news, []
        folded = Folded(message.at, news, [*book.ended], [*book.turned_away], aside)
        partition, offset = message.partition, message.offset

        def note() -> None:
            self.counts.note(folded)
            self._lines.log(partition, offset, entries, news)
            self.spans.note(message.at, entries, news, folded.ended)
            self.on_change(message.at, entries, news)

        has_changed = bool(news or book.ended or book.turned_away or aside)
        mono = clock.monotonic()
        self.tenure.folded(partition, offset, entries, note if has_changed else None, mono)

    def _put_aside(self, message: LogMessage, reasons: list[str]) -> None:
        """Put a message aside, once, whatever of it was refused."""
        if reasons:
            place = self._log, message.partition, message.offset
            self._quarantine.put(*place, message.value, in_short(reasons))
