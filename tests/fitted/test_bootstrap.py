"""Brokers that have all come to new addresses, and a client that knows the old ones."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream.fitted.to_aiokafka import bootstrap
from cronstream.fitted.to_aiokafka.bootstrap import AtStart


class FakeClient:
    """Knows brokers that answer or do not, and a bootstrap address that knows others."""

    def __init__(self, *, answers: bool, bootstrap_answers: bool) -> None:
        self.cluster = SimpleNamespace()
        self.answers, self.bootstrap_answers = answers, bootstrap_answers
        self.bootstraps = self.updates = 0
        self.asked_again = asyncio.Event()

    async def bootstrap(self) -> None:
        self.bootstraps += 1
        if self.bootstraps > 1:
            self.asked_again.set()
        if not self.bootstrap_answers:
            raise KafkaConnectionError("nobody")
        self.answers = True

    def force_metadata_update(self) -> None:
        self.updates += 1


async def _answer(client: FakeClient, _cluster: Any, _topics: Any) -> bool:
    return client.answers


@pytest.fixture(autouse=True)
def a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_update", _answer)
    monkeypatch.setattr(bootstrap, "_bootstrap", FakeClient.bootstrap)
    monkeypatch.setattr(bootstrap, "AGAIN_S", 0.01)


async def _update(client: FakeClient, cluster: Any = None) -> bool:
    return await bootstrap._update_or_begin_again(client, cluster or client.cluster, {"ticks"})


async def test_a_client_whose_brokers_answer_has_no_need_of_its_bootstrap() -> None:
    client = FakeClient(answers=True, bootstrap_answers=True)

    assert await _update(client)
    assert client.bootstraps == 0


async def test_a_client_whose_brokers_are_all_gone_begins_anew_at_its_bootstrap() -> None:
    client = FakeClient(answers=False, bootstrap_answers=True)

    assert await _update(client)
    assert (client.bootstraps, client.updates) == (1, 0)


async def test_what_it_forgot_is_asked_again_if_the_question_was_not_its_own() -> None:
    client = FakeClient(answers=False, bootstrap_answers=True)

    assert await _update(client, SimpleNamespace())
    assert client.updates == 1


async def test_a_bootstrap_that_does_not_answer_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "AGAIN_S", 60)
    client = FakeClient(answers=False, bootstrap_answers=False)

    assert [await _update(client) for _ in range(3)] == [False] * 3
    assert client.bootstraps == 1


async def test_a_client_that_nobody_answers_at_its_start_gives_up_if_nothing_runs_yet() -> None:
    with pytest.raises(KafkaConnectionError):
        await bootstrap._bootstrap_in_time(FakeClient(answers=False, bootstrap_answers=False))


async def test_a_client_of_a_process_that_has_begun_waits_until_somebody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AtStart, "waits", True)
    client = FakeClient(answers=False, bootstrap_answers=False)
    starting = asyncio.create_task(bootstrap._bootstrap_in_time(client))
    async with asyncio.timeout(60):
        await client.asked_again.wait()
        assert not starting.done()
        client.bootstrap_answers = True
        await starting
