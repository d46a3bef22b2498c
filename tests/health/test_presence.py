"""What a process does about what the others tell, with a topic that a test writes by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cronstream.core.crontab.parser import Crontab
from cronstream.core.health import presence
from cronstream.core.health.presence import Overdue, Presence, decode
from cronstream.core.health.roll import Roll
from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.naming import Role
from cronstream.errors import SettingsError
from cronstream.executor.protocol import Clock
from cronstream.health import presence as presence_module
from cronstream.health.presence import PresenceWatch
from cronstream.scheduler import Scheduler, SchedulerPeer
from cronstream.settings import Settings
from cronstream.trust.keyring import Keyring
from cronstream.trust.signer import Signer
from cronstream.worker import Worker, WorkerPeer
from cronstream.worker.distrust import DistrustWatch
from cronstream.worker.overdue_watch import OverdueWatch
from tests.builders import NAMES, NOON
from tests.core.health.test_presence import a_process, a_scheduler

WORKER = Role.of("cluster-a", retry=False)


@dataclass
class FakeTopic:
    """The topic as one process sees it: it tells at once, and reads when a test says so."""

    describe: Callable[[float | None, float], Presence]
    roll: Roll = field(default_factory=Roll)
    on_news: Callable[[], None] = lambda: None
    announce_soon: Callable[[], None] = lambda: None
    clock_s: float | None = 0.0
    clock_offset: float = 0.0
    trouble: str = ""
    offset: int = 0
    can_tell: bool = True
    follows: bool = False
    has_stopped: bool = False

    def clock_s_at(self, offset: float) -> float | None:
        return None if self.clock_s is None else self.clock_s + offset - self.clock_offset

    @property
    def present(self) -> list[Presence]:
        return [seen.who for seen in self.roll.present()]

    def told(self, who: Presence, seconds: float = 0.0) -> int:
        at = NOON + timedelta(seconds=seconds)
        self.roll.fold(self.offset, at, who.name.encode(), who.encode())
        self.offset += 1
        return self.offset - 1

    def tell(self, seconds: float = 0.0) -> int:
        return self.told(self.describe(self.clock_s, 3.0), seconds)

    async def join(self) -> int | None:
        return self.tell() if self.can_tell else None

    def follow(self) -> None:
        self.follows = True

    async def stop(self) -> None:
        self.has_stopped = True


class Bench:
    """A worker's watch; the worker is a member, and nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        monkeypatch.setattr(
            presence_module, "WorkersTopic", lambda _, describe: FakeTopic(describe)
        )
        monkeypatch.setattr("cronstream.health.presence.asyncio.sleep", self._sleep)
        chosen = Settings(**settings)
        timing = Timing(lease_s=chosen.lease_s, fence_s=chosen.fence_s)
        self.worker = cast("Any", Worker.__new__(Worker))
        self.worker.member = Member("node9.me", NAMES.topics_of("cluster-a"), timing)
        self.worker.executor, self.worker.has_successor = None, False
        self.worker._woken = asyncio.Event()
        self.worker.late_watch = SimpleNamespace(late=None)
        self.worker.borrowing = SimpleNamespace()
        self.worker.overdue_watch = OverdueWatch(self.worker.member)
        self.worker.distrust = DistrustWatch(self.worker.member, Keyring(chosen), "cluster-a")
        self.watch = PresenceWatch(chosen, WORKER, WorkerPeer(self.worker, chosen))
        self.topic: Any = self.watch.topic
        self.waited: list[str] = []
        self.while_asleep: list[Callable[[], object]] = []

    @property
    def member(self) -> Member:
        member: Member = self.worker.member
        return member

    async def _sleep(self, _: float) -> None:
        self.while_asleep.pop(0)()

    async def join(self) -> None:
        await self.watch.join(self.waited.append)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_a_process_joins_those_that_have_its_settings(bench: Bench) -> None:
    bench.topic.told(a_process(version="0.1.0"))

    await bench.join()

    assert (bench.topic.follows, bench.waited, bench.watch.clock_fault) == (True, [], "")
    assert bench.member.timing.lease_s == 6.0


