from datetime import timedelta

import pytest

from cronstream import clock
from cronstream.history.roll import clock_difference_s, roll_now
from tests.builders import NAMES
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.core.health.test_presence import a_process


@pytest.fixture
def broker() -> FakeBroker:
    made = FakeBroker("cluster-a")
    made.create(NAMES.workers, 1)
    return made


async def test_a_clock_is_compared_with_the_next_message_that_comes(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = a_process()
    broker.put(NAMES.workers, who.name, who.encode(), clock.now() - timedelta(hours=1))

    async def meanwhile(_: float) -> None:
        now = clock.now() - timedelta(seconds=30)
        broker.put(NAMES.workers, who.name, who.encode(), now)

    monkeypatch.setattr("cronstream.history.roll.asyncio.sleep", meanwhile)
    found = await clock_difference_s(FakeReader(broker), 5.0)

    assert found == pytest.approx(30.0, abs=1.0)


async def test_where_nobody_is_there_no_clock_is_known(broker: FakeBroker) -> None:
    assert await clock_difference_s(FakeReader(broker), 0.0) is None
    assert (await roll_now(FakeReader(broker))).all() == []
    assert (await roll_now(FakeReader(FakeBroker("cluster-a")))).now is None
