"""What a process finds on ``jobs`` before it joins: whether it may."""

from typing import Any, Self

import orjson
import pytest

from cronstream.core.planning.cursor import Cursor
from cronstream.core.planning.recent import mark_of
from cronstream.core.wire import naming
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.messages import Message
from cronstream.errors import HouseError
from cronstream.settings import Settings
from cronstream.topology import installation_level
from cronstream.topology.installation_level import Found, look_at_installation
from tests.builders import NAMES, NOON
from tests.cli.fake_broker import FakeBroker, FakeReader

_CURSORS = naming.changelog("cronstream-scheduler", naming.CURSORS)


class _Reader(FakeReader):
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    broker = FakeBroker()
    broker.create(NAMES.jobs, 1)
    broker.create(_CURSORS, 1)
    broker.kafka = "here"
    monkeypatch.setattr(installation_level, "Reader", lambda _: _Reader(broker))
    return broker


def _say(broker: FakeBroker, *records: Message) -> None:
    for record in records:
        broker.put(NAMES.jobs, "", encode(record), NOON)


def _note(broker: FakeBroker, **noted: Any) -> None:
    """Leave a cursor's row that says how far ``jobs`` was read."""
    log = broker.topics[NAMES.jobs][0]
    seen = {"position": len(log), "mark": mark_of(log[-1].value), "level": 2, **noted}
    row = {**Cursor(0, NOON).to_row(), "jobs": seen}
    broker.put(_CURSORS, "0", orjson.dumps(row), NOON)


_ID = Installation(id="a" * 32, kafka="there")
_OWN = Installation(id="a" * 32, kafka="here")


async def test_an_installation_that_was_begun_here_is_worked_on(broker: FakeBroker) -> None:
    assert await look_at_installation(Settings()) == Found(1, "here")
    _say(broker, Level(level=2), _OWN)
    assert await look_at_installation(Settings()) == Found(2, "here")
    _note(broker, kafka="here")
    assert await look_at_installation(Settings()) == Found(2, "here")
    _say(broker, House(state=HouseState.OPEN, export="e"))
    assert await look_at_installation(Settings()) == Found(2, "here")


@pytest.mark.parametrize("noted", [None, {"kafka": "there"}, {"mark": "x"}, {}])
async def test_nobody_works_on_a_copy(broker: FakeBroker, noted: dict[str, Any] | None) -> None:
    """Whether what is noted is of the copy's offsets, as those of ``jobs`` often are, or not."""
    _say(broker, Level(level=2), *([] if noted == {} else [_ID]))
    if noted is not None:
        _note(broker, **{"kafka": "there", **noted})
    with pytest.raises(HouseError, match=r"copied from another Kafka \(there; this one is here\)"):
        await look_at_installation(Settings())


@pytest.mark.parametrize("is_noted", [True, False])
async def test_nobody_works_where_it_was_exported(broker: FakeBroker, is_noted: bool) -> None:
    _say(broker, Level(level=2), _OWN)
    if is_noted:
        _note(broker, kafka="here")
    _say(broker, House(state=HouseState.CLOSED, export="e"))
    with pytest.raises(HouseError, match="it was exported as e"):
        await look_at_installation(Settings())
