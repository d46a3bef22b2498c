"""A consumer that nothing wakes rests; what wakes it makes it ask at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition

from cronstream.fitted.to_aiokafka.resting import LOOK_MS
from cronstream.settings import Settings
from cronstream.topology.client import new_consumer

ONE, OTHER = TopicPartition("log", 0), TopicPartition("log", 1)
#: Long for a loop that turns, short for a consumer that rests.
AT_ONCE_S = LOOK_MS / 1000 / 2


class Leader:
    """A client whose brokers answer what is asked when a test says so."""

    def __init__(self) -> None:
        self._loop, self._metadata_max_age_ms = asyncio.get_running_loop(), 300_000
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
        self.asked: asyncio.Queue[tuple[set[int], asyncio.Future[Any]]] = asyncio.Queue()

    async def send(self, _: int, request: Any) -> Any:
        answer: asyncio.Future[Any] = self._loop.create_future()
        wanted = {place[0] for _, places in request.topics for place in places}
        self.asked.put_nowait((wanted, answer))
        return await answer

    async def answer_nothing(self) -> set[int]:
        """Answer the next request with no message; return which partitions were asked for."""
        async with asyncio.timeout(AT_ONCE_S):
            wanted, answer = await self.asked.get()
        answer.set_result(SimpleNamespace(API_VERSION=4, topics=[]))
        return wanted


async def test_all_clients_look_less_often_whoever_makes_them() -> None:
    consumer = new_consumer(Settings())
    assert consumer._consumer_timeout == LOOK_MS / 1000
    await consumer.stop()


async def test_all_that_a_consumer_waits_for_wakes_it_at_once() -> None:
    leader, places = Leader(), SubscriptionState()
    fetcher: Any = Fetcher(leader, places, fetcher_timeout=LOOK_MS / 1000)
    try:
        places.assign_from_user({ONE, OTHER})
        for place in (ONE, OTHER):
            fetcher.seek_to(place, 7)
        assert await leader.answer_nothing() == {0, 1}
        assert await leader.answer_nothing() == {0, 1}, "an answer"
        state = places.subscription.assignment.state_value(ONE)
        state.pause()
        await leader.answer_nothing()
        assert await leader.answer_nothing() == {1}
        state.resume()
        await leader.answer_nothing()
        assert await leader.answer_nothing() == {0, 1}, "one that is read on"
        places.assign_from_user({OTHER})
        fetcher.seek_to(OTHER, 7)
        await leader.answer_nothing()
        assert await leader.answer_nothing() == {1}, "another assignment"
        state = places.subscription.assignment.state_value(OTHER)
        state.pause()
        await asyncio.sleep(0.1)  # Until there is nothing to ask for.
        assert leader.asked.empty()
        state.resume()
        assert await leader.answer_nothing() == {1}, "the only one is read on"
    finally:
        await fetcher.close()


async def test_what_rests_looks_whether_there_is_something_to_ask_only_now_and_then() -> None:
    leader, places = Leader(), SubscriptionState()
    fetcher: Any = Fetcher(leader, places, fetcher_timeout=LOOK_MS / 1000)
    looks = 0
    ask = fetcher._get_actions_per_node

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return ask(*args)

    fetcher._get_actions_per_node = counted
    try:
        places.assign_from_user({ONE})
        places.subscription.assignment.state_value(ONE).pause()
        fetcher.seek_to(ONE, 7)
        await asyncio.sleep(1.0)  # Five looks by itself.
        assert looks <= 2
    finally:
        await fetcher.close()
