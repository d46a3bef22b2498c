"""Logs in, rows out: whenever it is ended and begun again, the rows are what the ledgers say."""

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from cronstream import clock
from cronstream.console import projecting
from cronstream.console.answers import Wanted
from cronstream.console.projecting import Projection
from cronstream.console.store import Batch, Store
from cronstream.core.wire.codec import decode
from cronstream.core.wire.entries import Claimed, Finished, Forwarded, Settled
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Run
from cronstream.errors import TruncatedError
from cronstream.history.loading import load
from cronstream.history.scope import Scope
from cronstream.history.story import RunState, RunStory
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, a_run, at
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.console.ledgers import a_broker
from tests.console.readers import EndingReader, OverError, project


async def _as_loaded(broker: FakeBroker) -> dict[str, object]:
    history = await load(FakeReader(broker), Scope(keep_output=False))
    return {story.id: story for story in history.runs()}


def _rows(store: Store) -> dict[str, RunStory]:
    return {story.id: story for story in store.runs(Wanted(limit=1_000))}


async def test_the_rows_are_what_commands_read_of_the_ledgers(tmp_path: Path) -> None:
    broker, store = a_broker(), Store(tmp_path / "console.sqlite")
    projection = await project(broker, store)
    assert _rows(store) == await _as_loaded(broker)
    assert projection.is_current
    assert projection.known_until == at(184)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), max_size=4), at_once=st.integers(1, 7))
async def test_whenever_it_is_begun_again_the_rows_come_to_be_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], at_once: int
) -> None:
    broker, store = a_broker(), Store(tmp_path_factory.mktemp("console") / "console.sqlite")
    for most in (*cuts, None):
        await project(broker, store, at_once=at_once, most=most)
    assert _rows(store) == await _as_loaded(broker)
    counted = sum(count for *_, count in store.minutes(at(-90_000)))
    assert counted == sum(one.state.settled for one in store.runs(Wanted(limit=1_000)))


@pytest.mark.parametrize("is_last", [True, False])
async def test_what_one_log_says_long_after_the_other_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_last: bool
) -> None:
    monkeypatch.setattr(projecting, "_REMEMBERED", 0)
    broker, store = a_broker(), Store(tmp_path / "console.sqlite")
    for message in [one for log in broker.topics[NAMES.retry_log("cluster-a")] for one in log]:
        run, version = decode(message.value, Run).id, message.offset
        me: dict[str, Any] = {"run": run, "worker": "r1"}
        begun = Claimed(**me, version=version, number=1)
        times: dict[str, Any] = {"started_at": message.at, "ended_at": message.at}
        ended = Finished(**me, claim=version, outcome=Outcome.SUCCEEDED, **times)
        offset = 0
        for entry in (begun, ended):
            offset = broker.retry("report", entry, when=message.at)
        broker.retry("report", Forwarded(run=run, version=offset), when=message.at)
    logs = sorted(broker.topics.items(), key=lambda log: ".retry" in log[0], reverse=not is_last)
    broker.topics = dict(logs)
    await project(broker, store, at_once=1)
    found = _rows(store)
    assert found == await _as_loaded(broker)
    assert [len(one.attempts) for one in found.values() if one.job == "report"] == [2] * 4


async def test_only_what_is_live_is_read_again(tmp_path: Path) -> None:
    broker, store = a_broker(), Store(tmp_path / "console.sqlite")
    await project(broker, store)
    places = store.places()
    assert all(place.again <= place.next for place in places.values())
    again = {key for key, place in places.items() if place.again < place.next}
    live = {(one.job, one.state) for one in store.live()}
    assert live == {("mail", RunState.RUNNING), ("report", RunState.RETRYABLE)}
    assert len(again) <= 3


async def test_what_retention_has_deleted_is_not_waited_for(tmp_path: Path) -> None:
    broker, store = a_broker(), Store(tmp_path / "console.sqlite")
    places = [(topic, n) for topic, logs in broker.topics.items() for n in range(len(logs))]
    [some, *_] = [at for at in places if len(broker.topics[at[0]][at[1]]) > 2]
    for topic, n in places:
        broker.delete_before(topic, n, len(broker.topics[topic][n]))
    broker.delete_before(*some, 2)
    projection = await project(broker, store)
    left = len(broker.topics[some[0]][some[1]]) - 2
    assert (projection.is_current, projection.done, projection.total) == (True, left, left)


async def test_a_log_that_is_another_one_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path / "console.sqlite")
    await project(a_broker(), store)
    with pytest.raises(TruncatedError, match="up to which it was projected"):
        await project(FakeBroker("cluster-a"), store)
    store.empty()
    assert (_rows(store), store.places()) == ({}, {})


