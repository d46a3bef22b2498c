"""Whether a process does what it is there for, from facts about it; what ends it if it does not.

A process that is alive may be outside its consumer group, hang in a recovery, or turn no longer.
Each reason says whether ending the process may help (`Health.ends`): a restart mends no broker that
is away or takes nothing, and no clock; it would only interrupt what runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cronstream.core.health.judgement import HEALTHY, Health, ending, lasting
from cronstream.core.health.lateness import Late

#: Sends that failed one after another, half a second apart, after which the producer is broken.
_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what must go on may pause, in seconds, before the process is unhealthy."""

    broker_s: float = 10.0
    outside_s: float = 15.0
    thread_s: float = 15.0
    rebalance_s: float = 30.0
    restore_s: float = 5.0
    acks_s: float = 15.0
    tick_s: float = 20.0
    heard_s: float = 8.0
    shard_s: float = 30.0
    turn_s: float = 10.0
    unowned_s: float = 15.0
    ready_s: float = 30.0
    read_s: float = 30.0


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """What only a scheduler has; moments are monotonic seconds.

    Attributes:
        tick_at: When the broker last acknowledged a tick of its own.
        heard: For each shard that it owns, when a tick of it last came by the stream, or it was
            assigned; now, while it is at one.
        shards: For each shard that it owns, when that last came forward, or was assigned.
        clock_is_refused: Whether its clock was measured and is too far ahead.
        foreign: Why its crontab is not put in force, if it belongs to another installation, or
            would take out much of what is in force.
        set_aside: What is held up by topics that take nothing, while all else goes on.
    """

    tick_at: float
    heard: Mapping[int, float] = field(default_factory=dict)
    shards: Mapping[int, float] = field(default_factory=dict)
    clock_is_refused: bool = False
    foreign: str = ""
    set_aside: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What only a worker or a retry worker has; moments are monotonic seconds.

    Attributes:
        turned_at: When it last turned: judged, claimed, and sent what is due.
        has_ended: Whether a task of its that never ends has ended.
        has_executor: Whether its executor lives.
        unready: For each partition it owns whose `Owned` it has not read back, since when its
            fold stands still.
        unread: For each partition it owns whose log has more than it has folded, the same.
        truncated: For each partition it owns whose log has less than it has folded, since when.
        late: Runs that are due and have not started.
        refused: What was refused lately that nobody will make: sentences.
    """

    turned_at: float
    has_ended: bool = False
    has_executor: bool = True
    unready: Mapping[int, float] = field(default_factory=dict)
    unread: Mapping[int, float] = field(default_factory=dict)
    truncated: Mapping[int, float] = field(default_factory=dict)
    late: Late | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a process; moments are monotonic seconds.

    Attributes:
        broker_at: When a broker last answered a question that was asked for this purpose.
        thread_at: When the consumer's thread last turned.
        back_at: When a broker last answered again after an outage; what that broke mends then.
        outside_since: Since when it is no member of its group; None if it is one.
        outside_why: What Kafka has said to that; empty if nothing.
        rebalancing_since: Since when a rebalance, with the recovery of tables that belongs to it,
            has made no progress; None if none is under way.
        restoring_since: Since when its tables are being restored; None if they are not.
        begun_at: When the first rebalance was over; None before.
        waiting_since: Since when the oldest message that was not acknowledged has been waiting.
        failures: How often in a row that message could not be sent.
        failed_why: What it failed of last.
        lacking: What Kafka does not allow it, if it stands still; else empty.
        unowned: For each partition of its topic that no member of its group owns, since when; only
            of a process that owns none itself.
        is_stopping: Whether it was asked to stop.
        clock_fault: Why its clock is not trusted, if it is not to go on by it; else empty.
        compared: What people are to know of how it compares with other processes.
    """

    role: SchedulerFacts | WorkerFacts
    broker_at: float
    thread_at: float
    back_at: float = float("-inf")
    outside_since: float | None = None
    outside_why: str = ""
    rebalancing_since: float | None = None
    restoring_since: float | None = None
    begun_at: float | None = None
    waiting_since: float | None = None
    failures: int = 0
    failed_why: str = ""
    lacking: str = ""
    unowned: Mapping[int, float] = field(default_factory=dict)
    is_stopping: bool = False
    clock_fault: str = ""
    compared: tuple[str, ...] = ()


def judge(facts: Facts, now_mono: float, limits: Limits | None = None) -> Health:
    """Return the first thing that is wrong, causes before their consequences.

    A member without a partition is healthy if others have them all: it stands by.

    Args:
        facts: About the process.
        now_mono: In monotonic seconds.
        limits: How long what may pause.
    """
    if facts.is_stopping:
        return lasting("stopping", "it is stopping")
    return next(_faults(facts, now_mono, limits or Limits()), HEALTHY)


def faulty(facts: Facts, now_mono: float) -> frozenset[str]:
    """Return the subjects of all that is wrong; see `judge`."""
    if facts.is_stopping:
        return frozenset({"stopping"})
    return frozenset(fault.subject for fault in _faults(facts, now_mono, Limits()))


def warn(facts: Facts) -> list[str]:
    """Return what people should see to, though the process does what it is there for."""
    role = facts.role
    if isinstance(role, WorkerFacts):
        told = [role.late.sentence] if role.late is not None and role.late.is_told else []
        return [*told, *role.refused, *facts.compared]
    told = [role.foreign] if role.foreign else []
    return [*told, *role.set_aside, *facts.compared]


