"""Logs in, rows out: whenever it is ended and begun again, the rows are what the ledgers say."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.console.answers import Wanted
from cronstream.console.store import Store
from cronstream.errors import TruncatedError
from cronstream.history.loading import load
from cronstream.history.scope import Scope
from cronstream.history.story import RunState
from tests.builders import at
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.console.ledgers import a_broker
from tests.console.readers import project


async def _as_loaded(broker: FakeBroker) -> dict[str, object]:
    history = await load(FakeReader(broker), Scope(keep_output=False))
    return {story.id: story for story in history.runs()}


def _rows(store: Store) -> dict[str, object]:
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


async def test_only_what_is_live_is_read_again(tmp_path: Path) -> None:
    broker, store = a_broker(), Store(tmp_path / "console.sqlite")
    await project(broker, store)
    places = store.places()
    assert all(place.again <= place.next for place in places.values())
    again = {key for key, place in places.items() if place.again < place.next}
    live = {(one.job, one.state) for one in store.live()}
    assert live == {("mail", RunState.RUNNING), ("report", RunState.RETRYABLE)}
    assert len(again) <= 3


async def test_a_log_that_is_another_one_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path / "console.sqlite")
    await project(a_broker(), store)
    with pytest.raises(TruncatedError, match="up to which it was projected"):
        await project(FakeBroker("cluster-a"), store)
    store.empty()
    assert (_rows(store), store.places()) == ({}, {})
