"""What follows a run of another cluster: from the installation's topic to its own log."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from cronstream.core.ledger.state import HAND_OVER
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.enumerations import Cause, Verdict
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Previous, Run
from cronstream.scheduler import handing_over
from cronstream.topology.publish import Ack, partition_of
from tests.builders import NAMES, NOON, a_run, at
from tests.metrics.built import value
from tests.scheduler.fakes import Bench, FakeStream, turns
from tests.signing import a_key

LOG = NAMES.log("cluster-b")


def follower(**fields: Any) -> Run:
    previous = Previous("backup@2026-01-01T12:00:00Z", Verdict.SUCCEEDED, 1, cluster="cluster-a")
    values = {"cluster": "cluster-b", "previous": previous, "as_of": NOON, **fields}
    return a_run(revision=None, **{"cause": Cause.CHAIN, "number": 7, **values})


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(handing_over, "_AGAIN_S", 0.01)
    return Bench()


@pytest.fixture
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "LIMIT_S", 0.6)


async def hand_over(bench: Bench, *values: bytes) -> None:
    for one in values:
        bench.broker.put(NAMES.chains, 3, one)
    messages = bench.broker.topics[NAMES.chains, 3]
    await bench.scheduler.hand_over.hand_over(FakeStream(*messages[-len(values) :]))


async def announced(bench: Bench) -> None:
    """Have the level stand on the log."""
    silent = bench.broker.silent.pop(LOG, None)
    await hand_over(bench, encode(follower(number=1)))
    if silent is not None:
        bench.broker.silent[LOG] = silent


def count_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the topics of what is put somewhere from now on."""
    sent, put = [], bench.broker.put_raw

    def spy(topic: str, *about: Any) -> asyncio.Future[Ack]:
        sent.append(topic)
        return put(topic, *about)

    monkeypatch.setattr(bench.broker, "put_raw", spy)
    return sent


@pytest.mark.parametrize("is_signed", [False, True])
async def test_it_is_put_on_its_own_log_as_it_is_behind_the_level(
    bench: Bench, is_signed: bool
) -> None:
    run = a_key().sign(follower()) if is_signed else follower()
    await hand_over(bench, encode(run))

    assert bench.broker.on(LOG) == [run]
    partition = partition_of(run.job, bench.settings.partitions)
    assert bench.broker.topics[LOG, partition][-1].value == encode(run)
    [level] = {one.level for one in bench.broker.all_on(LOG) if isinstance(one, Level)}
    assert level == LEVEL
    assert bench.quarantine.refused == []


@pytest.mark.parametrize(
    "value",
    [
        b"nonsense",
        encode(follower(cause=Cause.RUN_NOW)),
        encode(follower(previous=None)),
        encode(follower(previous=Previous("a", Verdict.SUCCEEDED, 1))),
        encode(follower(previous=Previous("a", Verdict.SUCCEEDED, 1, cluster="cluster-b"))),
        encode(follower(attempt=2)),
        encode(follower(cluster="No Cluster")),
        encode(follower(as_of=NOON - HAND_OVER - timedelta(seconds=1))),
        encode(follower(as_of=None)),
        encode(Level(level=9)),
    ],
)
async def test_what_follows_no_run_of_another_cluster_or_is_too_old_is_set_aside(
    bench: Bench, value: bytes
) -> None:
    await hand_over(bench, value, encode(follower()))

    assert [refused[:3] for refused in bench.quarantine.refused] == [(NAMES.chains, 3, 0)]
    assert bench.broker.on(LOG) == [follower()]


@pytest.mark.parametrize("is_signed", [False, True])
async def test_what_comes_late_is_judged_once_more(bench: Bench, is_signed: bool) -> None:
    run = a_key().sign(follower()) if is_signed else follower()
    bench.clock.passed = 3600
    await hand_over(bench, encode(run))

    judged = {"retry_as_of": at(3600)} if is_signed else {"as_of": at(3600)}
    assert bench.broker.on(LOG) == [run, run.derive(**judged)]


