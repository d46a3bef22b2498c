"""What a log makes of what shards publish: doubled, cut off in the middle, edited and moved."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.ledger.fold import Ledger
from cronstream.core.planning.cursor import Cursor, Place
from cronstream.core.planning.due import Shard
from cronstream.core.planning.plan import Plan
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.runs import Job

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCHEDULES = ("@every 4s", "@every 7s", "@every 10s", "*/15 * * * * *")


class Installation:
    """One job, two clusters' logs without workers, and a scheduler that may die at any message."""

    def __init__(self, schedule: str) -> None:
        self.now = START
        self.jobs: list[Job] = []
        self.logs = {"a": Ledger(retry=False), "b": Ledger(retry=False)}
        self.edit(schedule, "a")
        self.cursor = Cursor(0, START).to_row()
        self.crash()

    def edit(self, schedule: str, cluster: str) -> None:
        job = Job(
            name="job",
            cluster=cluster,
            schedule=schedule,
            timezone="UTC",
            command="true",
            missed_grace_s=1e6,
            effective_from=self.now,
        )
        self.jobs.append(job)

    def crash(self) -> None:
        """A successor knows what is on the topic and in the table, and nothing else."""
        self.shard, self.learnt = Shard(30.0, Cursor.from_row(self.cursor).holds), 0

    def tick(self, cut: int | None = None) -> None:
        """Fire; with `cut`, die after so many messages, before the cursor is set."""
        plan = self._plan()
        for cluster, entry in plan.messages[:cut]:
            self._append(cluster, entry)
        if cut is not None:
            self.crash()
            return
        self.shard.accept(plan)
        self.cursor = plan.cursor.to_row()
        if not plan.complete:
            self.tick()

    def _plan(self) -> Plan:
        for revision in range(self.learnt, len(self.jobs)):
            self.shard.learn(self.jobs[revision], revision)
        self.learnt = len(self.jobs)
        plan = self.shard.plan(Cursor.from_row(self.cursor), self.now)
        if plan.noted is not None:
            self.cursor = plan.noted.to_row()
        return plan

    def tick_without(self, away: set[str], cut: int | None) -> None:
        """Fire while some logs take nothing; the others, and those that are back, get theirs."""
        cursor = Cursor.from_row(self.cursor)
        plan = self._plan()
        behind = dict(cursor.behind)
        for cluster, entry in plan.messages[:cut]:
            if cluster in away:
                behind.setdefault(Place(cluster, 0), plan.base)
            elif Place(cluster, 0) not in behind:
                self._append(cluster, entry)
        if cut is not None:
            self.crash()
            return
        self.shard.accept(plan, behind.values())
        holds = {**plan.cursor.holds, **plan.holds}
        self._set(replace(plan.cursor, behind=behind, holds=holds))
        if not plan.complete:
            self.tick_without(away, None)
            return
        for place in [place for place in behind if place.cluster not in away]:
            self._catch_up(place)

    def _catch_up(self, place: Place) -> None:
        while True:
            cursor = Cursor.from_row(self.cursor)
            lag = cursor.behind.get(place)
            if lag is None or (lag.at, lag.taken) == (cursor.at, cursor.taken):
                break
            step = self.shard.catch_up(lag, cursor, self.now, lambda name, _: name == place.cluster)
            for cluster, entry in step.messages:
                self._append(cluster, entry)
            self._set(replace(cursor, behind={**cursor.behind, place: step.reached}))
        self._set(replace(cursor, behind={p: x for p, x in cursor.behind.items() if p != place}))

    def _set(self, cursor: Cursor) -> None:
        self.cursor = replace(cursor, holds=cursor.holds if cursor.behind else {}).to_row()

    def _append(self, cluster: str, entry: Entry) -> None:
        log = self.logs[cluster]
        log.fold(log.book.next_offset, self.now, [entry])

    def runs(self) -> Counter[datetime]:
        found = [live.run for log in self.logs.values() for live in log.book.live.values()]
        return Counter(run.scheduled_at for run in found)

    def revisions(self) -> dict[datetime, int | None]:
        found = [live.run for log in self.logs.values() for live in log.book.live.values()]
        return {run.scheduled_at: run.revision for run in found}


