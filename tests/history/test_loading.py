"""What is read of the logs, and what earlier, so that a run is not told from its middle."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Released,
    Settled,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Run
from cronstream.history.loading import load
from cronstream.history.scope import Scope
from cronstream.history.story import RunState, RunStory
from cronstream.topology.log_message import LogMessage, Spans
from tests.builders import NOON, a_run, at
from tests.cli.fake_broker import FakeBroker, FakeReader

RUN = "backup@2026-01-01T12:00:00Z"


class CountingReader(FakeReader):
    """Counts what it reads."""

    count = 0

    async def read_all(self, spans: Spans) -> AsyncIterator[LogMessage]:
        async for message in super().read_all(spans):
            self.count += 1
            yield message


def a_broker() -> FakeBroker:
    broker = FakeBroker("cluster-a")
    for job in ("backup", "report"):
        word = Withdrawal(job=job, revision=1, effective_from=at(-90_000))
        broker.log(job, word, when=at(-90_000))
    return broker


def begin(broker: FakeBroker, run: Run, when: datetime) -> int:
    """Have a run published, claimed and started; return the claim."""
    version = broker.log(run.job, run, when=when)
    begun: dict[str, Any] = {"run": run.id, "worker": "w1"}
    claim: Entry = Claimed(version=version, number=1, **begun)
    broker.log(run.job, claim, Started(claim=version, started_at=when, **begun), when=when)
    return version


def end(
    broker: FakeBroker, run: Run, claim: int, when: datetime, outcome: Outcome = Outcome.SUCCEEDED
) -> int:
    times: dict[str, Any] = {"started_at": NOON, "ended_at": when}
    entry = Finished(run=run.id, claim=claim, worker="w1", outcome=outcome, **times)
    return broker.log(run.job, entry, when=when)


def loaded(broker: FakeBroker, since: datetime) -> tuple[dict[str, RunStory], int]:
    """Return what is told, by id, and how many messages have been read for it."""
    reader = CountingReader(broker)
    history = asyncio.run(load(reader, Scope(since=since)))
    return {story.id: story for story in history.runs()}, reader.count


def test_a_run_that_ends_in_the_window_is_told_with_what_it_was_before() -> None:
    broker, run = a_broker(), a_run(max_attempts=3)
    end(broker, run, begin(broker, run, at(-30)), at(80_000))
    told, _ = loaded(broker, at(79_000))
    story = told[RUN]
    assert (story.state, story.partial, story.published_at) == (
        RunState.SUCCEEDED,
        False,
        at(-30),
    )
    assert story.attempts_text == "1 of 3"


def test_one_that_waits_in_the_window_because_it_was_given_back_is_told_as_queued() -> None:
    broker, run = a_broker(), a_run()
    claim = begin(broker, run, at(-30))
    broker.log("backup", Released(run=run.id, claim=claim, worker="w1"), when=at(600))
    told, _ = loaded(broker, at(590))
    assert (told[RUN].state, told[RUN].partial, told[RUN].attempts) == (RunState.QUEUED, False, ())


def test_what_was_over_before_the_window_is_not_told_though_it_was_read() -> None:
    broker, long, short = a_broker(), a_run(), a_run(scheduled_at=at(60))
    claim = begin(broker, long, at(-30))
    end(broker, short, begin(broker, short, at(30)), at(70))
    end(broker, long, claim, at(600))
    assert list(loaded(broker, at(590))[0]) == [long.id]


def test_only_the_partition_of_a_run_that_began_earlier_is_read_once_more() -> None:
    broker, run = a_broker(), a_run()
    for minute in range(100):
        other = a_run(job="report", scheduled_at=at(60 * minute))
        end(broker, other, begin(broker, other, at(60 * minute)), at(60 * minute))
    new = a_run(scheduled_at=at(6000))
    end(broker, new, begin(broker, new, at(5990)), at(6010))
    since = at(5980)
    two_minutes_before = 2 * 3
    assert loaded(broker, since)[1] == two_minutes_before + 3

    broker = a_broker()
    claim = begin(broker, run, at(-30))
    for minute in range(100):
        other = a_run(job="report", scheduled_at=at(60 * minute))
        end(broker, other, begin(broker, other, at(60 * minute)), at(60 * minute))
    end(broker, run, claim, at(6010))
    told, count = loaded(broker, since)
    assert (told[RUN].state, count) == (
        RunState.SUCCEEDED,
        two_minutes_before + 1 + 3,
    )


def test_runs_that_were_published_just_before_the_window_cost_no_second_reading() -> None:
    broker = a_broker()
    for minute in range(60):
        run = a_run(scheduled_at=at(60 * minute))
        claim = begin(broker, run, at(60 * minute - 30))
        end(broker, run, claim, at(60 * minute + 1))
    told, count = loaded(broker, at(60 * 30 - 20))
    assert (len(told), count) == (30, 3 * 31 + 1)
    assert not any(story.partial for story in told.values())


def test_a_retry_is_told_from_the_first_attempt_on() -> None:
    broker, run = a_broker(), a_run(max_attempts=2)
    decided = end(broker, run, begin(broker, run, at(-30)), at(2), Outcome.FAILED)
    second = run.derive(attempt=2, attempts_left=1, not_before=at(3600), as_of=at(2))
    version = broker.retry("backup", second, when=at(2))
    broker.log("backup", Forwarded(run=run.id, version=decided), when=at(2))
    claim = Claimed(run=run.id, version=version, worker="r1", number=1)
    broker.retry("backup", claim, when=at(3600))
    broker.log("backup", Settled(run=RUN, verdict=Verdict.SUCCEEDED, attempt=2), when=at(3605))
    story = loaded(broker, at(3590))[0][RUN]
    assert (story.state, story.partial) == (RunState.SUCCEEDED, False)
    assert [attempt.number for attempt in story.attempts] == [1, 2]


def test_what_began_more_than_a_day_before_is_partial() -> None:
    broker, run = a_broker(), a_run()
    end(broker, run, begin(broker, run, at(-30)), at(90_000))
    story = loaded(broker, at(89_000))[0][RUN]
    assert (story.state, story.partial) == (RunState.UNKNOWN, True)
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.SUCCEEDED]