def _a_broker_of_many(runs: int) -> FakeBroker:
    """Return a broker with so many runs that have succeeded, 500 in a message."""
    broker = FakeBroker("cluster-a")
    for first in range(0, runs, 500):
        many = [a_run(scheduled_at=at(n)) for n in range(first, first + 500)]
        verdicts = [Settled(run=one.id, attempt=1, verdict=Verdict.SUCCEEDED) for one in many]
        broker.log("backup", *many, when=at(0))
        broker.log("backup", *verdicts, when=at(1))
    return broker


async def test_of_many_runs_that_come_at_once_none_is_forgotten_before_it_is_written(
    tmp_path: Path,
) -> None:
    store, runs = Store(tmp_path / "console.sqlite"), 12_000
    await project(_a_broker_of_many(runs), store)
    assert len(store.runs(Wanted(limit=runs + 1))) == runs


async def test_of_many_that_come_at_once_nothing_is_lost_where_some_cannot_be_written(
    tmp_path: Path,
) -> None:
    class FaultyStore(Store):
        faults = 2

        @override
        def write(self, batch: Batch) -> None:
            self.faults -= 1
            if self.faults >= 0:
                raise OSError(errno.ENOSPC, "no space left")
            super().write(batch)

    store, runs = FaultyStore(tmp_path / "console.sqlite"), 12_000
    broker = _a_broker_of_many(runs)
    projection, reader = Projection(store, every_s=0), EndingReader(broker)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            await projection.follow(reader)
    with pytest.raises(OverError):
        await projection.follow(reader)
    assert len(store.runs(Wanted(limit=runs + 1))) == runs
    assert projection.written == runs


class _HeldStore(Store):
    """Writes once it may."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.may_write = threading.Event(), threading.Event()

    @override
    def write(self, batch: Batch) -> None:
        self.begun.set()
        assert self.may_write.wait(60)
        super().write(batch)


async def test_while_many_runs_are_written_it_reads_on(tmp_path: Path) -> None:
    store, runs = _HeldStore(tmp_path / "console.sqlite"), 12_000

    class LettingReader(EndingReader):
        polls = 0

        @override
        async def poll(self, timeout_s: float) -> list[LogMessage]:
            self.polls += 1
            if self.polls == 2:
                assert store.places() == {}
                store.may_write.set()
            return await super().poll(timeout_s)

    projection = Projection(store, every_s=3600)
    with pytest.raises(OverError):
        await projection.follow(LettingReader(_a_broker_of_many(runs), at_once=14))
    assert store.may_write.is_set()
    [place] = store.places().values()
    assert 0 < len(store.runs(Wanted(limit=runs + 1))) == projection.written < runs
    assert place.next < 2 * runs / 500


async def test_who_is_told_to_stop_waits_for_what_is_being_written(tmp_path: Path) -> None:
    store = _HeldStore(tmp_path / "console.sqlite")
    following = asyncio.create_task(Projection(store, every_s=0).follow(FakeReader(a_broker())))
    assert await asyncio.to_thread(store.begun.wait, 60)
    following.cancel()
    await asyncio.sleep(0.01)
    assert not following.done()
    store.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert store.places()


async def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    class FullStore(Store):
        is_full = True

        @override
        def write(self, batch: Batch) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, "no space left")
            super().write(batch)

    broker, store = a_broker(), FullStore(tmp_path / "console.sqlite")
    projection = Projection(store, every_s=0)
    reader = EndingReader(broker)
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            await projection.follow(reader)
    store.is_full = False
    with pytest.raises(OverError):
        await projection.follow(reader)
    assert _rows(store) == await _as_loaded(broker)


async def test_while_it_is_behind_it_writes_less_often_than_when_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, broker, now, written = Store(tmp_path / "console.sqlite"), FakeBroker("cluster-a"), 0, []

    class SlowReader(EndingReader):
        """Reads a message a second; some come once all that was there is read."""

        @override
        async def poll(self, timeout_s: float) -> list[LogMessage]:
            nonlocal now
            now += 1
            if now in range(20, 26):
                broker.log("backup", a_run(scheduled_at=at(now)), when=at(now))
            return await super().poll(timeout_s)

    for second in range(20):
        broker.log("backup", a_run(scheduled_at=at(-second)), when=at(0))
    monkeypatch.setattr(clock, "monotonic", lambda: float(now))
    projection = Projection(store, lambda _: written.append(now), every_s=1)
    with pytest.raises(OverError):
        await projection.follow(SlowReader(broker, at_once=1))
    assert written == [6, 12, 18, *range(21, 27)]
    assert [place.next for place in store.places().values()] == [26]
