"""What processes tell of themselves, and what follows from what they all tell."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import pytest

from cronstream.core.health.agreement import Held, held, refusal, warnings
from cronstream.core.health.lenders import others_of
from cronstream.core.health.presence import (
    EVERY_S,
    Presence,
    Shared,
    decode,
    numbers,
    often,
    spans,
)
from cronstream.core.health.roll import REMEMBERED, Roll, Seen, fields
from cronstream.core.protocol.lending import Others
from cronstream.core.timing import Timing
from cronstream.core.wire.naming import RoleKind
from tests.builders import NOON, at

SHARED = Shared(partitions=12, shards=1, look_ahead_s=30, lease_s=6, fence_s=4.5)
LONG: dict[str, Any] = {"lease_s": 20.0, "fence_s": 15.0}


def a_process(name: str = "node1.a", **changes: Any) -> Presence:
    shared = {key: changes.pop(key) for key in list(changes) if key in Shared.model_fields}
    known = {
        "role": RoleKind.WORKER,
        "cluster": "cluster-a",
        "version": "0.1.0",
        "level": 2,
        "since": NOON,
    }
    return Presence.model_validate(
        {**known, "name": name, "shared": SHARED.model_copy(update=shared), **changes}
    )


def a_scheduler(name: str = "node1.s", **changes: Any) -> Presence:
    return a_process(name, role=RoleKind.SCHEDULER, cluster=None, **changes)


@dataclass
class Topic:
    """The topic, of which each roll reads as much as a test lets it."""

    messages: list[tuple[float, str, bytes | None]] = field(default_factory=list)

    def tell(self, who: Presence, seconds: float = 0.0) -> int:
        self.messages.append((seconds, who.name, who.encode()))
        return len(self.messages) - 1

    def stop(self, who: Presence, seconds: float = 0.0) -> None:
        self.messages.append((seconds, who.name, None))

    def read(self, roll: Roll | None = None, up_to: int | None = None) -> Roll:
        roll = roll or Roll()
        for offset, (seconds, name, value) in enumerate(self.messages[:up_to]):
            roll.fold(offset, at(seconds), name.encode(), value)
        return roll


def names(found: list[Seen]) -> list[str]:
    return [seen.who.name for seen in found]


def test_what_is_told_comes_back_as_it_was() -> None:
    who = a_process(owns="0-3", slots=4, running=2, clock_s=-0.25, tzdata="2025b", every_s=5)

    assert decode(who.encode()) == who
    assert len(who.encode()) < 600


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[]", b"\xff", b'{"name": "x"}', a_process().encode().replace(b"4.5", b"0.5")],
)
def test_what_tells_of_no_process_is_passed_over(value: bytes) -> None:
    roll = Roll()

    roll.fold(0, NOON, b"node1.a", value)

    assert roll.all() == []


def test_nobody_tells_of_another_process() -> None:
    roll = Roll()

    roll.fold(0, NOON, b"node1.b", a_process("node1.a").encode())
    roll.fold(1, NOON, b"node1.c", None)

    assert roll.all() == []


def test_fields_of_a_newer_version_do_no_harm() -> None:
    assert decode(a_process().encode().replace(b"{", b'{"new":1,', 1)) == a_process()


def test_a_process_is_gone_after_three_misses_of_its_own_interval() -> None:
    topic = Topic()
    topic.tell(a_process("node1.a"))
    topic.tell(a_process("node1.b", every_s=50.0))
    topic.tell(a_process("node1.c"), 3 * EVERY_S)

    assert names(topic.read().present()) == ["node1.a", "node1.b", "node1.c"]
    topic.tell(a_process("node1.c"), 3 * EVERY_S + 0.1)
    assert names(topic.read().present()) == ["node1.b", "node1.c"]


def test_a_process_that_reads_nothing_forgets_nobody() -> None:
    """It was cut off or paused: the time that it judges by is the log's."""
    assert (Roll().present(), Roll().counted()) == ([], [])
    topic = Topic()
    topic.tell(a_process())

    assert names(topic.read().present()) == ["node1.a"]


def test_a_process_that_has_stopped_is_gone_at_once_and_is_remembered() -> None:
    topic = Topic()
    topic.tell(a_process(**LONG))
    topic.stop(a_process(), 1.0)
    roll = topic.read()

    assert (roll.present(), roll.counted()) == ([], [])
    assert [fields(seen, at(1))["state"] for seen in roll.all()] == ["stopped"]
    topic.tell(a_process("node1.b"), REMEMBERED.total_seconds() + 2)
    assert names(topic.read().all()) == ["node1.b"]


