"""A broker that leads a partition no more, and a consumer that asks it all the same."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import (
    KafkaConnectionError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import TopicPartition

from cronstream.fitted.to_aiokafka.leaders import ask_for_lost_leaders


class FakeClient:
    """Answers each question for the offsets of ``ticks/0`` with an error code, or raises."""

    def __init__(self, answer: int | Exception) -> None:
        self._answer = answer
        self.asked_for_leaders = 0

    async def send(self, node_id: int, _request: Any) -> Any:
        assert node_id == 3
        if isinstance(self._answer, Exception):
            raise self._answer
        return SimpleNamespace(
            API_VERSION=1, topics=[("ticks", [(0, self._answer, -1, 171)])], node_id=node_id
        )

    def force_metadata_update(self) -> None:
        self.asked_for_leaders += 1


async def _ask(client: FakeClient) -> Any:
    ask_for_lost_leaders()
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._client, fetcher._isolation_level = client, 0
    return await fetcher._proc_offset_request(3, {"ticks": [(0, -2)]})


async def test_the_offset_of_a_partition_is_what_its_leader_says() -> None:
    client = FakeClient(0)

    assert await _ask(client) == {TopicPartition("ticks", 0): (171, -1)}
    assert client.asked_for_leaders == 0


@pytest.mark.parametrize(
    ("answer", "error", "times"),
    [
        (6, NotLeaderForPartitionError, 1),
        (1, OffsetOutOfRangeError, 0),
        (KafkaConnectionError("gone"), KafkaConnectionError, 1),
    ],
)
async def test_who_leads_is_asked_when_a_broker_says_that_it_does_not(
    answer: int | Exception, error: type[Exception], times: int
) -> None:
    client = FakeClient(answer)

    with pytest.raises(error):
        await _ask(client)

    assert client.asked_for_leaders == times
