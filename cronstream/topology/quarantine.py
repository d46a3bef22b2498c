"""Where messages go that cannot be used: kept as they are, with where they came from and why."""

import logging
from collections import Counter
from functools import partial

from cronstream.core.wire import naming
from cronstream.core.wire.sizes import MAX_RECORD_BYTES
from cronstream.logs import fields
from cronstream.topology.publish import Ack, Publisher, when_done

logger = logging.getLogger(__name__)

#: A reason is told in a log line this many times a process; then only every thousandth is.
_TOLD = 20
_EVERY = 1000
#: What waits for Kafka, at most, in messages and bytes: they may come faster than it takes them.
MOST_WAITING = 5_000
MOST_BYTES = 16 * 1024 * 1024


class Quarantine:
    """Puts refused messages aside and counts them; it holds nobody up and stops nobody.

    What comes while too much waits is left out, which is said on the topic once there is room: how
    many they were, and where they stand.

    Args:
        publisher: Takes the messages.
        keeps_all: Nothing is left out: who puts messages here waits until they are through.

    Attributes:
        count: How many this process has refused, by topic.
        left_out: How many of them are not kept, by topic.
    """

    def __init__(self, publisher: Publisher, *, keeps_all: bool = False) -> None:
        self._publisher, self._keeps_all = publisher, keeps_all
        self.count: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._waiting = self._bytes = 0
        #: By topic and partition: how many are left out that nobody was told of, and from where on.
        self._untold: dict[tuple[str, int], tuple[int, int]] = {}

    def put(
        self, topic: str, partition: int, offset: int, value: bytes | None, reason: str
    ) -> None:
        """Put one message aside; readers take the first for a topic, partition and offset."""
        self.count[topic] += 1
        told = self.count.total()
        is_full = self._waiting >= MOST_WAITING or self._bytes >= MOST_BYTES
        is_left_out = is_full and not self._keeps_all
        if told <= _TOLD or told % _EVERY == 0:
            logger.warning(
                "%s/%d offset %d: refused, %s %s (%s); %d so far",
                topic,
                partition,
                offset,
                "too many for" if is_left_out else "kept on",
                naming.QUARANTINE,
                reason,
                told,
                extra=fields("quarantined", topic=topic, partition=partition, offset=offset),
            )
        if is_left_out:
            self._leave_out(topic, partition, offset)
            return
        headers = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "reason": reason[:500],
            "tombstone": "true" if value is None else "false",
        }
        self._send((value or b"")[:MAX_RECORD_BYTES], headers)

    def _send(self, raw: bytes, headers: dict[str, str]) -> None:
        self._waiting += 1
        self._bytes += len(raw)
        sent = self._publisher.put_raw(naming.QUARANTINE, 0, raw, headers)
        when_done(sent, partial(self._is_through, len(raw)))

    def _is_through(self, size: int, _: Ack) -> None:
        self._waiting -= 1
        self._bytes -= size
        if self._untold and self._waiting < MOST_WAITING // 2 and self._bytes < MOST_BYTES // 2:
            untold, self._untold = self._untold, {}
            for place, (number, first) in untold.items():
                self._tell(*place, number, first)

    def _leave_out(self, topic: str, partition: int, offset: int) -> None:
        self.left_out[topic] += 1
        number, first = self._untold.get((topic, partition), (0, offset))
        self._untold[topic, partition] = number + 1, first

    def _tell(self, topic: str, partition: int, number: int, first: int) -> None:
        """Put a message without a value in the place of those that were left out."""
        reason = (
            f"{number} refused messages from offset {first} on are not kept here: they came "
            f"faster than Kafka took them; they stand on {topic}/{partition}, while it keeps them"
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