def _faults(facts: Facts, now: float, limits: Limits) -> Iterator[Health]:
    if (
        facts.lacking
    ):  # Another process would be refused, too; once it is granted, this one goes on.
        yield lasting("rights", facts.lacking)
    if now - facts.broker_at > limits.broker_s:
        yield lasting("broker", f"no broker has answered for {now - facts.broker_at:.0f} s")
    yield from _group_faults(facts, now, limits)
    if facts.clock_fault:  # Its end gives what it owns to others, whose clocks are right.
        yield ending("clock", facts.clock_fault)
    match facts.role:
        case SchedulerFacts(clock_is_refused=True):
            yield lasting("clock", "this machine's clock is too far ahead of the broker's")
        case WorkerFacts() as worker:
            yield from _turn_faults(worker, now, limits)
        case _:
            pass
    yield from _send_faults(facts, now, limits)
    if facts.begun_at is None:
        yield lasting("starting", "it is starting")
    else:
        yield from _faults_once_begun(facts, facts.begun_at, now, limits)


def _faults_once_begun(
    facts: Facts, begun_at: float, now: float, limits: Limits
) -> Iterator[Health]:
    if facts.rebalancing_since is None:
        yield from _owner_faults(facts, now, limits)
    match facts.role:
        case SchedulerFacts() as scheduler:
            yield from _tick_faults(scheduler, begun_at, now, limits)
        case WorkerFacts() as worker if facts.rebalancing_since is None:
            yield from _fold_faults(worker, now, limits)
        case _:
            pass


def _group_faults(facts: Facts, now: float, limits: Limits) -> Iterator[Health]:
    if now - facts.thread_at > limits.thread_s:
        yield ending(
            "consumer", f"the consumer's thread has been stuck for {now - facts.thread_at:.0f} s"
        )
    outside_s = _lasted(facts.outside_since, facts, now)
    if outside_s > limits.outside_s:
        why = f" ({facts.outside_why})" if facts.outside_why else ""
        yield ending("group", f"it has been outside its consumer group for {outside_s:.0f} s{why}")
    rebalancing_s = _lasted(facts.rebalancing_since, facts, now)
    if rebalancing_s > limits.rebalance_s:
        yield ending(
            "rebalance", f"a rebalance or recovery has made no progress for {rebalancing_s:.0f} s"
        )
    restoring_s = _lasted(facts.restoring_since, facts, now)
    if restoring_s > limits.restore_s:
        yield lasting("restoring", f"its tables are not restored after {restoring_s:.0f} s")


def _lasted(since: float | None, facts: Facts, now: float) -> float:
    """Return for how long something has been so, with brokers that answer."""
    return 0.0 if since is None else now - max(since, facts.back_at)


def _owner_faults(facts: Facts, now: float, limits: Limits) -> Iterator[Health]:
    """A process that owns nothing, though there is something to own, was left out.

    How many members there are says less: only what nobody owns is left to be done.
    """
    waits = [now - since for since in facts.unowned.values() if now - since > limits.unowned_s]
    if waits:
        some = f"{len(waits)} of them for {min(waits):.0f} s"
        yield ending("unowned", f"it owns no partition, and nobody has owned {some}")


def _turn_faults(worker: WorkerFacts, now: float, limits: Limits) -> Iterator[Health]:
    if worker.has_ended:
        yield ending("task", "a task that should never end has ended")
    if not worker.has_executor:
        yield ending("executor", "it has no executor")
    if now - worker.turned_at > limits.turn_s:
        yield ending("turning", f"it has decided nothing for {now - worker.turned_at:.0f} s")


def _send_faults(facts: Facts, now: float, limits: Limits) -> Iterator[Health]:
    if facts.waiting_since is None or now - facts.waiting_since <= limits.acks_s:
        return
    waited = f"{now - facts.waiting_since:.0f} s"
    if facts.failures >= _FAILURES:
        why = f" ({facts.failed_why})" if facts.failed_why else ""
        yield ending(
            "publishing", f"its producer is broken: a message has failed for {waited}{why}"
        )
    yield lasting("publishing", f"the broker has not acknowledged a message for {waited}")


def _tick_faults(
    scheduler: SchedulerFacts, begun_at: float, now: float, limits: Limits
) -> Iterator[Health]:
    silent = now - max(scheduler.tick_at, begun_at)
    if silent > limits.tick_s:
        yield ending("ticks", f"none of its ticks has been acknowledged for {silent:.0f} s")
    for shard, at in scheduler.heard.items():
        if scheduler.tick_at - at > limits.heard_s:
            yield ending("ticks", f"ticks of shard {shard} have not come back for {now - at:.0f} s")
    for shard, at in scheduler.shards.items():
        if now - at > limits.shard_s:
            yield ending("shards", f"shard {shard} has not been published for {now - at:.0f} s")


def _fold_faults(worker: WorkerFacts, now: float, limits: Limits) -> Iterator[Health]:
    for partition, since in worker.unready.items():
        if now - since > limits.ready_s:
            yield ending(
                "ready",
                f"partition {partition} has been assigned, but not ready, for {now - since:.0f} s",
            )
    for partition, since in worker.unread.items():
        if now - since > limits.read_s:
            yield ending(
                "unread", f"partition {partition} has not been read for {now - since:.0f} s"
            )
    for partition, since in worker.truncated.items():
        if now - since > limits.read_s:
            yield ending("truncated", f"partition {partition} has lost messages, or was recreated")
