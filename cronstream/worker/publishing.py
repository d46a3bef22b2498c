"""Publishes what was decided about runs, durably, and then says so in the log."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from cronstream.core.protocol.actions import Publish
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Forwarded
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from cronstream.logs import fields
from cronstream.topology.publish import Publisher
from cronstream.topology.resending import came_late

logger = logging.getLogger(__name__)

#: Before what could not be published is tried again.
_AGAIN_S = 5.0


class Publishing:
    """Publishes decisions.

    Args:
        publisher: What it publishes by.
        member: Is given what has to be decided again.
        log: The topic that hears what has been published.
        wake: Has the member decide soon.
    """

    def __init__(
        self, publisher: Publisher, member: Member, log: str, wake: Callable[[], None]
    ) -> None:
        self._publisher, self._member = publisher, member
        self._log, self._wake = log, wake

    async def publish(self, action: Publish) -> None:
        """Publish what was decided; what cannot be, or comes too late, is decided once more."""
        late_at: datetime | None = None
        fresh = True
        about = fields("decision-not-published", run=action.run)
        try:
            late_at = await self._send_all(action)
        except BrokerError as error:
            text = "run %s: what was decided is not published: %s"
            logger.error(text, action.run, error, extra=about)
            await asyncio.sleep(_AGAIN_S)
            fresh = False
        except Exception:  # Nobody awaits this task: the decision would wait without a word.
            logger.exception("run %s: what was decided is not published", action.run, extra=about)
            await asyncio.sleep(_AGAIN_S)
            fresh = False
        if late_at is not None or not fresh:
            self._member.publish_again(action, late_at)
            self._wake()
        elif action.forwarded:
            entry = Forwarded(run=action.run, version=action.version)
            self._publisher.put(self._log, action.partition, entry)

    async def _send_all(self, action: Publish) -> datetime | None:
        """Return when the last of it came, if some came too late to count (rule 11).

        Raises:
            BrokerError: If a message cannot be sent at all.
        """
        sent = [
            (record, self._publisher.publish(topic, _key(action, record), record))
            for topic, record in action.messages
        ]
        acks = [(record, await done) for record, done in sent]
        late = (
            ack.at for record, ack in acks if isinstance(record, Run) and came_late(record, ack.at)
        )
        return max(late, default=None)


def _key(action: Publish, record: Message) -> str:
    """Return the job to whose partition a record goes: another run may follow one (rule 24)."""
    return record.job if isinstance(record, Run) else action.job