async def test_one_with_other_partitions_ends_with_who_has_what(bench: Bench) -> None:
    bench.topic.told(a_process(partitions=6))
    bench.while_asleep = [lambda: bench.topic.told(a_process(partitions=6), 3)]

    with pytest.raises(SettingsError, match=r"CRONSTREAM_PARTITIONS is 12 here, and 6 in node1.a"):
        await bench.join()

    assert bench.topic.has_stopped


async def test_one_that_was_killed_is_waited_for_and_refuses_nobody(bench: Bench) -> None:
    bench.topic.told(a_process(partitions=6))
    bench.while_asleep = [partial(bench.topic.tell, s) for s in (3, 6, 9.1)]

    await bench.join()

    assert len(bench.waited) == 3
    assert not bench.topic.has_stopped


async def test_who_comes_later_with_other_partitions_does_not_end_who_was_there(
    bench: Bench,
) -> None:
    await bench.join()
    bench.topic.told(a_process(partitions=6))
    bench.watch.look()

    assert any("CRONSTREAM_PARTITIONS" in line for line in bench.watch.warnings())
    assert not bench.topic.has_stopped


async def test_a_process_that_cannot_tell_goes_on_and_says_so(bench: Bench) -> None:
    bench.topic.told(a_process(partitions=6))
    bench.topic.can_tell, bench.topic.trouble = False, "this process cannot announce itself"

    await bench.join()

    assert "this process cannot announce itself" in bench.watch.warnings()


