"""Ask a Kafka broker whether it serves: one Metadata request, without a client library.

aiokafka takes longer to import than an embedded Kafka needs to start.
"""

import asyncio
import struct

from cronstream.broker.ports import HOST

#: Metadata, version 1, correlation id 1, no client id, and an empty list of topics: for none.
#: https://kafka.apache.org/protocol.html#The_Messages_Metadata
_METADATA_REQUEST = struct.pack(">hhihi", 3, 1, 1, -1, 0)
_TIMEOUT_S = 2.0
#: The length, the correlation id, and the number of brokers.
_ANSWER_HEAD = struct.Struct(">iii")


async def answers(port: int) -> bool:
    """Return whether a broker at `port` of the loopback interface answers with a broker in it."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(struct.pack(">i", len(_METADATA_REQUEST)) + _METADATA_REQUEST)
                head = await reader.readexactly(_ANSWER_HEAD.size)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    _, correlation, brokers = _ANSWER_HEAD.unpack(head)
    return bool(correlation == 1 and brokers >= 1)
