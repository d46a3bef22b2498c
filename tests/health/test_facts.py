"""Where the facts come from: the group, a worker's folds, a scheduler's shards."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaTimeoutError,
    NotCoordinatorForGroupError,
)

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.group import FaustGroup
from cronstream.scheduler import SchedulerSubject
from cronstream.settings import Settings
from cronstream.trust.keyring import Keyring
from cronstream.worker import WorkerSubject
from cronstream.worker.distrust import DistrustWatch
from cronstream.worker.late_watch import LateWatch
from cronstream.worker.overdue_watch import OverdueWatch
from cronstream.worker.refusals import RefusalWatch
from tests.builders import NAMES, NOON
from tests.scheduler.fakes import Bench, a_job, until

SETTINGS = Settings()


class FakeApp:
    """What of a Faust app shows whether it is in its group."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.routine: asyncio.Future[None] = loop.create_future()
        self.coordinator = SimpleNamespace(
            generation=3, _coordination_task=self.routine, member_id="me", coordinator_id=1
        )
        self.conf = SimpleNamespace(id="cronstream-a")
        self.thread = SimpleNamespace(
            thread_loop=loop, _consumer=SimpleNamespace(_coordinator=self.coordinator)
        )
        self.consumer = SimpleNamespace(_thread=self.thread)
        self.rebalancing, self.rebalancing_count = False, 1
        self.recovery = SimpleNamespace(progress=0, restoring_since=None)
        self.tables = SimpleNamespace(recovery=self.recovery)


@pytest.fixture
async def app() -> FakeApp:
    return FakeApp()


@pytest.fixture
async def group(app: FakeApp) -> FaustGroup:
    group = FaustGroup(app, SETTINGS)
    group.begin(0.0)
    return group


async def test_a_member_has_a_generation_and_a_coordinator_that_works(
    app: FakeApp, group: FaustGroup
) -> None:
    since = []
    for second, generation in enumerate([-1, 3, -1, -1, 4]):
        app.coordinator.generation = generation
        group.look(float(second))
        since.append(group.outside_since)

    assert since == [0.0, None, 2.0, 2.0, None]


async def test_a_member_whose_coordinator_has_ended_is_a_zombie(
    app: FakeApp, group: FaustGroup
) -> None:
    group.look(5.0)
    app.routine.set_result(None)
    group.look(6.0)

    assert group.outside_since == 6.0


async def test_a_member_that_does_not_find_its_coordinator_is_outside(
    app: FakeApp, group: FaustGroup
) -> None:
    group.look(5.0)
    app.coordinator.coordinator_id = None
    group.look(6.0)

    assert group.outside_since == 6.0


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (None, ""),
        (GroupAuthorizationFailedError("a"), "grant Read on group cronstream-a"),
        (KafkaTimeoutError(), "KafkaTimeoutError"),
    ],
)
async def test_what_keeps_it_out_of_its_group_is_told(
    app: FakeApp, group: FaustGroup, error: Exception | None, why: str
) -> None:
    app.coordinator._pending_exception = error
    group.look(5.0)

    assert group.outside_why.endswith(why)
    assert bool(group.outside_why) is (error is not None)


async def test_a_consumer_that_does_not_yet_exist_is_no_member(
    app: FakeApp, group: FaustGroup
) -> None:
    app.thread._consumer = None
    group.look(5.0)

    assert group.outside_since == 0.0


async def test_the_thread_is_asked_to_say_that_it_turns(group: FaustGroup) -> None:
    group.look(5.0)
    assert group.thread_at == 0.0

    await asyncio.sleep(0)
    assert group.thread_at > 0.0


async def test_a_thread_whose_loop_is_closed_turns_no_more(app: FakeApp, group: FaustGroup) -> None:
    closed = asyncio.new_event_loop()
    closed.close()
    app.thread.thread_loop = closed

    group.look(5.0)

    assert group.thread_at == 0.0


async def test_a_rebalance_that_recovers_makes_progress(app: FakeApp, group: FaustGroup) -> None:
    since = []
    app.rebalancing = True
    for second, app.recovery.progress in enumerate([0, 800, 800, 800]):
        group.look(float(second))
        since.append(group.rebalancing_since)
    app.rebalancing = False
    group.look(9.0)

    assert since == [0.0, 1.0, 1.0, 1.0]
    assert group.rebalancing_since is None


async def test_how_long_tables_are_restored_is_told(app: FakeApp, group: FaustGroup) -> None:
    app.recovery.restoring_since = 3.0
    group.look(5.0)

    assert group.restoring_since == 3.0