async def test_the_longest_lease_and_shortest_fence_hold_before_it_joins_and_until_all_agree(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic.told(a_process(lease_s=20.0, fence_s=15.0))

    await bench.join()

    timing = bench.member.timing
    assert (timing.lease_s, timing.fence_s, timing.least_lease_s) == (20.0, 4.5, 6.0)
    assert bench.member.heartbeats.timing == timing
    bench.topic.roll.fold(9, NOON, b"node1.a", None)
    bench.watch.look()
    bench.watch.look()
    assert (bench.member.timing.lease_s, bench.member.timing.fence_s) == (6.0, 4.5)
    assert caplog.text.count("hold from now on") == 2


async def test_a_worker_whose_clock_is_off_does_not_join_before_it_is_right(bench: Bench) -> None:
    bench.topic.clock_s = 600.0

    def set_right() -> None:
        bench.topic.clock_s = 0.0
        bench.watch.look()

    bench.while_asleep = [lambda: None, set_right]
    await bench.join()

    assert len(bench.waited) == 2
    assert "600.0 s ahead" in bench.waited[0]
    assert not bench.member.draining


async def test_a_worker_whose_clock_steps_claims_nothing_until_it_is_right(bench: Bench) -> None:
    await bench.join()

    bench.topic.clock_s = -1200.0
    bench.watch.look()
    assert "1200.0 s behind" in bench.watch.clock_fault
    assert bench.member.draining

    bench.topic.clock_s = 0.1
    bench.watch.look()
    assert bench.watch.clock_fault == ""
    assert not bench.member.draining


async def test_commands_start_by_the_clock_as_it_was_when_it_was_found_right(bench: Bench) -> None:
    told: list[Clock] = []
    await bench.join()
    bench.worker.executor = SimpleNamespace(send=told.append)
    for clock_s, offset in [(0.0, 50.0), (0.2, 50.0), (600.0, 50.0), (600.0, 650.0), (0.0, 650.0)]:
        bench.topic.clock_s, bench.topic.clock_offset = clock_s, offset
        bench.watch.look()

    assert told == [Clock(50.0), Clock(650.0)]


async def test_without_the_topic_nobody_knows_and_the_worker_goes_on(bench: Bench) -> None:
    bench.topic.clock_s = None
    bench.topic.trouble = "this process cannot announce itself"

    await asyncio.wait_for(bench.join(), 5)

    assert not bench.member.draining


async def test_a_clock_that_steps_while_the_topic_is_away_is_found_out_all_the_same(
    bench: Bench,
) -> None:
    told: list[Clock] = []
    await bench.join()
    bench.worker.executor = SimpleNamespace(send=told.append)
    bench.topic.trouble = "this process cannot announce itself"
    bench.topic.clock_s, bench.topic.clock_offset = 600.0, 650.0
    bench.watch.look()

    assert bench.member.draining
    assert told == []


async def test_a_scheduler_whose_clock_is_off_joins_once_no_other_is_there_that_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    scheduler = cast("Any", Scheduler.__new__(Scheduler))
    scheduler.firing = SimpleNamespace(shards=frozenset(), set_aside=["cluster-a is held up"])
    counts = SimpleNamespace(crontab=None, problems=["line 7: no such key", *["x" * 900] * 30])
    scheduler._world, scheduler._settings = SimpleNamespace(counts=counts), Settings()
    scheduler._follower = None
    scheduler.hand_over = SimpleNamespace(waits=[])
    peer = SchedulerPeer(scheduler, Keyring(Settings()), Signer(Settings()))
    bench.watch = PresenceWatch(Settings(), Role.of(None, retry=False), peer)
    topic: Any = bench.watch.topic
    topic.clock_s = -600.0
    topic.told(a_scheduler("node3.s", clock_s=0.0))

    def others_end() -> None:
        topic.roll.fold(99, NOON, b"node3.s", None)
        bench.watch.look()

    bench.while_asleep = [lambda: None, others_end]
    await bench.join()

    assert len(bench.waited) == 2
    assert bench.waited[0].endswith("600.0 s behind: it leaves firing to node3.s")
    assert peer.news()["crontab"] == ""
    counts.crontab = Crontab((), (), digest="3f9a12c4d5e6")
    who = presence.decode(bench.watch.describe(0.0, 3.0).encode())
    assert who is not None
    assert (who.crontab, who.crontab_file) == ("3f9a12c4d5e6", "crontab.yaml")
    assert (who.crontab_problems[0], len(who.crontab_problems)) == ("line 7: no such key", 20)
    assert who.crontab_held == "cluster-a is held up"
    [warning] = [line for line in bench.watch.warnings() if "line 7" in line]
    assert warning == (
        "crontab.yaml has 20 or more problems, the first of them: line 7: no such key; mend it "
        "('cronstream check' there names all), until then what was last good stays in force"
    )
    counts.problems = []
    assert not [line for line in bench.watch.warnings() if "crontab.yaml" in line]


async def test_a_worker_announces_which_of_its_jobs_are_overdue_a_hundred_of_them(
    bench: Bench,
) -> None:
    await bench.join()
    found = [
        Overdue(job=f"job-{n}", since=NOON, within_s=60, has_succeeded=True) for n in range(101)
    ]
    bench.worker.overdue_watch = SimpleNamespace(jobs=found)

    told = decode(bench.watch.describe(0.0, 3.0).encode())

    assert told is not None
    assert (told.overdue, told.overdue_jobs) == (found[:100], 101)


@pytest.mark.parametrize(
    "changes",
    [{"leaving": True}, {"cluster": "cluster-b"}, {"role": "retry-worker"}, {"name": "node9.me"}],
)
async def test_nobody_but_a_worker_of_its_role_that_stays_can_be_handed_over_to(
    bench: Bench, changes: dict[str, Any]
) -> None:
    bench.topic.told(a_process(**changes))

    await bench.join()
    assert not bench.worker.has_successor

    bench.topic.told(a_process("node3.c"))
    bench.watch.look()
    assert bench.worker.has_successor


async def test_a_worker_that_stops_says_so_and_gives_back_all_once_the_others_stop_too(
    bench: Bench,
) -> None:
    bench.topic.told(a_process())
    await bench.join()
    bench.member.drain(hands_over=True)
    assert bench.topic.describe(0.0, 3.0).leaving
    bench.watch.look()
    assert not bench.worker._woken.is_set()

    bench.topic.told(a_process(leaving=True))
    bench.watch.look()

    assert bench.worker._woken.is_set()
    assert not bench.worker.has_successor


async def test_a_worker_that_only_rests_does_not_leave(bench: Bench) -> None:
    await bench.join()
    bench.member.rest()

    assert not bench.topic.describe(0.0, 3.0).leaving