def test_whoever_writes_there_the_roll_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronstream.core.health.roll._MOST", 3)
    topic = Topic()
    for number in range(9):
        topic.tell(a_process(f"node1.{number}"), number)

    assert names(topic.read().all()) == ["node1.6", "node1.7", "node1.8"]


def test_a_thousand_processes_together_tell_twenty_times_a_second() -> None:
    assert often(0) == often(50) == EVERY_S
    assert 1000 / often(1000) == 20


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([0, 1, 2], "0-2"), ([7, 1, 0, 3], "0-1,3,7")],
)
def test_partitions_are_written_as_people_write_them(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


# -- lease and fence --------------------------------------------------------------------------


def test_the_longest_lease_and_the_shortest_fence_hold_until_all_agree() -> None:
    assert held(SHARED, []) == Held(6, 4.5, 6)
    assert held(SHARED, [a_process(**LONG)]) == Held(20, 4.5, 6)
    assert held(a_process(**LONG).shared, [a_process()]) == Held(20, 4.5, 6)


def test_a_worker_keeps_to_what_holds_and_to_nothing_else() -> None:
    before = Timing(beat_s=0.7, slots=3)

    assert Held(20, 4.5, 6).of(before) == Timing(
        beat_s=0.7, slots=3, lease_s=20, fence_s=4.5, least_lease_s=6
    )


@pytest.mark.parametrize(
    "order",
    [
        order
        for order in permutations(range(4))
        if order.index(0) < order.index(1) and order.index(2) < order.index(3)
    ],
)
def test_of_two_processes_that_join_at_once_one_lease_outlasts_the_others_fence(
    order: tuple[int, ...],
) -> None:
    """Each tells, then reads up to what it told; whoever comes between the two is heard of later.

    Steps 0 and 1 are the telling and the reading of one, 2 and 3 those of the other.
    """
    old, new = a_process("node1.old"), a_process("node2.new", **LONG)
    topic, holds, told = Topic(), dict[str, Held](), dict[str, int]()

    for step in order:
        who = (old, new)[step // 2]
        if step % 2 == 0:
            told[who.name] = topic.tell(who)
        else:
            others = topic.read(up_to=told[who.name] + 1).counted()
            holds[who.name] = held(who.shared, others)

    for owner, holder in product(holds.values(), repeat=2):
        assert owner.lease_s > holder.fence_s


def test_a_lease_holds_as_long_as_one_that_was_killed_may_have_started_by_it() -> None:
    """Its executors may go on for its fence, which is less than its lease."""
    topic = Topic()
    topic.tell(a_process("node1.old", **LONG))
    seconds = 3 * EVERY_S + LONG["lease_s"]
    topic.tell(a_process("node2.new"), seconds)

    roll = topic.read()
    assert names(roll.present()) == ["node2.new"]
    assert held(SHARED, roll.counted()).lease_s == 20
    topic.tell(a_process("node2.new"), seconds + 0.1)
    assert held(SHARED, topic.read().counted()) == Held(6, 4.5, 6)


def test_the_lease_of_a_scheduler_which_has_none_is_told_and_no_more() -> None:
    topic = Topic()
    topic.tell(a_scheduler(**LONG))

    assert topic.read().counted() == []
    assert any(
        "CRONSTREAM_LEASE_S" in line for line in warnings([a_process(), a_scheduler(**LONG)])
    )


# -- what differs -------------------------------------------------------------------------------


@pytest.mark.parametrize("field_name", ["partitions", "shards"])
def test_another_number_of_partitions_or_shards_is_refused_by_name(field_name: str) -> None:
    mine = a_process("node9.z", **{field_name: 6})
    variable = f"CRONSTREAM_{field_name.upper()}"

    sentence = refusal(mine, [a_process(f"node1.{x}", **{field_name: 2}) for x in "abc"])

    assert sentence.startswith(f"{variable} is 6 here, and 2 in node1.a (cluster-a) and node1.b ")
    assert "and 1 more" in sentence
    assert f"set {variable}=2 here, or stop all processes before you change it" in sentence
    assert refusal(mine, [mine]) == refusal(mine, []) == ""


def test_nothing_is_said_of_processes_that_agree() -> None:
    assert list(warnings([])) == []
    assert list(warnings([a_process(), a_scheduler()])) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lease_s": 20}, "CRONSTREAM_LEASE_S is not the same everywhere: 20 in node2.b (c"),
        ({"lease_s": 20}, "until then the lease is 20 s and the fence 4.5 s"),
        ({"fence_s": 2}, "until then the lease is 6 s and the fence 2 s"),
        ({"look_ahead_s": 20}, "CRONSTREAM_LOOK_AHEAD_S is not the same everywhere: 20 in node2"),
        ({"partitions": 6}, "CRONSTREAM_PARTITIONS is not the same"),
        ({"shards": 6}, "CRONSTREAM_SHARDS is not the same"),
        ({"version": "0.2.0"}, "0.1.0 in node1.a (cluster-a), 0.2.0 in node2.b (cluster-a)"),
        ({"level": 3}, "the level is not the same everywhere: 2 in node1.a"),
    ],
)
def test_what_differs_is_told_with_who_has_what(changes: dict[str, Any], said: str) -> None:
    [line] = warnings([a_process("node1.a"), a_process("node2.b", **changes)])

    assert said in line


def test_time_zones_matter_only_to_schedulers() -> None:
    assert list(warnings([a_process(tzdata="2024a"), a_scheduler(tzdata="2025b")])) == []
    two = [a_scheduler("node1.s", tzdata="2025b"), a_scheduler("node2.s")]
    [line] = warnings(two)
    assert "unknown in node2.s (scheduler), 2025b in node1.s (scheduler)" in line


def test_schedulers_have_one_crontab_as_far_as_they_have_read_one() -> None:
    one = [a_scheduler("node1.s", crontab="aaa"), a_scheduler("node2.s"), a_process()]
    assert list(warnings(one)) == []
    [line] = warnings([*one, a_scheduler("node3.s", crontab="bbb")])
    assert line == (
        "the crontab is not the same everywhere: aaa in node1.s (scheduler), bbb in node3.s "
        "(scheduler); give all schedulers one: whose turn it is decides"
    )


def test_a_program_reads_all_that_is_told() -> None:
    seen = Seen(a_process(owns="0-3"), NOON, 7, 7)

    told = fields(seen, NOON)

    assert (told["name"], told["state"], told["owns"]) == ("node1.a", "here", "0-3")
    assert (told["lease_s"], told["partitions"], told["role"]) == (6.0, 12, "worker")
    assert fields(seen, NOON + timedelta(minutes=1))["state"] == "gone"
    assert told["crontab"] is None
    assert fields(Seen(a_scheduler(crontab="aaa"), NOON, 7, 7), NOON)["crontab"] == "aaa"


def test_a_clock_that_was_ahead_makes_nobody_gone_and_nobody_there_for_hours() -> None:
    roll = Roll()
    for offset, (name, seconds) in enumerate(
        [("node1.gone", 10_800), ("node1.a", 10_801), ("node1.a", 5), ("node1.a", 30)]
    ):
        roll.fold(offset, at(seconds), name.encode(), a_process(name).encode())
        if offset == 2:
            assert len(roll.present()) == 2, "one has not had the time to tell of itself"

    assert [seen.who.name for seen in roll.present()] == ["node1.a"]


# -- lending (rule 26) -----------------------------------------------------------------------------


@pytest.mark.parametrize("numbers_", [(), (7,), (0, 1, 2, 3, 7), (2, 4, 5)], ids=str)
def test_numbers_are_read_back_as_people_write_them(numbers_: tuple[int, ...]) -> None:
    assert numbers(spans(numbers_)) == set(numbers_)


@pytest.mark.parametrize("text", ["x", "1-", "1,,2", "0-99999", "-1"])
def test_what_is_no_list_of_partitions_is_no_word_of_a_process(text: str) -> None:
    said = a_process().encode().replace(b'"level"', f'"lends":"{text}","level"'.encode())

    assert decode(said) is None


def test_a_worker_counts_the_slots_of_those_of_its_role_that_lend_nothing() -> None:
    me = a_process("node1.a", level=4, slots=2)
    present = [
        me,
        a_process("node2.idle", level=4, slots=3),
        a_process("node3.full", level=4, slots=5, lends="0-1,7"),
        a_process("node4.retry", level=4, slots=9, role=RoleKind.RETRY_WORKER, lends="3"),
        a_process("node5.elsewhere", level=4, slots=9, cluster="cluster-b", lends="4"),
        a_process("node6.old", level=3, slots=9),
        a_process("node8.leaving", level=4, slots=9, leaving=True),
        a_scheduler("node7.s", level=4),
    ]

    assert others_of(me, present) == Others(3, frozenset({0, 1, 7}))