class FakeAdmin:
    """A coordinator of groups, with what each member was given."""

    def __init__(self, state: str, error_code: int = 0, **given: tuple[str, list[int]]) -> None:
        self.group = {"error_code": error_code, "state": state, "members": []}
        self.group["members"] = [
            {
                "member_id": name,
                "member_assignment": ConsumerProtocolMemberAssignment(0, [each], b"").encode(),
            }
            for name, each in given.items()
        ]

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        assert groups == ["cronstream-a"]
        return [SimpleNamespace(to_object=lambda: {"groups": [self.group]})]


@pytest.mark.parametrize(
    ("admin", "unowned"),
    [
        pytest.param(FakeAdmin("Stable", me=("log", []), w2=("log", [0, 2, 1])), set(), id="spare"),
        pytest.param(FakeAdmin("Stable", me=("log", []), w2=("log", [1])), {0, 2}, id="left out"),
        pytest.param(FakeAdmin("Stable", me=("other", [0])), {0, 1, 2}, id="alone"),
        pytest.param(
            FakeAdmin("Stable", me=("log", [0]), w2=("log", [1, 2])), {0}, id="given, and lost"
        ),
        pytest.param(FakeAdmin("PreparingRebalance"), set(), id="nobody knows yet"),
    ],
)
async def test_what_no_other_member_was_given_nobody_owns(
    group: FaustGroup, admin: FakeAdmin, unowned: set[int]
) -> None:
    group._admin = admin

    assert await group.unowned("log", 3) == unowned


async def test_a_coordinator_that_does_not_know_is_not_believed(group: FaustGroup) -> None:
    group._admin = FakeAdmin("", error_code=16)

    with pytest.raises(NotCoordinatorForGroupError):
        await group.unowned("log", 3)


def _ledger(_partition: int) -> Ledger:
    return Ledger(retry=True)


class FakeWorker:
    """A real member that owns partitions 0 and 1, in a worker that does nothing."""

    def __init__(self) -> None:
        self.member = Member("w1", NAMES.topics_of("a"), Timing())
        self.member.assigned([0, 1], _ledger)
        self.publisher, self.executor = object(), SimpleNamespace(is_alive=True)
        self.turned_at = 1.0
        self.late_watch = LateWatch(self.member, 4)
        self.overdue_watch = OverdueWatch(self.member)
        self.distrust = DistrustWatch(self.member, Keyring(Settings()), "cluster-a")
        self.folding = SimpleNamespace(refusals=RefusalWatch())
        self.loops = [asyncio.get_running_loop().create_future()]
        self.made_up: list[tuple[int, int]] = []

    def read_up_to(self, partition: int, end: int) -> None:
        self.made_up.append((partition, end))


@pytest.fixture
async def worker() -> Any:
    return FakeWorker()


@pytest.fixture
async def subject(worker: Any) -> WorkerSubject:
    return WorkerSubject(worker, Role.of("a", retry=True), SETTINGS)


async def test_a_job_that_is_overdue_is_a_warning(subject: WorkerSubject, worker: Any) -> None:
    assert subject.facts(1.0).refused == ()
    worker.overdue_watch = SimpleNamespace(sentences=lambda: ("job backup is overdue: …",))

    assert subject.facts(1.0).refused == ("job backup is overdue: …",)


async def test_a_worker_depends_on_its_own_log(subject: WorkerSubject) -> None:
    assert (subject.topic, subject.partitions) == ("cronstream.a.retry", SETTINGS.partitions)


