"""An export from a copy has what one from the topics that it is a copy of would have."""

import orjson
import pytest

from cronstream.core.ledger.rows import to_row
from cronstream.core.moving.export import Export
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Claimed, Finished, Level, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.installation import Installation
from cronstream.core.wire.naming import Role
from cronstream.errors import HouseError
from cronstream.moving.folds import folds
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, NOON, at
from tests.cli.conftest import a_job
from tests.cli.fake_broker import PARTITIONS, FakeBroker, FakeReader
from tests.ledger_builders import due, finished
from tests.moving.test_arriving import _CURSORS, taken_out

_LOG = NAMES.log("cluster-a")
_P = partition_of("backup", PARTITIONS)
_CHANGELOG = NAMES.ledgers(Role.of("cluster-a", retry=False))


def _original() -> FakeBroker:
    broker = FakeBroker("cluster-a")
    broker.create(NAMES.jobs, 1)
    broker.create(_CURSORS, 1)
    broker.create(_CHANGELOG, PARTITIONS)
    broker.put(NAMES.jobs, "", encode(Level(level=2)), NOON)
    broker.put(NAMES.jobs, "", encode(Installation(id="a" * 32, kafka="there")), NOON)
    broker.job(a_job(schedule="@every 10s"), NOON)
    broker.put(_CURSORS, "0", orjson.dumps(Cursor(0, at(60), taken=3).to_row()), NOON)
    broker.log("backup", Level(level=2), when=NOON)
    broker.log("backup", Withdrawal(job="backup", revision=2, effective_from=NOON), when=NOON)
    for n in range(4):
        _work(broker, 10.0 * n)
    broker.log("backup", due(50, revision=2), when=at(40))
    return broker


def _work(broker: FakeBroker, seconds: float) -> None:
    run = due(seconds, revision=2, max_attempts=2)
    version = broker.log("backup", run, when=at(seconds - 20))
    claim = Claimed(run=run.id, version=version, worker="w1", number=int(seconds) + 1)
    broker.log("backup", claim, when=at(seconds - 19))
    outcome = Outcome.FAILED if seconds == 20 else Outcome.SUCCEEDED
    end: Finished = finished(run, version, outcome)
    broker.log("backup", end.derive(ended_at=at(seconds + 1)), when=at(seconds + 1))


def _copy(broker: FakeBroker, lost: int, doubled: int) -> FakeBroker:
    """Copy topics an hour later, but for the first messages of a log; those of jobs twice."""
    copy = FakeBroker()
    for topic, partitions in broker.topics.items():
        copy.create(topic, len(partitions))
        for number, messages in enumerate(partitions):
            skipped = lost if (topic, number) == (_LOG, _P) else 0
            first = messages[:doubled] if topic == NAMES.jobs else []
            for message in [*first, *messages[skipped:]]:
                there = copy.topics[topic][number]
                there.append(
                    type(message)(topic, number, len(there), at(3600), message.key, message.value)
                )
    return copy


async def _live(export: Export) -> list[tuple[object, ...]]:
    runs = [live for log in export.logs for live in log.live]
    assert [kept.revision for kept in export.definitions] == [2]
    return [(x["run"]["scheduled_at"], x["state"], x["effect"], x["version"]) for x in runs]


async def test_a_copy_with_other_offsets_has_the_same_runs_live() -> None:
    here = await _live(await taken_out(_original(), "there"))
    assert [run[1:3] for run in here] == [("deciding", "retry"), ("queued", None)]
    for lost, doubled in ((0, 0), (1, 0), (5, 1)):
        copy = _copy(_original(), lost, doubled)
        assert await _live(await taken_out(copy, "elsewhere")) == here


async def test_a_snapshot_of_the_original_goes_on_over_the_copy() -> None:
    original = _original()
    ledgers = await folds(FakeReader(original), Role.of("cluster-a", retry=False), 2)
    row = orjson.dumps(to_row(ledgers[_P], _P))
    _work(original, 40)
    here = await _live(await taken_out(_copy(original, 0, 0), "there"))

    copy = _copy(original, 6, 1)
    copy.put(_CHANGELOG, "backup", row, NOON)
    copy.topics[_CHANGELOG][_P] = copy.topics[_CHANGELOG][_P][-1:]
    there = await _live(await taken_out(copy, "elsewhere"))
    assert sorted(there) == sorted(here)


async def test_a_copy_that_lacks_what_came_after_its_snapshot_is_refused() -> None:
    original = _original()
    ledgers = await folds(FakeReader(original), Role.of("cluster-a", retry=False), 2)
    row = orjson.dumps(to_row(ledgers[_P], _P))
    for n in range(4, 8):
        _work(original, 10.0 * n)
    end = len(_copy(original, 0, 0).topics[_LOG][_P])

    copy = _copy(original, end - 5, 1)
    copy.put(_CHANGELOG, "backup", row, NOON)
    copy.topics[_CHANGELOG][_P] = copy.topics[_CHANGELOG][_P][-1:]
    with pytest.raises(HouseError, match=f"snapshot was made at {ledgers[_P].book.next_offset}, "):
        await taken_out(copy, "elsewhere")


async def test_a_damaged_snapshot_on_a_copy_is_as_if_there_was_none() -> None:
    here = await _live(await taken_out(_original(), "there"))
    copy = _copy(_original(), 5, 1)
    copy.put(_CHANGELOG, "backup", b"{", NOON)

    assert await _live(await taken_out(copy, "elsewhere")) == here


async def test_a_copy_on_which_nothing_was_ever_claimed_is_folded_as_it_is() -> None:
    broker = _original()
    broker.topics[_LOG][_P] = broker.topics[_LOG][_P][:3]
    assert len(await _live(await taken_out(_copy(broker, 1, 0), "elsewhere"))) == 1


async def test_a_copy_with_a_gap_is_refused() -> None:
    broker = _original()
    for n in range(4, 9):
        _work(broker, 10.0 * n)
    copy = _copy(broker, 0, 0)
    del copy.topics[_LOG][_P][14]
    copy = _copy(copy, 0, 0)
    with pytest.raises(HouseError, match="is a copy with gaps"):
        await taken_out(copy, "elsewhere")
