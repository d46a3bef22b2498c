"""A console's readers, on a broker of lists."""

import asyncio

from cronstream.console.projecting import Projection
from cronstream.console.store import Store
from cronstream.topology.log_message import LogMessage
from tests.cli.fake_broker import FakeBroker, FakeReader


class OverError(Exception):
    """All was read."""


class EndingReader(FakeReader):
    """Reads what is there, a few messages at a time, and then is over."""

    def __init__(self, broker: FakeBroker, at_once: int = 1_000, most: int | None = None) -> None:
        super().__init__(broker)
        self._at_once, self._left, self._silent = at_once, most, 0

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        assert timeout_s > 0
        await asyncio.sleep(0)
        found: list[LogMessage] = []
        for place, offset in self._places.items():
            at_most = self._at_once if self._left is None else min(self._at_once, self._left)
            fresh = self._broker.topics[place.topic][place.partition][offset:][
                : at_most - len(found)
            ]
            found += fresh
            self._places[place] = offset + len(fresh)
        if self._left is not None:
            self._left -= len(found)
        self._silent = 0 if found else self._silent + 1
        if self._silent > 1:
            raise OverError
        return found


async def project(
    broker: FakeBroker, store: Store, *, at_once: int = 1_000, most: int | None = None
) -> Projection:
    """Project what is on a broker, or the first `most` messages that are not projected yet."""
    projection = Projection(store, every_s=0)
    try:
        await projection.follow(EndingReader(broker, at_once, most))
    except OverError:
        return projection
    raise AssertionError("it never ends")
