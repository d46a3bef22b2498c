"""What commands wrote, read when somebody looks: however little Kafka answers."""

import asyncio
from typing import Any

import pytest

from cronstream.console import output
from cronstream.console.output import Outputs
from cronstream.errors import BrokerError
from tests.cli.fake_broker import FakeBroker, FakeReader


def a_run(attempts: int) -> dict[str, Any]:
    """Return the fields of a run as far as they are needed, with so many attempts."""
    return {
        "run": "backup@2026-01-01T12:00:00Z",
        "attempts": [
            {"topic": "cronstream.cluster-a", "partition": 0, "offsets": {"ended": number}}
            for number in range(attempts)
        ],
    }


class AwayReader(FakeReader):
    """Kafka is away, or says nothing."""

    def __init__(self, log: list[str], *, is_silent: bool) -> None:
        super().__init__(FakeBroker("cluster-a"))
        self._log, self._is_silent = log, is_silent

    async def start(self) -> None:
        self._log.append("start")
        if self._is_silent:
            await asyncio.sleep(60)
        raise BrokerError("no broker answers")

    async def stop(self) -> None:
        self._log.append("stop")


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_page_waits_once_however_many_attempts_there_are(
    monkeypatch: pytest.MonkeyPatch, is_silent: bool
) -> None:
    monkeypatch.setattr(output, "_WITHIN_S", 0.05)
    log: list[str] = []
    run = a_run(7)
    await Outputs(lambda: AwayReader(log, is_silent=is_silent)).fill(run)
    why = "Kafka does not answer" if is_silent else "no broker answers"
    assert {one["output_problem"] for one in run["attempts"]} == {
        f"what it wrote cannot be read now: {why}"
    }
    # What was begun was ended: else each look would leave connections behind.
    assert log == ["start", "stop"]


async def test_who_waits_in_vain_does_not_disconnect_who_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, may_go_on, stopped = asyncio.Event(), asyncio.Event(), 0

    class SlowReader(FakeReader):
        async def beginnings(self, topic: str, partitions: Any) -> dict[int, int]:
            assert topic
            asked.set()
            await may_go_on.wait()
            return dict.fromkeys(partitions, 99)

        async def stop(self) -> None:
            nonlocal stopped
            stopped += 1

    outputs = Outputs(lambda: SlowReader(FakeBroker("cluster-a")))
    second, first = a_run(1), a_run(1)
    monkeypatch.setattr(output, "_WITHIN_S", 30)
    reading = asyncio.create_task(outputs.fill(first))
    await asyncio.wait_for(asked.wait(), 10)
    monkeypatch.setattr(output, "_WITHIN_S", 0.02)
    await outputs.fill(second)
    assert "does not answer" in second["attempts"][0]["output_problem"]
    assert stopped == 0
    may_go_on.set()
    await reading
    assert first["attempts"][0]["output_problem"] == "what it wrote is no longer kept by Kafka"
