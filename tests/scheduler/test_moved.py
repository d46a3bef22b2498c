"""A scheduler fires nothing more in an installation that was exported."""

import pytest

from cronstream.core.wire.codec import encode
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from cronstream.core.wire.runs import Run
from tests.builders import NAMES
from tests.scheduler.fakes import Bench, a_job, until
from tests.scheduler.test_following import a_crontab, followed, published

_CLOSED = House(state=HouseState.CLOSED, export="e" * 32)


def _runs(bench: Bench) -> int:
    return sum(isinstance(record, Run) for record in bench.broker.on(NAMES.log("a")))


async def test_a_scheduler_ends_when_its_installation_is_exported() -> None:
    bench, reasons = Bench(), list[str]()
    bench.scheduler.on_fatal = reasons.append
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(a_job(schedule="@every 1s"))
    await bench.tick()
    count = _runs(bench)
    bench.broker.put(NAMES.jobs, 0, encode(_CLOSED))
    for _ in range(3):
        await bench.tick()

    assert "this installation has moved: it was exported as eee" in reasons[0]
    assert _runs(bench) == count > 0


async def test_an_export_that_was_taken_back_stops_nobody() -> None:
    bench, reasons = Bench(), list[str]()
    bench.scheduler.on_fatal = reasons.append
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(a_job(schedule="@every 1s"))
    for word in (_CLOSED, _CLOSED.derive(state=HouseState.OPEN)):
        bench.broker.put(NAMES.jobs, 0, encode(word))
    await bench.tick()

    assert not reasons
    assert _runs(bench) > 0


async def test_whoever_has_read_of_an_export_while_it_stood_by_puts_nothing_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench, reasons = Bench(), list[str]()
    bench.define(a_job(schedule="@every 1s"))
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    await bench.tick()
    count = _runs(bench)
    bench.broker.put(NAMES.jobs, 0, encode(_CLOSED))

    other = bench.another()
    other.on_fatal = reasons.append
    await other.start()
    async with followed(bench, other):
        bench.files.put_nowait(a_crontab(a_job(command="edited")))
        await until(lambda: "is not in force yet (HouseError: this inst" in caplog.text)
        assert other.jobs.known.of[0].position == 2
        await bench.tick(other)
    assert published(bench) == []
    assert reasons
    assert _runs(bench) == count
