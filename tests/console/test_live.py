"""What a run writes while it does, as a browser is told of it."""

from typing import Any

import pytest

from cronstream.console.live import LiveOutput
from cronstream.core.wire.live_output import Follow, Written, decode, encode
from cronstream.errors import BrokerError, KeysError
from cronstream.settings import Settings
from tests.builders import NAMES, at
from tests.cli.fake_broker import FakeBroker, FakePublisher, FakeReader

RUN = "backup@2026-01-01T12:00:00Z"
TOPIC = NAMES.output("cluster-a")


def a_broker(*said: Written) -> FakeBroker:
    """Return a broker whose worker says these things once somebody follows."""
    broker = FakeBroker("cluster-a")
    broker.create(TOPIC, 1)
    left = list(said)

    def answer() -> None:
        follows = [m for m in broker.topics[TOPIC][0] if isinstance(decode(m.value), Follow)]
        if follows and left:
            broker.put(TOPIC, RUN, encode(left.pop(0)), at(0))

    broker.before_poll = answer
    return broker


async def _told(broker: FakeBroker, most: int = 9) -> list[dict[str, Any]]:
    live = LiveOutput(lambda: FakeReader(broker), lambda: FakePublisher(broker, Settings()))
    found: list[dict[str, Any]] = []
    pieces = live.of(RUN, "cluster-a")
    try:
        async for one in pieces:
            found += [] if one is None else [one]
            if len(found) == most:
                break
    except KeyboardInterrupt:  # There is nothing more to read.
        pass
    await pieces.aclose()
    return found


def a_text(number: int, text: str, **fields: Any) -> Written:
    return Written(run=RUN, attempt=1, worker="w1", number=number, text=text, **fields)


async def test_what_was_written_before_comes_first_and_then_each_piece_once() -> None:
    broker = a_broker(
        a_text(1, "before "),
        a_text(2, "\x1b[31mso", so_far=1),
        a_text(3, " far\x1b[0", so_far=2),
        a_text(3, " far again", so_far=2),
        a_text(4, "m now", is_end=True),
        Written(run="another@2026-01-01T12:00:00Z", attempt=1, worker="w1", number=1, text="no"),
    )
    assert await _told(broker) == [
        {"attempt": 1, "pieces": [("a-f1", "so")]},
        {"attempt": 1, "pieces": [("a-f1", " far")]},
        {"attempt": 1, "pieces": [("", " now")]},
    ]


async def test_what_has_not_come_or_was_left_out_is_said() -> None:
    broker = a_broker(a_text(1, "a", so_far=1), a_text(4, "b", left_out=1_000))
    [_, second] = await _told(broker)
    assert [text for _, text in second["pieces"]] == [
        "\n… some of its output has not come …\n",
        "b",
        "\n… 1,000 bytes are left out here …\n",
    ]


async def test_why_nothing_can_be_followed_is_said() -> None:
    bare = FakeBroker("cluster-a")
    [said] = await _told(bare)
    assert "output is not there" in said["problem"]

    class AwayReader(FakeReader):
        async def start(self) -> None:
            raise BrokerError("no broker answers")

    live = LiveOutput(lambda: AwayReader(bare), lambda: FakePublisher(bare, Settings()))
    found = [one async for one in live.of(RUN, "cluster-a")]
    assert found == [{"problem": "cannot be followed: no broker answers"}]


async def test_no_more_than_some_follow_at_once() -> None:
    broker = a_broker(*(a_text(n, "x", so_far=int(n == 1)) for n in range(1, 40)))
    live = LiveOutput(lambda: FakeReader(broker), lambda: FakePublisher(broker, Settings()))
    following = [live.of(RUN, "cluster-a") for _ in range(21)]
    told = [await anext(one) for one in following]
    assert [one is not None and "problem" in one for one in told] == [False] * 20 + [True]
    for one in following:
        await one.aclose()
    assert "problem" not in (await anext(live.of(RUN, "cluster-a")) or {})


async def test_what_cannot_be_begun_does_not_count_among_those_who_follow() -> None:
    def publisher() -> FakePublisher:
        raise KeysError("the key cannot be read")

    broker = a_broker()
    live = LiveOutput(lambda: FakeReader(broker), publisher)
    for _ in range(30):
        with pytest.raises(KeysError):
            await anext(live.of(RUN, "cluster-a"))
