"""What chaos counts as it follows the ledgers."""

import asyncio
from typing import Any

import pytest

from chaos.ledgers import Ledgers
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Claimed, Entry, Started
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, NOON, a_run


class OneMessage:
    """A reader that has one message, and ends whoever asks for another."""

    names = NAMES

    def __init__(self, *entries: Entry) -> None:
        raw = encode_entries(entries)
        self._batches = [[LogMessage(NAMES.log("cluster-a"), 0, 7, NOON, None, raw)]]

    def follow(self, places: Any) -> None:
        assert places

    async def poll(self, _: float) -> list[LogMessage]:
        if not self._batches:
            raise asyncio.CancelledError
        return self._batches.pop()


@pytest.mark.parametrize("borrowed", [True, False])
async def test_a_start_under_a_borrowed_claim_is_counted_once(borrowed: bool) -> None:
    run = a_run().id
    claim = Claimed(run=run, version=3, worker="w2", number=1, borrowed=borrowed)
    start = Started(run=run, claim=3, worker="w2", started_at=NOON)
    others = Started(run=run, claim=3, worker="w1", started_at=NOON)
    reader: Any = OneMessage(claim, others, start, start)
    ledgers = Ledgers(reader, ["cluster-a"], 12)
    with pytest.raises(asyncio.CancelledError):
        await ledgers.follow()

    assert ledgers.borrowed == int(borrowed)
