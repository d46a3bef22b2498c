"""Where messages go that cannot be used: kept as they are, with where they came from and why."""

import logging
from collections import Counter

from cronstream.core import naming
from cronstream.core.sizes import MAX_RECORD_BYTES
from cronstream.topology.publish import Publisher, when_done

logger = logging.getLogger(__name__)

#: A reason is told in a log line this many times a process; then only every thousandth is.
_TOLD = 20
_EVERY = 1000


class Quarantine:
    """Puts refused messages aside and counts them; it holds nobody up and stops nobody.

    Attributes:
        count: How many this process has put aside, by topic.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.count: Counter[str] = Counter()

    def put(
        self, topic: str, partition: int, offset: int, value: bytes | None, reason: str
    ) -> None:
        """Put one message aside; readers take the first for a topic, partition and offset."""
        self.count[topic] += 1
        told = self.count.total()
        if told <= _TOLD or told % _EVERY == 0:
            logger.warning(
                "%s/%d offset %d: refused, kept on %s (%s); %d so far",
                topic,
                partition,
                offset,
                naming.QUARANTINE,
                reason,
                told,
            )
        headers = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "reason": reason[:500],
            "tombstone": "true" if value is None else "false",
        }
        raw = (value or b"")[:MAX_RECORD_BYTES]
        when_done(self._publisher.put_raw(naming.QUARANTINE, 0, raw, headers), lambda _: None)
