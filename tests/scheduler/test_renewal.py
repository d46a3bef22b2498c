"""A log that was deleted and recreated is told again what it has to know, within seconds."""

import logging

import pytest

from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, a_job

LOG = NAMES.log("a")


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(a_job(), a_job("report", cluster="b"))
    return bench


async def ticks(bench: Bench, count: int) -> None:
    for _ in range(count):
        await bench.tick()


def make_anew(bench: Bench, topic: str) -> None:
    bench.broker.ids[topic] = "second"
    bench.broker.records = [
        (name, record) for name, record in bench.broker.records if name != topic
    ]


@pytest.mark.parametrize("topic", [LOG, NAMES.retry_log("a")])
async def test_it_has_the_level_first_then_what_is_in_force_and_what_is_due_from_now_on(
    bench: Bench, caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    await ticks(bench, 12)
    make_anew(bench, LOG)
    bench.broker.ids = {topic: "second"}
    await ticks(bench, 4)

    words = [type(word) for word in bench.broker.all_on(LOG) if not isinstance(word, Level)]
    assert isinstance(bench.broker.all_on(LOG)[0], Level)
    assert words == [Withdrawal, Run, Run, Run]
    runs = [word for word in bench.broker.on(LOG) if isinstance(word, Run)]
    assert [run.scheduled_at for run in runs] == [at(20), at(30), at(40)]
    assert len([w for w in bench.broker.on(NAMES.log("b")) if isinstance(w, Withdrawal)]) == 1
    [said] = [m for m in caplog.messages if "recreated" in m]
    assert f"shard 0: {LOG} was deleted and recreated" in said
    assert bench.scheduler.set_aside == []
    await ticks(bench, 10)
    assert "behind" not in bench.cursors["0"]
    assert len([w for w in bench.broker.on(LOG) if isinstance(w, Withdrawal)]) == 1


async def test_a_kafka_that_tells_no_ids_or_does_not_answer_stops_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.broker.is_away = True
    await ticks(bench, 12)
    assert len(bench.broker.on(LOG)) == 6
    bench.broker.is_away = False

    async def none(_: object) -> dict[str, str]:
        return {}

    monkeypatch.setattr(bench.readers[1], "ids", none)
    await ticks(bench, 10)
    assert len(bench.broker.on(LOG)) == 7


async def test_it_is_looked_every_few_seconds_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def ids(topics: object) -> dict[str, str]:
        asked.append(sorted(topics))  # type: ignore[call-overload] # an iterable
        return {}

    monkeypatch.setattr(bench.readers[1], "ids", ids)
    await ticks(bench, 9)
    logs = [log(name) for name in "ab" for log in (NAMES.log, NAMES.retry_log)]
    assert asked == [sorted(logs)] * 3


async def test_what_is_another_s_meanwhile_is_looked_at_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await ticks(bench, 3)
    bench.scheduler.assigned(set())
    make_anew(bench, LOG)
    bench.scheduler.assigned({0})
    await ticks(bench, 3)
    assert not [m for m in caplog.messages if "recreated" in m]
