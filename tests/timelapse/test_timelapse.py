"""Months pass: no seed breaks a promise, and what only months show is seen.

``make simulate`` runs more seeds, and whole; here a few weeks of one are enough.
"""

from functools import partial

import pytest
from aiokafka.structs import TopicPartition

from tests.simulation.loop import Loop
from tests.timelapse.faults import FAULTS
from tests.timelapse.growth import Growth
from tests.timelapse.jobs import CLUSTERS
from tests.timelapse.kafka import DAY_S, Changelog, LapseTopics
from tests.timelapse.lapse import Lapse
from tests.timelapse.seeds import run_days
from tests.timelapse.tables import Table, small_pieces

_SEED = 4
_DAYS = 8


@pytest.fixture
def topics() -> LapseTopics:
    """Logs that keep ten days in segments of two."""
    return LapseTopics(Loop(), 2, keeps_s=10 * DAY_S, rolls_s=2 * DAY_S)


def test_a_week_breaks_no_promise() -> None:
    seen = run_days(_SEED, _DAYS)

    assert not seen.faults, seen.faults[0]
    assert seen.count["due times"] > 100
    assert seen.count["deploys"]


def test_a_seed_is_always_the_same_installation() -> None:
    assert run_days(_SEED, 3).count == run_days(_SEED, 3).count


def test_a_planted_fault_is_seen() -> None:
    assert _a_night_without_leaders() == []

    with FAULTS.planted("2: what was set aside is let go of"):
        assert "0 verdicts: " in _a_night_without_leaders()[0]


def _a_night_without_leaders() -> list[str]:
    """Let two days pass, in one night of which no log takes anything; return what is broken."""
    lapse, until = Lapse(_SEED, days=2), 0.9 * DAY_S
    for log in [*lapse.logs_of(retry=False), *lapse.logs_of(retry=False, cluster=CLUSTERS[1])]:
        lapse.loop.at(0.4 * DAY_S, partial(setattr, log, "down_until", until))
    lapse.excuses.append((0.4 * DAY_S, until + 90, "no leaders"))
    with small_pieces():
        return lapse.run()


def test_a_planted_fault_is_gone_afterwards() -> None:
    changes = [change for name in FAULTS for change in FAULTS[name]]
    before = [getattr(target, name) for target, name, _ in changes]
    for fault in FAULTS:
        with FAULTS.planted(fault):
            pass

    assert [getattr(target, name) for target, name, _ in changes] == before


def test_retention_deletes_whole_segments_from_the_beginning(topics: LapseTopics) -> None:
    log = topics.log("log", 0)
    for day in range(12):
        log.append(day * DAY_S, [])

    assert log.clean(12 * DAY_S) == 0  # The first segment ends on its third day.
    assert log.clean(13 * DAY_S) == 3
    assert (log.start, log.kept) == (3, 9)


def test_a_message_of_a_clock_that_was_ahead_keeps_its_segment(topics: LapseTopics) -> None:
    log = topics.log("log", 0)
    log.ahead_s = DAY_S
    log.append(0, [])
    log.ahead_s = 0
    log.append(0.5 * DAY_S, [])

    assert log.clean(10.9 * DAY_S) == 0
    assert log.clean(11.1 * DAY_S) == 2


def test_what_is_written_to_is_never_compacted() -> None:
    changelog = Changelog("rows", 0, rolls_s=100)
    for at in (0, 50, 120, 130):
        changelog.append(at, b"key", b"%d" % at)
    changelog.compact(140)

    assert [value for _, _, value in changelog.messages] == [b"50", b"120", b"130"]


def test_a_row_is_read_back_from_what_compaction_has_left() -> None:
    changelog = Changelog("rows", 0, rolls_s=100)
    rows = [{"jobs": [str(number) * 1000 for _ in range(9)]} for number in range(4)]
    with small_pieces():
        writer = Table(changelog)
        for number, row in enumerate(rows):
            writer.write(number * 200, writer.cut(row))
            changelog.compact(number * 200 + 150)
        writer.write(900, writer.cut(rows[0])[:1] if len(writer.cut(rows[0])) > 1 else [])
        changelog.compact(2000)

        assert Table(changelog).read() == rows[3]
    assert changelog.place == TopicPartition("rows", 0)


def test_what_grows_is_named() -> None:
    growth = Growth(Lapse(_SEED))
    growth.look(10)
    growth.note_scheduler(8, 10)
    growth.look(90)
    growth.note_scheduler(8, 500)

    assert list(growth.faults()) == [
        "it grows: definitions read by a scheduler, 10 early, 500 in the end"
    ]
