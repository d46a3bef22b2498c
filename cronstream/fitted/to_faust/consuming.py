"""Faust's consumer, which says what right it lacks on a topic, and ends its process in good order.

Faust's own takes what Kafka refuses for a fault of the program: it crashes its parts, one by one,
each with a stack trace, and none of them says what is to be done.
"""

import asyncio
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import Consumer, Transport

from cronstream.topology.refusals import missing_right


class RightsConsumer(Consumer):
    """Ends its process with a sentence if Kafka does not let it read."""

    async def _getmany(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._getmany(*args, **kwargs)
        except KafkaError as error:
            if not (missing := missing_right(error)):
                raise
            app: Any = self.app
            app.fail(str(missing))
        return await asyncio.Event().wait()  # Until that has ended this.


#: Else it would be this module's; so its lines are told, or not, as those of Faust's own.
RightsConsumer.logger = Consumer.logger


class RightsTransport(Transport):
    """Faust's connection to Kafka, with a `RightsConsumer`."""

    Consumer = RightsConsumer
