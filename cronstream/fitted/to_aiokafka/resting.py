"""Has aiokafka's consumers rest while nothing comes.

What asks for messages (``Fetcher._fetch_requests_routine``) is woken by all that it waits for: an
answer, messages that were taken, another assignment, a partition that is read on, another leader.
Beside that aiokafka (0.14) has it look five times a second whether there is something to ask, for
each consumer of a process, also those that ask only for offsets. That was a fifth of what an idle
scheduler used.
"""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer

#: Between two looks of a consumer that nothing has woken.
LOOK_MS: Final = 3_000


def let_consumers_rest() -> None:
    """Have all consumers of this process look less often, those to come."""
    begin: Any = AIOKafkaConsumer.__init__  # Faust does not hand on what it is asked for.
    begin.__kwdefaults__["consumer_timeout_ms"] = LOOK_MS
