"""One process's end of the workers' topic, over a topic of a list."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from cronstream import clock
from cronstream.core.health.presence import Presence
from cronstream.polling import until
from cronstream.settings import Settings
from cronstream.topology import presence
from cronstream.topology.log_message import LogMessage
from cronstream.topology.presence import WorkersTopic
from tests.builders import NOON
from tests.core.health.test_presence import a_process


class World:
    """Kafka's topic and clock, and this machine's two."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[LogMessage] = []
        self.seconds, self.ahead_s = 0.0, 0.0
        self.fails: Exception | None = None
        self.cannot_read: Exception | None = None
        self.started = 0

        async def start(*_: Any, **__: Any) -> "World":
            return self

        async def stop(_: Any) -> None: ...

        monkeypatch.setattr(presence, "start_producer", start)
        monkeypatch.setattr(presence, "stop_producer", stop)
        monkeypatch.setattr(presence, "Reader", lambda _, **__: FakeReader(self))
        monkeypatch.setattr(clock, "now", lambda: self.now + timedelta(seconds=self.ahead_s))
        monkeypatch.setattr(clock, "monotonic", lambda: self.seconds)
        self.topic = WorkersTopic(Settings(), self.describe)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def describe(self, clock_s: float | None, every_s: float) -> Presence:
        return a_process("node9.me", clock_s=clock_s, every_s=every_s)

    def append(self, key: bytes, value: bytes | None) -> int:
        offset = len(self.messages)
        self.messages.append(LogMessage("t", 0, offset, self.now, key, value))
        return offset

    async def send(self, _: str, value: bytes | None, key: bytes, partition: int) -> Any:
        assert partition == 0
        if self.fails is not None:
            raise self.fails
        offset, at = self.append(key, value), self.now.timestamp() * 1000
        done = asyncio.get_running_loop().create_future()
        done.set_result(SimpleNamespace(offset=offset, timestamp=at))
        return done

    def clock_s(self) -> float | None:
        return self.topic.clock_s

    async def tell(self) -> bool:
        return await self.topic._announce() is not None


class FakeReader:
    def __init__(self, world: World) -> None:
        self._world, self._next = world, 0

    async def start(self) -> None:
        if self._world.cannot_read is not None:
            raise self._world.cannot_read

    async def stop(self) -> None: ...

    async def offsets_at(self, _: str, __: list[int], since: datetime) -> dict[int, int]:
        older = [m for m in self._world.messages if m.at < since]
        return {0: len(older)}

    def follow(self, places: dict[Any, int]) -> None:
        [self._next] = places.values()

    async def poll(self, _: float) -> list[LogMessage]:
        found = self._world.messages[self._next :]
        self._next += len(found)
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_a_process_tells_of_itself_before_it_reads_who_was_there(world: World) -> None:
    world.append(b"node1.old", a_process("node1.old").encode())
    world.seconds = 700.0
    other = a_process("node1.other")
    world.append(b"node1.other", other.encode())

    place = await world.topic.join()

    assert place == 2
    assert [seen.who.name for seen in world.topic.roll.present()] == ["node1.other", "node9.me"]
    assert world.topic.trouble == ""


async def test_the_last_word_of_a_process_is_that_it_has_ended(world: World) -> None:
    await world.topic.join()
    await world.topic.stop()
    await world.topic.stop()

    assert [message.value for message in world.messages][1:] == [None]


async def test_a_clock_is_measured_by_what_is_told_and_a_step_is_seen_at_once(
    world: World,
) -> None:
    assert world.clock_s() is None
    world.ahead_s = 600.0
    await world.tell()
    assert world.clock_s() == 600.0

    world.seconds += 30.0
    assert world.clock_s() == 600.0
    world.ahead_s = -1200.0
    assert world.clock_s() == -1200.0
    assert world.topic._has_news(3.0)
    await world.tell()
    assert world.clock_s() == -1200.0


