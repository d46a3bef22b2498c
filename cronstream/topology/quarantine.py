"""Where messages go that cannot be used: with where they came from and why, once each.

Nobody can fill it, whoever can write to our topics: of a message at most 64 KiB are kept (all of it
where what it comes from may go away), once, however much in it is refused; and a flood is kept only
as fast as a rate that Kafka and its disks do not feel. The rest is counted.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from cronstream import clock
from cronstream.core.wire.sizes import MAX_RECORD_BYTES
from cronstream.logs import fields
from cronstream.topology.publish import Ack, Publisher, when_done

logger = logging.getLogger(__name__)

#: A reason is given in a log line this many times a process; then only every thousandth is.
_TOLD = 20
_EVERY = 1000
#: What waits for Kafka, at most, in messages and bytes: they may come faster than it takes them. As
#: much is kept at once of a flood; then as much as a second allows.
MOST_WAITING = 5_000
MOST_BYTES = 16 * 1024 * 1024
EACH_SECOND = 20
BYTES_EACH_SECOND = 256 * 1024
#: So much of a message is kept.
KEPT_BYTES = 64 * 1024
#: Reasons that are named of one message; and characters of them in all.
_NAMED = 3
_REASON = 500
#: How long it is counted what is left out before that is said.
_COUNTED_S = 10.0


def in_short(reasons: Sequence[str]) -> str:
    """Return why entries of one message are refused, as one sentence: the first few, and a count.

    A message of a megabyte may have some hundred thousand of them.
    """
    named = "; ".join(dict.fromkeys(reasons[:_NAMED]))
    return f"{named} ({len(reasons)} entries of it)" if len(reasons) > 1 else named


class Quarantine:
    """Puts refused messages aside and counts them; it holds nobody up and stops nobody.

    What comes while too much waits, or faster than a rate, is left out, which is said on the topic
    some seconds later: how many they were, and where they stand.

    Args:
        publisher: Takes the messages.
        keeps_all: Nothing is left out nor cut: who puts messages here waits until they are through.

    Attributes:
        count: How many this process has refused, by topic.
        left_out: How many of them are not kept, by topic.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        keeps_all: bool = False,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._publisher, self._keeps_all, self._monotonic = publisher, keeps_all, monotonic
        self.count: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._waiting = self._bytes = 0
        self._rate = _Rate(monotonic())
        #: By topic and partition: how many are left out and not yet said, and from where on.
        self._unsaid: dict[tuple[str, int], tuple[int, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def put(
        self, topic: str, partition: int, offset: int, value: bytes | None, reason: str
    ) -> None:
        """Put one message aside; readers take the first for a topic, partition and offset."""
        self.count[topic] += 1
        raw = (value or b"")[: MAX_RECORD_BYTES if self._keeps_all else KEPT_BYTES]
        is_kept = self._keeps_all or (
            not self._is_full() and self._rate.allows(len(raw), self._monotonic())
        )
        self._log(topic, partition, offset, reason, is_kept=is_kept)
        if not is_kept:
            self._leave_out(topic, partition, offset)
            return
        headers = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "reason": reason[:_REASON],
            "tombstone": "true" if value is None else "false",
        }
        if value is not None and len(raw) < len(value):
            headers["bytes"] = str(len(value))
        self._send(raw, headers)

    def _is_full(self) -> bool:
        return self._waiting >= MOST_WAITING or self._bytes >= MOST_BYTES

    def _log(self, topic: str, partition: int, offset: int, reason: str, *, is_kept: bool) -> None:
        logged = self.count.total()
        if logged > _TOLD and logged % _EVERY:
            return
        logger.warning(
            "%s/%d offset %d: refused, %s %s (%s); %d so far",
            topic,
            partition,
            offset,
            "kept on" if is_kept else "too many for",
            self._publisher.names.quarantine,
            reason[:_REASON],
            logged,
            extra=fields("quarantined", topic=topic, partition=partition, offset=offset),
        )

    def _send(self, raw: bytes, headers: dict[str, str]) -> None:
        self._waiting += 1
        self._bytes += len(raw)
        sent = self._publisher.put_raw(self._publisher.names.quarantine, 0, raw, headers)
        when_done(sent, partial(self._is_through, len(raw)))

    def _is_through(self, size: int, _: Ack) -> None:
        self._waiting -= 1
        self._bytes -= size

    def _leave_out(self, topic: str, partition: int, offset: int) -> None:
        self.left_out[topic] += 1
        number, first = self._unsaid.get((topic, partition), (0, offset))
        self._unsaid[topic, partition] = number + 1, first
        self._say_later()

    def _say_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_COUNTED_S, self._say_what_is_left_out)

    def _say_what_is_left_out(self) -> None:
        self._timer = None
        if self._is_full():
            self._say_later()
            return
        unsaid, self._unsaid = self._unsaid, {}
        for place, (number, first) in unsaid.items():
            self._say(*place, number, first)

    def _say(self, topic: str, partition: int, number: int, first: int) -> None:
        """Put a message without a value in the place of those that were left out."""
        reason = (
            f"{number} refused messages from offset {first} on are not kept here: they came "
            f"too fast; they stand on {topic}/{partition}, while it keeps them"
        )
        about = fields("quarantine-full", topic=topic, partition=partition, offset=first)
        logger.warning("%s/%d: %s", topic, partition, reason, extra=about)
        headers = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(first),
            "reason": reason,
            "tombstone": "false",
            "left_out": str(number),
        }
        self._send(b"", headers)


class _Rate:
    """How many messages and bytes may be kept: some at once, then so many each second."""

    def __init__(self, now: float) -> None:
        self._at, self._messages, self._bytes = now, float(MOST_WAITING), float(MOST_BYTES)

    def allows(self, size: int, now: float) -> bool:
        """Whether one more may be kept, which counts then."""
        passed, self._at = now - self._at, now
        self._messages = min(MOST_WAITING, self._messages + passed * EACH_SECOND)
        self._bytes = min(MOST_BYTES, self._bytes + passed * BYTES_EACH_SECOND)
        if self._messages < 1 or self._bytes < size:
            return False
        self._messages -= 1
        self._bytes -= size
        return True