@pytest.mark.usefixtures("_hastily")
async def test_what_its_log_does_not_take_goes_to_the_end_of_the_topic(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.broker.silent[LOG] = True
    other = follower(cluster="cluster-c")
    await hand_over(bench, encode(follower()), encode(follower()), encode(other))

    put = [*bench.broker.on(NAMES.log("cluster-c")), *bench.broker.on(NAMES.chains)]
    assert put.count(other) == 1
    assert put.count(follower()) == 2
    said = [record for record in caplog.records if "the log of its cluster waits" in record.message]
    assert len(said) == 1


async def test_it_waits_for_a_cluster_that_is_new_but_not_for_one_that_is_not_there(
    bench: Bench,
) -> None:
    bench.broker.silent[LOG] = False
    await hand_over(bench, encode(follower()))
    assert bench.broker.on(NAMES.chains) == [follower()]

    bench.clock.passed = 61
    await hand_over(bench, encode(follower()))
    [(_, _, _, why)] = bench.quarantine.refused
    assert why == "there is no cluster 'cluster-b'"


@pytest.mark.usefixtures("_hastily")
async def test_it_is_put_back_once_that_is_possible(bench: Bench) -> None:
    bench.broker.silent[LOG] = bench.broker.silent[NAMES.chains] = True
    going = asyncio.create_task(hand_over(bench, encode(follower())))
    await asyncio.sleep(0.3)
    assert not going.done()
    bench.broker.speak(NAMES.chains)
    await asyncio.wait_for(going, 5)

    assert follower() in bench.broker.on(NAMES.chains)


async def test_where_nobody_says_whether_there_is_such_a_cluster_it_is_tried(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Any) -> Any:
        raise OSError

    monkeypatch.setattr(bench.readers[0], "unled", fails)
    await hand_over(bench, encode(follower()))

    assert bench.broker.on(LOG) == [follower()]


@pytest.mark.usefixtures("_hastily")
async def test_a_log_that_takes_nothing_is_sent_one_message_however_long_that_lasts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await announced(bench)
    bench.broker.silent[LOG] = True
    sent = count_sent(bench, monkeypatch)
    for _ in range(5):
        await hand_over(bench, encode(follower()))

    assert sent.count(LOG) == 1
    assert bench.broker.borne_too == {(LOG, partition_of("backup", bench.settings.partitions))}


async def test_what_goes_elsewhere_waits_no_longer_however_much_a_log_does_not_take(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "LIMIT_S", 0.3)
    monkeypatch.setattr(handing_over, "_AGAIN_S", 0.3)
    bench.broker.silent[LOG] = True
    many = [encode(follower(number=number)) for number in range(20)]
    other = follower(cluster="cluster-c")
    async with asyncio.timeout(1.5):
        await hand_over(bench, *many, encode(other))

    assert bench.broker.on(NAMES.log("cluster-c")) == [other]


async def test_one_that_stops_while_it_waits_leaves_it_to_the_next(bench: Bench) -> None:
    bench.broker.silent[LOG] = True
    bench.broker.put(NAMES.chains, 3, encode(follower()))
    stream = FakeStream(*bench.broker.topics[NAMES.chains, 3])
    going = asyncio.create_task(bench.scheduler.hand_over.hand_over(stream))
    await turns()
    going.cancel()
    await asyncio.wait([going])
    del going
    await turns()

    assert stream.acked == []


async def test_it_goes_on_where_what_waits_for_a_log_is_given_up(bench: Bench) -> None:
    await announced(bench)
    bench.broker.silent[LOG] = True
    other = follower(cluster="cluster-c")
    going = asyncio.create_task(hand_over(bench, encode(follower()), encode(other)))
    await turns()
    bench.broker.give_up_on(LOG)
    await asyncio.wait_for(going, 5)

    assert bench.broker.on(NAMES.log("cluster-c")) == [other]
    assert bench.broker.on(NAMES.chains) == [follower()]


@pytest.mark.usefixtures("_hastily")
async def test_people_are_told_which_log_waits_until_it_does_not(bench: Bench) -> None:
    bench.broker.silent[LOG] = True
    await hand_over(bench, encode(follower()))
    [sentence] = bench.scheduler.set_aside
    assert sentence.startswith(f"{LOG} takes nothing on partition ")
    assert "what follows runs of other clusters waits" in sentence

    bench.broker.speak(LOG)
    await hand_over(bench, encode(follower()))
    assert bench.scheduler.set_aside == []
    assert bench.broker.on(LOG).count(follower()) == 1
    assert bench.broker.borne_too == set()


@pytest.mark.usefixtures("_hastily")
async def test_what_another_scheduler_hands_over_meanwhile_is_told_for_a_while_only(
    bench: Bench,
) -> None:
    bench.broker.silent[LOG] = True
    await hand_over(bench, encode(follower()))
    bench.clock.passed = 61
    assert bench.scheduler.set_aside == []


@pytest.mark.usefixtures("_hastily")
async def test_what_waits_is_told_with_its_time_until_its_log_has_it(bench: Bench) -> None:
    def count() -> float | None:
        return value(bench.metrics, "cronstream_runs_handed_over_total", cluster="cluster-b")

    assert bench.scheduler.hand_over.waiting == {}
    bench.broker.silent[LOG] = True
    await hand_over(bench, encode(follower()), encode(follower(as_of=at(-40), number=8)))
    assert bench.scheduler.hand_over.waiting == {"cluster-b": [NOON, at(-40)]}
    assert not count()

    bench.broker.speak(LOG)
    await hand_over(bench, encode(follower()), encode(follower(as_of=at(-40), number=8)))
    assert bench.scheduler.hand_over.waiting == {"cluster-b": []}
    assert count() == 2


@pytest.mark.usefixtures("_hastily")
async def test_what_waits_with_another_scheduler_or_was_set_aside_is_not_counted(
    bench: Bench,
) -> None:
    bench.broker.silent[LOG] = True
    run = follower()
    await hand_over(bench, encode(run), encode(follower(number=8)))
    assert [len(since) for since in bench.scheduler.hand_over.waiting.values()] == [2]
    bench.clock.passed = (HAND_OVER + timedelta(minutes=1)).total_seconds()
    await hand_over(bench, encode(run))
    assert [len(since) for since in bench.scheduler.hand_over.waiting.values()] == [1]
    bench.scheduler.hand_over.assigned({0, 3})
    assert [len(since) for since in bench.scheduler.hand_over.waiting.values()] == [1]
    bench.scheduler.hand_over.assigned({0})
    assert bench.scheduler.hand_over.waiting == {"cluster-b": []}
