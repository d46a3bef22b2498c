"""Processes catch up: who reads what, and what becomes of it where one of them fails."""

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.broker.ports import free_port
from cronstream.console import catching_up
from cronstream.console.answers import Wanted
from cronstream.console.catching_up import CatchingUp, shared_out
from cronstream.console.projecting import Projection, Share
from cronstream.console.store import Store
from cronstream.core.wire.entries import Settled
from cronstream.core.wire.enumerations import Verdict
from cronstream.settings import Settings
from tests.builders import NAMES, a_run, at
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.console.readers import EndingReader, OverError


@given(
    left=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 1_000)),
    most=st.integers(1, 6),
)
def test_each_cluster_of_which_there_is_something_to_read_is_one_process_s(
    left: dict[str, int], most: int
) -> None:
    shares = shared_out(left, most)
    found = [cluster for share in shares for cluster in share]
    assert sorted(found) == sorted(cluster for cluster, messages in left.items() if messages)
    assert len(shares) == min(most, len(found))
    sizes = [sum(left[cluster] for cluster in share) for share in shares]
    for share, size in zip(shares, sizes, strict=True):
        # None has so much that another had better taken the least of it.
        assert size - min(left[cluster] for cluster in share) <= min(sizes)


def a_broker(**runs: int) -> FakeBroker:
    """Return a broker on which each of some clusters has so many runs, a message for each."""
    clusters = {f"cluster-{letter}": number for letter, number in runs.items()}
    broker = FakeBroker(*clusters)
    for cluster, number in clusters.items():
        for n in range(number):
            run = a_run(job=f"{cluster}.job", cluster=cluster, scheduled_at=at(n))
            settled = Settled(run=run.id, attempt=1, verdict=Verdict.SUCCEEDED)
            broker.log(run.job, run, settled, when=at(n), cluster=cluster)
    return broker


def catching(store: Store, **settings: Any) -> CatchingUp:
    return CatchingUp(Settings(**{"console_projectors": 2, **settings}), store, lambda: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "console.sqlite")


@pytest.fixture(autouse=True)
def _ten_are_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "WORTH", 10)


@pytest.mark.parametrize(
    ("runs", "projectors", "is_worth_it"),
    [
        ({"a": 5, "b": 5}, 2, True),
        ({"a": 5, "b": 4}, 2, False),
        ({"a": 50, "b": 0}, 2, True),
        ({"a": 5, "b": 5}, 1, False),
    ],
)
async def test_other_processes_catch_up_where_much_is_to_be_read_and_there_may_be_some(
    store: Store, runs: dict[str, int], projectors: int, *, is_worth_it: bool
) -> None:
    one = catching(store, console_projectors=projectors)
    assert await one.is_worth_it(FakeReader(a_broker(**runs))) is is_worth_it
    assert (one.done, one.total) == (0, sum(runs.values()))


async def test_what_is_projected_or_deleted_needs_no_process(store: Store) -> None:
    broker = a_broker(a=9, b=9)
    topic = NAMES.log("cluster-a")
    [partition] = [n for n, messages in enumerate(broker.topics[topic]) if messages]
    broker.delete_before(topic, partition, 4)
    one = catching(store)
    assert await one.is_worth_it(FakeReader(broker))
    assert one.total == 14
    share = Share.of(NAMES, ["cluster-b"])
    await Projection(store, share=share).follow(EndingReader(broker), is_to_end=True)
    assert not await one.is_worth_it(FakeReader(broker))
    assert one.total == 5


async def test_whoever_projects_a_share_writes_nothing_of_others_and_ends(store: Store) -> None:
    broker, shares = a_broker(a=7, b=5), [Share.of(NAMES, [f"cluster-{x}"]) for x in "ab"]
    for share in shares:
        with pytest.raises(OverError):
            await Projection(store, every_s=0, share=share).follow(EndingReader(broker, most=2))
    first, second = (Projection(store, every_s=0, share=share) for share in shares)
    await second.follow(EndingReader(broker), is_to_end=True)
    await first.follow(EndingReader(broker), is_to_end=True)
    found = store.runs(Wanted(limit=100))
    assert sorted(one.cluster for one in found) == ["cluster-a"] * 7 + ["cluster-b"] * 5
    assert [place.next for place in store.places().values()] == [7, 5]


async def test_the_console_goes_on_alone_where_a_process_fails(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    one = catching(store, broker=f"kafka://127.0.0.1:{free_port()}")
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    with caplog.at_level(logging.INFO):
        assert not await one.run()
    assert (
        "100 messages are to be read; processes that do so, each of some clusters: 2" in caplog.text
    )
    assert (one.done, one.written, one.known_until) == (0, 0, None)


async def test_the_console_goes_on_alone_where_there_can_be_no_more_processes(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    killed: list[object] = []

    class FewParts:
        def __init__(self, *_: object) -> None:
            if begun:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            begun.append(self)

        def kill(self) -> None:
            killed.append(self)

    monkeypatch.setattr(catching_up, "_Part", FewParts)
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert not await one.run()
    assert killed == begun
    assert "Resource temporarily unavailable; the console catches up alone" in caplog.text


async def test_the_console_goes_on_alone_where_nothing_comes_of_what_they_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class IdlePart:
        """A process that found nothing to read, and so came to its end."""

        is_there = has_failed = False

        def __init__(self, *given: Any) -> None:
            self.said = catching_up._Said(0, given[-1], None)

        def heard(self) -> catching_up._Said:
            return self.said

        def kill(self) -> None: ...

    monkeypatch.setattr(catching_up, "_Part", IdlePart)
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert not await one.run()
    assert (one.done, one.total) == (0, 100)
