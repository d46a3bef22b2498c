"""A consumer that nobody waits for any more."""

import asyncio
from typing import Any

import pytest

from cronstream.settings import Settings
from cronstream.topology import plain_consumer
from cronstream.topology.reading import Reader


async def test_what_is_half_connected_is_ended_when_it_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Silent:
        async def start(self) -> None:
            done.append("start")
            await asyncio.sleep(60)

        async def stop(self) -> None:
            done.append("stop")

    def silent(*_: Any, **__: Any) -> Silent:
        return Silent()

    monkeypatch.setattr(plain_consumer, "new_consumer", silent)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Reader(Settings(), gives_up=True).start()
    assert done == ["start", "stop"]