async def test_a_clock_is_compared_as_it_is_now_also_when_it_was_measured_while_it_was_wrong(
    world: World,
) -> None:
    world.ahead_s = 600.0
    await world.tell()
    wrong = world.topic.clock_offset
    world.ahead_s = 0.0

    offset = world.topic.clock_offset
    assert offset == wrong - 600.0
    assert world.topic.clock_s_at(offset) == 0.0
    assert world.topic.clock_s_at(wrong) == 600.0


async def test_a_step_is_seen_though_the_topic_cannot_be_reached(world: World) -> None:
    await world.tell()
    world.fails = KafkaConnectionError()
    world.ahead_s = -600.0
    await world.tell()
    await world.tell()

    assert world.topic.trouble
    assert world.clock_s() == -600.0


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError("x"), KafkaConnectionError()])
async def test_who_cannot_tell_of_itself_goes_on_and_says_so_once_until_it_can(
    world: World, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level("INFO")
    world.fails = error
    assert await world.topic.join() is None
    assert world.topic.trouble == ""

    for _ in range(3):
        assert not await world.tell()

    why = f"cannot announce itself on cronstream.installation.workers ({type(error).__name__})"
    assert why in world.topic.trouble
    assert caplog.text.count("nothing is compared") == 1
    world.fails = None
    assert await world.tell()
    assert world.topic.trouble == ""
    assert "can announce itself on cronstream.installation.workers again" in caplog.text


async def test_who_cannot_read_does_not_know_who_was_there_before(world: World) -> None:
    world.cannot_read = TopicAuthorizationFailedError("x")

    assert await world.topic.join() is None
    assert len(world.messages) == 1


async def test_only_what_does_not_change_with_every_run_is_told_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.topic._has_news(3.0)
    await world.tell()
    assert not world.topic._has_news(3.0)
    monkeypatch.setattr(world.topic, "_describe", lambda *_: a_process("node9.me", running=3))
    assert not world.topic._has_news(3.0)
    for news in ({"owns": "0-3"}, {"leaving": True}):
        monkeypatch.setattr(
            world.topic, "_describe", lambda *_, news=news: a_process("node9.me", **news)
        )
        assert world.topic._has_news(3.0)

    monkeypatch.setattr(world.topic, "_describe", lambda *_: a_process("node9.me", owns="0-3"))
    assert world.topic._has_news(3.0)


async def test_what_is_new_here_is_seen_though_kafka_answers_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.topic.look_s = 0.001
    world.cannot_read = world.fails = KafkaConnectionError()
    looks, announced = asyncio.Queue[None](), 0

    async def hangs() -> None:
        nonlocal announced
        announced += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(world.topic, "_announce", hangs)
    world.topic.on_news = lambda: looks.put_nowait(None)
    world.topic.follow()
    async with asyncio.timeout(5):
        for _ in range(20):
            await looks.get()
    await world.topic.stop()

    assert announced == 1


async def test_what_goes_wrong_in_a_look_is_reported_and_the_looks_go_on(world: World) -> None:
    world.topic.look_s = 0.001
    world.cannot_read = world.fails = KafkaConnectionError()
    looks = asyncio.Queue[None]()

    def fail() -> None:
        looks.put_nowait(None)
        raise OSError("no such file")

    world.topic.on_news = fail
    world.topic.follow()
    async with asyncio.timeout(5):
        for _ in range(5):
            await looks.get()
    assert "cannot compare itself with others" in world.topic.trouble
    await world.topic.stop()


async def test_what_others_should_have_at_once_does_not_wait_for_the_next_time(
    world: World,
) -> None:
    await world.topic.join()
    announcing = asyncio.create_task(world.topic._look_for_ever())
    told, world.seconds = len(world.messages), 0.2
    world.topic.announce_soon()
    async with asyncio.timeout(5):
        await until(lambda: len(world.messages) > told, 0.01)
    announcing.cancel()

    assert world.messages[told].key == b"node9.me"
