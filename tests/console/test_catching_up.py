"""Processes catch up: who reads what, and what becomes of it where one of them fails."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

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
from cronstream.errors import StoreError, TruncatedError
from cronstream.settings import Settings
from tests.builders import NAMES, a_run, at
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.console.readers import EndingReader, OverError


@given(
    left=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 1_000)),
    most=st.integers(1, 6),
)
def test_each_cluster_is_one_process_s_and_each_process_has_about_as_much_to_read(
    left: dict[str, int], most: int
) -> None:
    shares = shared_out(left, most)
    found = [cluster for share in shares for cluster in share]
    assert sorted(found) == sorted(left)
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
    with pytest.raises(OverError):
        await Projection(store, every_s=0, share=share).follow(EndingReader(broker))
    assert not await one.is_worth_it(FakeReader(broker))
    assert one.total == 5


async def test_whoever_projects_a_share_writes_nothing_of_others(store: Store) -> None:
    broker, shares = a_broker(a=7, b=5), [Share.of(NAMES, [f"cluster-{x}"]) for x in "ab"]
    for share in shares:
        with pytest.raises(OverError):
            await Projection(store, every_s=0, share=share).follow(EndingReader(broker, most=2))
    first, second = (Projection(store, every_s=0, share=share) for share in shares)
    for one in (second, first):
        with pytest.raises(OverError):
            await one.follow(EndingReader(broker))
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
    assert "ended with status" not in caplog.text, "it has said why itself"
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
    assert "Resource temporarily unavailable; the console catches up by itself" in caplog.text


class FakePart:
    """A process, as the console sees it, that says one thing each time it is heard."""

    exit_status: int | None = None
    says: ClassVar[list[catching_up._Said]] = []

    def __init__(self, *given: Any) -> None:
        self.said, self._left = catching_up._Said(0, given[-1]), list(self.says)

    def heard(self) -> catching_up._Said:
        self.said = self._left.pop(0) if self._left else self.said
        return self.said

    def kill(self) -> None: ...


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> type[FakePart]:
    class Part(FakePart): ...

    monkeypatch.setattr(catching_up, "_Part", Part)
    monkeypatch.setattr(catching_up, "WRITE_EVERY_S", 0.001)
    monkeypatch.setattr(catching_up, "_PATIENCE_S", 0.05)
    return Part


async def test_it_is_over_once_each_process_has_come_to_where_the_logs_ended(
    store: Store, part: type[FakePart]
) -> None:
    part.says = [
        catching_up._Said(3, 40, until=at(7)),
        catching_up._Said(50, 0, is_current=True, until=at(9)),
    ]
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert await one.run()
    assert (one.done, one.total, one.written, one.known_until) == (100, 100, 100, at(9))


async def test_who_reads_again_what_was_projected_before_gets_on(
    store: Store, part: type[FakePart]
) -> None:
    again = [catching_up._Said(0, 50, folded=n) for n in range(100)]
    part.says = [*again, catching_up._Said(50, 0, is_current=True)]
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert await one.run()


async def test_the_console_goes_on_alone_where_nothing_comes_of_what_they_do(
    store: Store, part: type[FakePart], caplog: pytest.LogCaptureFixture
) -> None:
    part.says = [catching_up._Said(40, 10)]
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert not await one.run()
    assert "nothing has come of it for 0.05 s; the console catches up by itself" in caplog.text


async def test_it_is_said_how_one_has_ended_that_could_not_say_so(
    store: Store, part: type[FakePart], caplog: pytest.LogCaptureFixture
) -> None:
    part.exit_status = -9
    one = catching(store)
    assert await one.is_worth_it(FakeReader(a_broker(a=50, b=50)))
    assert not await one.run()
    assert "one of them has ended with status -9; the console catches up by" in caplog.text


async def test_a_log_that_is_another_one_is_noticed_before_anybody_catches_up(
    store: Store,
) -> None:
    with pytest.raises(OverError):
        await Projection(store, every_s=0).follow(EndingReader(a_broker(a=5, b=50)))
    with pytest.raises(TruncatedError, match="ends at 4, but was projected up to 5"):
        await catching(store).is_worth_it(FakeReader(a_broker(a=4, b=500)))


def test_a_file_that_others_have_open_is_never_made_or_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "console.sqlite"
    with pytest.raises(StoreError, match="not there any more, or not of version"):
        Store(path, is_shared=True)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE others (one)")
    with pytest.raises(StoreError, match="not there any more, or not of version"):
        Store(path, is_shared=True)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM others").fetchone() == (0,)
