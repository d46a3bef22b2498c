"""A notice gets a few tries; those of one run keep their order, and nobody waits for another."""

import asyncio
from dataclasses import dataclass, field

import pytest

from cronstream.notices import sender as module
from cronstream.notices.address import AddressError
from cronstream.notices.answer import Answer
from cronstream.notices.notice import Kind, Notice, Request
from cronstream.notices.sender import OVERTAKEN, TRIES, Sender

LATER = Answer("it answered 500", is_final=False)


@dataclass
class World:
    """A server that answers as a test has it; and no time passes.

    Attributes:
        answers: What it says, one after the other; then it takes what comes.
        hangs: Hosts that do not answer while they are here.
    """

    answers: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)
    hangs: dict[str, asyncio.Event] = field(default_factory=dict)
    wakes: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.wakes.set()
        self.sender = Sender(self.find, self.try_once, self.note, self.sleep)

    async def find(self, notice: Notice) -> str:
        if notice.place == "none":
            raise AddressError("there is none")
        return f"http://{notice.place}/{notice.job}"

    async def try_once(self, request: Request) -> Answer:
        self.asked.append(request.url.partition("?")[0])
        for host, is_open in self.hangs.items():
            if host in request.url:
                await is_open.wait()
        return self.answers.pop(0) if self.answers else Answer()

    def note(self, notice: Notice, why: str) -> None:
        self.done.append((notice.event, why))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.wakes.wait()
        await asyncio.sleep(0)


def a_notice(event: str = "success", run: str = "backup@1", place: str = "hc") -> Notice:
    return Notice(Kind.HEALTHCHECKS, "backup", run, place, event)


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_not_taken_is_tried_again_with_doubling_waits() -> None:
    world = World([LATER, LATER])
    world.sender.put(a_notice())
    await world.sender.drain(5)

    assert (len(world.asked), world.slept, world.done) == (3, [1.0, 2.0], [("success", "")])


async def test_it_is_given_up_after_a_few_tries_with_the_last_reason() -> None:
    world = World([LATER] * 99)
    world.sender.put(a_notice())
    await world.sender.drain(5)

    assert (len(world.asked), world.done) == (TRIES, [("success", "it answered 500")])


async def test_what_is_final_gets_no_second_try() -> None:
    world = World([Answer("it answered 404")])
    world.sender.put(a_notice())
    world.sender.put(a_notice(run="backup@2", place="none"))
    await world.sender.drain(5)

    assert (len(world.asked), world.slept) == (1, [])
    assert sorted(world.done) == [("success", "it answered 404"), ("success", "there is none")]


async def test_a_server_that_wants_to_be_left_alone_is() -> None:
    world = World([Answer("it answered 429", is_final=False, after_s=9.0)])
    world.sender.put(a_notice())
    await world.sender.drain(5)

    assert world.slept == [9.0]


async def test_the_end_of_a_run_does_not_overtake_its_start() -> None:
    world = World(hangs={"hc": asyncio.Event()})
    world.sender.put(a_notice("start"))
    await _turns()
    world.sender.put(a_notice("success"))
    await _turns()
    assert world.asked == ["http://hc/backup/start"]

    world.hangs["hc"].set()
    await world.sender.drain(5)

    assert world.asked == ["http://hc/backup/start", "http://hc/backup"]
    assert world.done == [("start", ""), ("success", "")]


async def test_a_start_that_was_not_taken_gives_way_to_the_end() -> None:
    world = World([LATER])
    world.wakes.clear()
    world.sender.put(a_notice("start"))
    await _turns()
    world.sender.put(a_notice("success"))
    world.wakes.set()
    await world.sender.drain(5)

    assert world.asked == ["http://hc/backup/start", "http://hc/backup"]
    assert world.done == [("start", OVERTAKEN), ("success", "")]


async def test_a_server_that_hangs_keeps_no_other_waiting() -> None:
    world = World(hangs={"hung": asyncio.Event()})
    for number in range(20):
        world.sender.put(a_notice(run=f"a@{number}", place="hung"))
    world.sender.put(a_notice(place="good"))
    await _turns()

    assert world.done == [("success", "")]
    assert world.asked.count("http://hung/backup") == 4
    await world.sender.drain(0)
    assert len(world.done) == 21


async def test_all_its_tries_have_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN_S", 0.01)
    world = World([LATER])
    world.wakes.clear()
    world.sender.put(a_notice())
    await world.sender.drain(5)
    assert world.done == [("success", "it answered 500")]

    hung = World(hangs={"hc": asyncio.Event()})
    hung.sender.put(a_notice())
    await hung.sender.drain(5)
    assert hung.done == [("success", "its server does not take what there is within 0.01 s")]


async def test_what_is_left_when_its_worker_ends_is_not_sent() -> None:
    world = World(hangs={"hc": asyncio.Event()})
    world.sender.put(a_notice("start"))
    await _turns()
    world.sender.put(a_notice("fail"))
    await world.sender.drain(0)

    assert world.done == [
        ("start", "its worker has ended"),
        ("fail", "its worker has ended"),
    ]


async def test_a_drain_of_nothing_is_over_at_once() -> None:
    await World().sender.drain(99)