async def test_a_worker_owns_what_it_was_assigned(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    found = [subject.owns]
    worker.member.assigned([], _ledger)
    assert [*found, subject.owns] == [True, False]


async def test_a_partition_is_unready_until_its_barrier(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    assert subject.facts(5.0).unready == {0: 5.0, 1: 5.0}
    worker.member.owners[0].pass_barrier(NOON, 6.0)
    assert subject.facts(7.0).unready == {1: 5.0}

    worker.member.assigned([1], _ledger)

    assert subject.facts(8.0).unready == {1: 8.0}


async def test_a_fold_that_goes_on_is_not_late(worker: FakeWorker, subject: WorkerSubject) -> None:
    subject.note_ends({0: 10, 1: 0}, 5.0)
    assert subject.facts(5.0).unread == {0: 5.0}

    worker.member.read(0, 4, NOON, [], 6.0)
    subject.note_ends({0: 12, 1: 0}, 7.0)
    assert subject.facts(7.0).unread == {0: 7.0}
    assert subject.facts(7.0).unready == {0: 7.0, 1: 5.0}

    subject.note_ends({0: 14, 1: 0}, 9.0)
    assert subject.facts(9.0).unread == {0: 7.0}

    worker.member.read(0, 13, NOON, [], 10.0)
    subject.note_ends({0: 14, 1: 0}, 11.0)
    assert subject.facts(11.0).unread == {}


async def test_a_log_that_ends_before_what_was_folded_was_truncated(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    worker.member.read(0, 9, NOON, [], 4.0)
    subject.note_ends({0: 10, 1: 0}, 5.0)
    well = subject.facts(5.0).truncated
    subject.note_ends({0: 3, 1: 0}, 6.0)
    subject.note_ends({0: 5, 1: 0}, 8.0)

    assert well == {}
    assert subject.facts(8.0).truncated == {0: 6.0}


async def test_what_the_stream_has_lost_is_read_without_it(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    for moment in (5.0, 7.0, 9.0):
        subject.note_ends({0: 10, 1: 0}, moment)
    assert worker.made_up == [(0, 10)]

    worker.member.read(0, 9, NOON, [], 9.5)
    subject.note_ends({0: 10, 1: 0}, 11.0)
    assert worker.made_up == [(0, 10)]


async def test_a_partition_that_has_gone_is_not_late(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    subject.note_ends({0: 10}, 5.0)
    worker.member.assigned([1], _ledger)

    assert subject.facts(6.0).unread == {}


async def test_a_worker_whose_loop_or_executor_has_ended_says_so(
    worker: FakeWorker, subject: WorkerSubject
) -> None:
    well = subject.facts(5.0)
    worker.loops[0].cancel()
    worker.executor.is_alive = False
    ill = subject.facts(6.0)

    assert (well.has_ended, well.has_executor) == (False, True)
    assert (ill.has_ended, ill.has_executor) == (True, False)


async def test_what_ended_a_loop_is_told_once(
    worker: FakeWorker, subject: WorkerSubject, caplog: pytest.LogCaptureFixture
) -> None:
    worker.loops[0].set_exception(ValueError("why"))

    assert subject.facts(5.0).has_ended
    assert subject.facts(6.0).has_ended

    assert caplog.messages == ["a task that should never end has ended"]
    assert "ValueError: why" in caplog.text


async def test_a_shard_is_published_at_each_tick_or_not_at_all() -> None:
    bench = Bench()
    subject = SchedulerSubject(bench.scheduler, bench.broker, SETTINGS)  # type: ignore[arg-type] # a fake
    await bench.scheduler.start()
    assert subject.facts(0.0).shards == {}
    owns = [subject.owns]
    bench.scheduler.assigned({0})
    assert [*owns, subject.owns] == [False, True]
    bench.define(a_job())

    await bench.tick()
    well = subject.facts(bench.clock.passed)
    bench.broker.held = True
    bench.readers[1].failing = [OSError("gone")] * 3
    for _ in range(3):
        await bench.tick()
    ill = subject.facts(bench.clock.passed)
    bench.scheduler.revoked()

    assert (well.tick_at, well.shards, well.clock_is_refused) == (1.0, {0: 1.0}, False)
    assert (ill.tick_at, ill.shards) == (1.0, {0: 1.0})
    assert subject.facts(9.0).shards == {}


async def test_a_shard_is_heard_of_by_its_ticks_and_while_it_is_at_one() -> None:
    bench = Bench(shards=2)
    subject = SchedulerSubject(bench.scheduler, bench.broker, SETTINGS)  # type: ignore[arg-type] # a fake
    await bench.scheduler.start()
    bench.scheduler.assigned({0, 1})
    assigned = subject.facts(9.0).heard

    await bench.tick(shard=1)
    bench.clock.passed = 4.0
    idle = subject.facts(9.0).heard
    bench.broker.held = True
    bench.define(a_job())
    firing = asyncio.create_task(bench.fire(shard=0))
    await until(lambda: bench.scheduler.is_at_a_tick)
    busy = subject.facts(9.0).heard
    firing.cancel()
    await asyncio.wait([firing])

    assert (assigned, idle, busy) == ({0: 0.0, 1: 0.0}, {0: 0.0, 1: 1.0}, {0: 9.0, 1: 9.0})
    assert not bench.scheduler.is_at_a_tick


async def test_a_clock_far_ahead_is_refused_and_says_so() -> None:
    bench = Bench()
    subject = SchedulerSubject(bench.scheduler, bench.broker, SETTINGS)  # type: ignore[arg-type] # a fake
    await bench.scheduler.start()
    bench.clock.ahead = NOON.replace(hour=13) - NOON
    await bench.tick()

    assert subject.facts(1.0).clock_is_refused