ticks = st.tuples(st.integers(0, 90), st.none() | st.integers(0, 12))


@given(
    st.sampled_from(SCHEDULES),
    st.lists(st.tuples(ticks, st.none() | st.sampled_from(SCHEDULES)), min_size=1, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_each_due_time_is_on_the_log_once_under_the_revision_of_that_time(
    schedule: str, steps: list[tuple[tuple[int, int | None], str | None]]
) -> None:
    it = Installation(schedule)
    it.tick()
    for (seconds, cut), edit in steps:
        it.now += timedelta(seconds=seconds)
        if edit is not None:
            it.edit(edit, "a")
        it.tick(cut)
    it.tick()
    assert it.runs() == Counter(it.revisions().keys())
    assert it.revisions() == _expected(it.jobs, Cursor.from_row(it.cursor).at)


@given(
    st.sampled_from(SCHEDULES),
    st.lists(st.tuples(ticks, st.none() | st.sampled_from("ab")), min_size=1, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_a_job_that_moves_between_clusters_is_due_on_one_of_them_each_time(
    schedule: str, steps: list[tuple[tuple[int, int | None], str | None]]
) -> None:
    it = Installation(schedule)
    it.tick()
    for (seconds, cut), cluster in steps:
        it.now += timedelta(seconds=seconds)
        if cluster is not None:
            it.edit(schedule, cluster)
        it.tick(cut)
    it.tick()
    assert it.runs() == Counter(_expected(it.jobs, Cursor.from_row(it.cursor).at).keys())


outages = st.sampled_from([set(), {"a"}, {"b"}, {"a", "b"}])


@given(
    st.sampled_from(SCHEDULES),
    st.lists(
        st.tuples(ticks, st.none() | st.tuples(st.sampled_from(SCHEDULES)), outages), max_size=8
    ),
)
@settings(max_examples=150, deadline=None)
def test_what_a_log_did_not_take_is_on_it_once_it_does_each_due_time_once(
    schedule: str, steps: list[tuple[tuple[int, int | None], tuple[str] | None, set[str]]]
) -> None:
    it = Installation(schedule)
    it.tick()
    for (seconds, cut), edit, away in steps:
        it.now += timedelta(seconds=seconds)
        if edit is not None:
            it.edit(edit[0], "a")
        it.tick_without(away, cut)
    it.tick_without(set(), None)
    assert "behind" not in it.cursor
    assert it.runs() == Counter(it.revisions().keys())
    assert it.revisions() == _expected(it.jobs, Cursor.from_row(it.cursor).at)


@given(
    st.sampled_from(SCHEDULES),
    st.lists(st.tuples(ticks, st.none() | st.sampled_from("ab"), outages), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_a_job_that_moves_while_logs_take_nothing_is_due_on_one_of_them_each_time(
    schedule: str, steps: list[tuple[tuple[int, int | None], str | None, set[str]]]
) -> None:
    it = Installation(schedule)
    it.tick()
    for (seconds, cut), cluster, away in steps:
        it.now += timedelta(seconds=seconds)
        if cluster is not None:
            it.edit(schedule, cluster)
        it.tick_without(away, cut)
    it.tick_without(set(), None)
    assert it.runs() == Counter(_expected(it.jobs, Cursor.from_row(it.cursor).at).keys())


def _expected(jobs: list[Job], until: datetime) -> dict[datetime, int]:
    """What the definitions say, second by second."""
    found = {}
    moment = START
    while moment <= until:
        number = max(n for n, job in enumerate(jobs) if (job.effective_from or START) <= moment)
        schedule = compile_schedule(jobs[number].schedule, "UTC")
        if schedule.next_after(moment - timedelta(microseconds=1)) == moment:
            found[moment] = number
        moment += timedelta(seconds=1)
    return found
