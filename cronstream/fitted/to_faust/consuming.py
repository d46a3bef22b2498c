"""Faust's consumer, which says what right it lacks, and goes on once that is granted.

Faust's own takes what Kafka refuses for a fault of the program: it crashes its parts, one by one,
each with a stack trace, and none of them says what is to be done. Where a topic may not be read,
nothing is lost by waiting: it is read on from where it was. Who may not use its group is no member
any more, and its process ends.
"""

import asyncio
import logging
from typing import Any, Final

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from mode import Service
from mode.threads import MethodQueue, MethodQueueWorker

from cronstream import clock
from cronstream.logs import fields
from cronstream.topology.refusals import missing_right

logger = logging.getLogger(__name__)

#: Before what may not be read is asked for again.
_AGAIN_S: Final = 0.5
#: Of each topic a line is written so often at most.
_QUIET_S: Final = 600.0


class CallWorker(MethodQueueWorker):
    """Makes the calls that come from the main thread, two at a time.

    Faust's begins three tasks before each, to wait for what has long been so: that a first came.
    """

    @Service.task
    async def _method_queue_do_work(self) -> None:
        calls = self.method_queue
        while not (self.should_stop or calls.should_stop):
            call = await calls._queue.get()
            _ = await calls._process_enqueued(call)  # What waits for it is in the main thread.


class Calls(MethodQueue):
    """The calls from the main thread."""

    Worker = CallWorker


class RestingThread(AIOKafkaConsumerThread):
    """The consumer's thread, which turns when there is something to do.

    Faust's wakes itself and the main thread each second, lest a call be lost that waits for it: but
    each call wakes it. `FaustGroup` sees whether it turns.
    """

    @property
    def method_queue(self) -> MethodQueue:
        """What takes calls from the main thread."""
        if self._method_queue is None:
            self._method_queue = Calls(loop=self.thread_loop, beacon=self.beacon)
        return self._method_queue

    @Service.task
    async def _thread_keepalive(self) -> None:
        """Keep nothing up."""

    async def _keepalive2(self) -> None:
        """Wake nobody."""


class RightsConsumer(Consumer):
    """Waits, with a sentence, if Kafka does not let it read; ends its process if it cannot."""

    _said_at: dict[str, float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._said_at = {}

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return RestingThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Look at nothing: Faust's own look at each partition finds less than `HealthWatch`."""

    async def _getmany(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._getmany(*args, **kwargs)
        except TopicAuthorizationFailedError as error:
            self._say(str(missing_right(error)))
            await asyncio.sleep(_AGAIN_S)
            return {}
        except KafkaError as error:
            if not (missing := missing_right(error)):
                raise
            app: Any = self.app
            app.fail(str(missing))
        return await asyncio.Event().wait()  # Until that has ended this.

    def _say(self, missing: str) -> None:
        now = clock.monotonic()
        if now - self._said_at.get(missing, -_QUIET_S) >= _QUIET_S:
            self._said_at[missing] = now
            logger.error("%s; trying again", missing, extra=fields("not-read"))


#: Else it would be this module's; so its lines are reported, or not, as those of Faust's own.
RightsConsumer.logger = Consumer.logger


class RightsTransport(Transport):
    """Faust's connection to Kafka, with a `RightsConsumer`."""

    Consumer = RightsConsumer
