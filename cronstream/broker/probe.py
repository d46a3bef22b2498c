"""Ask a Kafka broker whether it serves, and who leads its quorum, without a client library.

aiokafka takes longer to import than an embedded Kafka needs to start.
"""

import asyncio
import struct

from cronstream.broker.ports import HOST

#: Metadata, version 2, correlation id 1, no client id, and an empty list of topics: for none.
#: https://kafka.apache.org/protocol.html#The_Messages_Metadata
_METADATA_REQUEST = struct.pack(">hhihi", 3, 2, 1, -1, 0)
_TIMEOUT_S = 2.0
#: The length, the correlation id, and the number of brokers.
_ANSWER_HEAD = struct.Struct(">iii")


#: DescribeQuorum, version 0, of partition 0 of ``__cluster_metadata``; its header has tagged
#: fields. https://kafka.apache.org/protocol.html#The_Messages_DescribeQuorum
_LOG = b"__cluster_metadata"
_QUORUM_REQUEST = (
    struct.pack(">hhihx", 55, 0, 1, -1)
    + bytes([2, len(_LOG) + 1])
    + _LOG
    + struct.pack(">Bixxx", 2, 0)
)
#: The length, the correlation id, the answer's error; the topic's name; its partition's error,
#: and the leader's node id.
_QUORUM_ANSWER = struct.Struct(f">iixhxx{len(_LOG)}xxihi")


async def answers(port: int) -> bool:
    """Return whether a broker at `port` of the loopback interface answers with a broker in it."""
    raw = await _ask(port, _METADATA_REQUEST, _ANSWER_HEAD.size)
    if raw is None:
        return False
    _, correlation, brokers = _ANSWER_HEAD.unpack(raw)
    return bool(correlation == 1 and brokers >= 1)


async def answers_as(port: int, cluster_id: str) -> bool:
    """Return whether a broker of this cluster serves at `port`, and no other."""
    raw = await _ask(port, _METADATA_REQUEST)
    if raw is None or len(raw) < _ANSWER_HEAD.size:
        return False
    _, correlation, brokers = _ANSWER_HEAD.unpack_from(raw)
    # The id is in none of the other texts of the answer: it is random.
    return bool(correlation == 1 and brokers >= 1 and cluster_id.encode() in raw)


async def quorum_leader(port: int) -> int | None:
    """Return the node id of the active controller, as the broker at `port` says; None if not."""
    raw = await _ask(port, _QUORUM_REQUEST, _QUORUM_ANSWER.size)
    if raw is None:
        return None
    _, _, error, _, partition_error, leader = _QUORUM_ANSWER.unpack(raw)
    return int(leader) if error == partition_error == 0 and leader > 0 else None


async def _ask(port: int, request: bytes, size: int | None = None) -> bytes | None:
    """Return the first bytes of the answer to a request, or all; None if there is none in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _answer(port, request, size)
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
        return None


async def _answer(port: int, request: bytes, size: int | None) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(struct.pack(">i", len(request)) + request)
        if size is not None:
            return await reader.readexactly(size)
        length = await reader.readexactly(4)
        return length + await reader.readexactly(struct.unpack(">i", length)[0])
    finally:
        writer.close()
