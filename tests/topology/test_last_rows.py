"""What is read of a changelog to find its last row, however long it is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import orjson
from aiokafka.structs import TopicPartition

from cronstream.core.wire.pieces import LastRow, cut
from cronstream.topology.last_rows import last_rows
from cronstream.topology.log_message import LogMessage, Spans
from tests.builders import NOON

PLACE = TopicPartition("log", 0)


@dataclass
class FakeLog:
    """Messages by offset, with gaps where compaction has been; and what was read of them."""

    messages: dict[int, tuple[bytes | None, bytes | None]]
    read: list[int] = field(default_factory=list)

    async def __call__(self, spans: Spans) -> AsyncIterator[LogMessage]:
        for place, (start, end) in spans.items():
            assert start < end
            for offset in sorted(self.messages):
                if start <= offset < end:
                    self.read.append(offset)
                    yield LogMessage(*place, offset, NOON, *self.messages[offset])


def rows(count: int) -> dict[int, tuple[bytes | None, bytes | None]]:
    return {n: (b'"0"', b'{"n":%d}' % n) for n in range(count)}


async def test_of_a_year_s_rows_only_the_last_is_read() -> None:
    log = FakeLog(rows(10_000))

    found = await last_rows(log, {PLACE: (0, 10_000)})

    assert found == {PLACE: LastRow(b'{"n":9999}')}
    assert log.read == [9999]


async def test_a_row_below_pieces_that_are_not_whole_is_found_and_nothing_is_read_twice() -> None:
    row = {"text": "x" * 100_000}
    [piece] = cut(b'"0"', orjson.dumps(row), 0).items()
    log = FakeLog({**rows(1000), 1000: piece})
    for offset in range(1001, 1020):
        log.messages[offset] = (b'"0/1/0"', b'{"piece":1,"of":40,"set":1,"digest":"d","part":"a"}')

    found = await last_rows(log, {PLACE: (0, 1020)})

    assert found[PLACE].turn == 0
    assert orjson.loads(found[PLACE].lines()[0]) == row
    assert sorted(log.read) == list(range(1020 - 64, 1020))


async def test_a_row_is_found_below_a_gap_and_the_beginning_is_not_passed() -> None:
    log = FakeLog({**rows(1), 7: (b'"0"', b'{"n":7}')})

    assert await last_rows(log, {PLACE: (3, 100_000)}) == {PLACE: LastRow(b'{"n":7}')}
    log.read.clear()
    assert await last_rows(log, {PLACE: (8, 100_000)}) == {}
    assert log.read == []


async def test_of_several_partitions_each_is_read_as_far_as_it_needs() -> None:
    other, empty = TopicPartition("log", 1), TopicPartition("log", 2)
    log = FakeLog(rows(100))

    found = await last_rows(log, {PLACE: (0, 100), other: (0, 150), empty: (0, 0)})

    assert found == {PLACE: LastRow(b'{"n":99}'), other: LastRow(b'{"n":99}')}
    assert log.read.count(99) == 2
    assert min(log.read) == 86
