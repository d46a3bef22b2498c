"""What a producer counts of a partition: a broker takes no message with another number."""

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.structs import TopicPartition

from cronstream.fitted.to_aiokafka.counting import count_what_is_taken

_PLACE = TopicPartition("log", 3)
#: Where a batch of Kafka's has its first number (KIP-98, ``baseSequence``).
_NUMBER_AT = 53


class Broker:
    """Takes what has the next number, unless it has something else to answer."""

    def __init__(self, *answers: type[KafkaError] | None) -> None:
        self._answers = list(answers)
        self.taken: list[int] = []
        self.next = 0

    async def send(self, _node_id: int, request: Any) -> Any:
        error = self._answers.pop(0) if self._answers else None
        if error is KafkaConnectionError:
            raise error
        [(_, [(_, batch)])] = request._topics
        (number,) = struct.unpack_from(">i", batch, _NUMBER_AT)
        code = _code_of(error) if error else 0 if number == self.next else 45
        if code == 0:
            self.taken.append(number)
            self.next += 1
        answer = ("log", [(3, code, 0, -1, 0)])
        return SimpleNamespace(API_VERSION=5, topics=[answer])

    def force_metadata_update(self) -> None: ...
    async def _maybe_wait_metadata(self) -> None: ...


def _code_of(error: Any) -> int:
    code: int = error.errno
    return code


class Producer:
    """What is below aiokafka's producer, with a broker that answers at once."""

    def __init__(self, broker: Broker, *, counts: bool = True) -> None:
        count_what_is_taken()
        self._txn_manager = TransactionManager(None, 0) if counts else None
        if self._txn_manager:
            self._txn_manager.set_pid_and_epoch(7, 0)
        self.client, self._acks, self._request_timeout_ms, self._retry_backoff = broker, -1, 1, 0.0
        self._message_accumulator = MessageAccumulator(
            ClusterMetadata(), 16_384, 0, 60, txn_manager=self._txn_manager
        )

    async def send(self, value: bytes) -> None:
        messages: Any = self._message_accumulator
        done = await messages.add_message(_PLACE, None, value, 1.0)
        while not done.done():
            batch = messages._pop_batch(_PLACE)
            await SendProduceReqHandler(self, {_PLACE: batch}).do(1)
        await done


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError, MessageSizeTooLargeError])
async def test_what_a_broker_refuses_counts_for_nothing(error: type[KafkaError]) -> None:
    broker = Broker(None, error, error)
    producer = Producer(broker)
    await producer.send(b"first")
    for _ in range(2):
        with pytest.raises(error):
            await producer.send(b"second")

    await producer.send(b"second")
    await producer.send(b"third")

    assert broker.taken == [0, 1, 2]


@pytest.mark.parametrize("error", [NotLeaderForPartitionError, KafkaConnectionError])
async def test_what_is_tried_again_keeps_its_number(error: type[KafkaError]) -> None:
    broker = Broker(error)
    producer = Producer(broker)

    await producer.send(b"first")
    await producer.send(b"second")

    assert broker.taken == [0, 1]


async def test_a_producer_that_counts_nothing_has_nothing_to_take_back() -> None:
    producer = Producer(Broker(MessageSizeTooLargeError), counts=False)

    with pytest.raises(MessageSizeTooLargeError):
        await producer.send(b"large")
