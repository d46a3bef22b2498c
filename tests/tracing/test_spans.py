"""A run is one trace, whoever publishes it, makes its attempts, and judges it."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from cronstream.core.ledger.retry import next_attempt
from cronstream.core.protocol.actions import Hand
from cronstream.core.wire.entries import Level, Skipped
from cronstream.core.wire.enumerations import Cause, Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Previous, Run
from cronstream.tracing import run_spans, sdk
from cronstream.tracing.ids import TraceIds
from cronstream.tracing.publishing import trace_publishing
from cronstream.tracing.run_spans import RunSpans
from cronstream.worker.commands import to_command
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told, finished, released
from tests.scheduler.fakes import Bench, a_job
from tests.tracing.traced import IDS, Traced, about, begin, ids_of, moment, parent_of, seconds


class TracedLog(Traced):
    """A worker that traces what it folds of its log."""

    def __init__(self, *, retry: bool = False, ids: TraceIds = IDS) -> None:
        super().__init__(ids)
        self.told = Told(retry=retry)
        self.run_spans = RunSpans(lambda: at(0))
        self.run_spans.tracer = self.tracer

    def read(self, *, since: int = 0) -> None:
        """Have it fold what the log has, message by message."""
        again = Told(retry=self.told.ledger.book.retry, revision=False)
        for number, when, entries in self.told.messages:
            again.ledger.fold(number, when, entries)
            book = again.ledger.book
            if number >= since:
                self.run_spans.note(when, entries, book.news, book.ended)
            book.news.clear()


@pytest.fixture
def worker() -> TracedLog:
    return TracedLog()


def traceparent_of(traced: Traced, run: Run) -> str:
    hold: Any = to_command(Hand(f"{run.id}#1", 0, run, go=True), traced.tracer)
    return str(hold.env["TRACEPARENT"])


async def test_a_scheduler_and_the_workers_of_both_logs_make_one_trace(worker: TracedLog) -> None:
    bench, scheduler, retries = Bench(), Traced(), TracedLog(retry=True)
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.scheduler.firing.sender.on_sent = trace_publishing(scheduler.tracer)
    bench.define(a_job("backup", "@every 1h", max_attempts=2))

    await bench.tick()
    await asyncio.sleep(0)
    [run] = [r for r in bench.broker.on(bench.broker.names.log("a")) if isinstance(r, Run)]
    told, run = worker.told, run.derive(revision=1)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    later = next_attempt(told.live.run, at(2), at(1))
    told.forward(run)
    worker.read()
    retries.told.tell(later)
    retries.told.finish(later)
    retries.told.forward(later)
    retries.read()

    spans = scheduler.spans + worker.spans + retries.spans
    names = ["publish", "wait", "attempt", "wait", "attempt", "run"]
    assert [span.name for span in spans] == [f"{name} backup" for name in names]
    *below, whole = spans
    assert {ids_of(span)[0] for span in spans} == {IDS.trace(run.id)}
    assert {parent_of(span) for span in below} == {ids_of(whole)}
    assert parent_of(whole) is None
    assert len({ids_of(span) for span in spans}) == len(spans)
    assert about(whole)["cronstream.verdict"] == "succeeded"


def test_a_command_goes_on_below_its_own_attempt(worker: TracedLog) -> None:
    run = a_run(max_attempts=2)
    worker.told.tell(run)
    worker.told.finish(run)
    worker.read()

    trace, span = ids_of(worker.only("attempt backup"))

    assert traceparent_of(worker, run) == f"00-{trace:032x}-{span:016x}-01"
    assert traceparent_of(worker, run.derive(attempt=2)) != traceparent_of(worker, run)


def test_without_a_tracer_a_command_gets_none_and_its_own_goes_before_ours(
    worker: TracedLog,
) -> None:
    hold: Any = to_command(Hand("r#1", 0, a_run(), go=True))
    own = a_run(env={"TRACEPARENT": "00-1-2-01"})

    assert "TRACEPARENT" not in hold.env
    assert traceparent_of(worker, own) == "00-1-2-01"


def test_an_attempt_says_how_long_it_took_and_how_it_ended(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run, seconds=-20)
    worker.told.finish(run, Outcome.FAILED)
    worker.read()

    attempt, wait = worker.only("attempt backup"), worker.only("wait backup")

    assert (begin(attempt), seconds(attempt)) == (moment(NOON), 1.0)
    assert attempt.kind is SpanKind.CONSUMER
    assert about(attempt) == {
        "cronstream.run": run.id,
        "cronstream.job": "backup",
        "cronstream.cluster": "cluster-a",
        "cronstream.attempt": 1,
        "cronstream.outcome": "failed",
        "cronstream.worker": "w1",
        "cronstream.exit_status": 3,
    }
    assert attempt.status.status_code is StatusCode.ERROR
    assert (begin(wait), seconds(wait)) == (moment(at(-20)), 20.0)
    assert [event.name for event in wait.events] == ["claimed"]


def test_a_start_and_its_end_in_one_message_are_seen_too(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run)
    claim = worker.told.claim(run)
    worker.told.tell(finished(run, claim), seconds=2)
    worker.read()

    assert worker.names == ["wait backup", "attempt backup", "run backup"]
    assert seconds(worker.only("attempt backup")) == 1.0


def test_a_lost_attempt_and_the_one_after_it_are_two(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run)
    worker.told.start(run)
    worker.told.lose()
    again = worker.told.live.run
    worker.told.finish(again)
    worker.read()

    lost, made = [span for span in worker.spans if span.name == "attempt backup"]

    assert about(lost)["cronstream.outcome"] == "lost"
    assert about(made)["cronstream.attempt"] == 2
    assert worker.names.count("wait backup") == 2


def test_a_claim_that_is_given_back_makes_the_wait_no_shorter(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run, seconds=-10)
    worker.told.tell(released(run, worker.told.claim(run)), seconds=-5)
    worker.told.finish(run)
    worker.read()

    wait = worker.only("wait backup")

    assert begin(wait) == moment(at(-10))
    assert [event.name for event in wait.events] == ["claimed", "claimed"]


def test_a_discarded_run_is_an_error_and_says_why(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run)
    worker.told.finish(run, Outcome.TIMED_OUT, seconds=5)
    worker.told.forward(run)
    worker.read()

    whole = worker.only("run backup")

    assert about(whole)["cronstream.verdict"] == "discarded"
    assert whole.status.status_code is StatusCode.ERROR
    assert begin(whole) == moment(NOON)


def test_a_run_that_is_skipped_has_its_reason(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run)
    version = worker.told.live.version
    worker.told.tell(Skipped(run=run.id, version=version, reason=SkipReason.OVERLAP))
    worker.read()

    assert worker.names == ["run backup"]
    assert about(worker.only("run backup"))["cronstream.reason"] == "overlap"


def test_a_run_that_follows_another_names_it(worker: TracedLog) -> None:
    previous = Previous("other@2026-01-01T12:00:00Z", Verdict.SUCCEEDED, 1)
    run = a_run(revision=None, cause=Cause.CHAIN, previous=previous)
    worker.told.tell(Level(level=4))
    worker.told.tell(run)
    worker.told.finish(run)
    worker.read()

    assert about(worker.only("run backup"))["cronstream.follows"] == previous.run


def test_who_takes_a_partition_over_tells_what_it_has_read_itself(worker: TracedLog) -> None:
    run = a_run()
    worker.told.tell(run)
    claim = worker.told.start(run)
    end = worker.told.tell(finished(run, claim))
    worker.read(since=end)

    assert worker.names == ["attempt backup", "run backup"]


def test_what_is_long_ago_is_not_told(worker: TracedLog) -> None:
    worker.told.tell(a_run())
    worker.told.finish(a_run())
    worker.run_spans = RunSpans(lambda: at(7200))
    worker.run_spans.tracer = worker.tracer
    worker.read()

    assert worker.names == []


def test_of_how_many_runs_is_known_how_they_wait_has_an_end(
    worker: TracedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_spans, "_MOST", 2)
    runs = [a_run(scheduled_at=NOON + timedelta(seconds=n)) for n in range(3)]
    worker.told.tell(*runs)
    worker.read()

    assert len(worker.run_spans._ways) == 2


# -- which runs are traced -------------------------------------------------------------------------


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")


@pytest.mark.usefixtures("half")
def test_all_processes_sample_the_same_runs_and_a_command_hears_of_it() -> None:
    one, other = TracedLog(), TracedLog()
    runs = [a_run(scheduled_at=NOON + timedelta(seconds=n)) for n in range(40)]
    for worker in (one, other):
        for run in runs:
            worker.told.tell(run)
            worker.told.finish(run)
        worker.read()

    sampled = {ids_of(span)[0] for span in one.spans}

    assert sampled == {ids_of(span)[0] for span in other.spans}
    assert 5 < len(sampled) < 35
    assert one.names.count("run backup") == one.names.count("attempt backup") == len(sampled)
    for run in runs:
        is_sampled = IDS.trace(run.id) in sampled
        assert traceparent_of(one, run).endswith("-01" if is_sampled else "-00")


# -- what a process says of itself, and its end ----------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"), [({}, "cronstream"), ({"OTEL_SERVICE_NAME": "jobs"}, "jobs")]
)
def test_its_name_is_ours_unless_it_was_given_another(
    given: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in given.items():
        monkeypatch.setenv(variable, text)
    worker = TracedLog()
    worker.told.tell(a_run())
    worker.told.finish(a_run())
    worker.read()

    assert worker.spans[0].resource.attributes["service.name"] == name


class Hanging(SpanProcessor):
    """Does not come to its end before it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def shutdown(self) -> None:
        self.let_go.wait(30)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    processor = Hanging()
    yield processor
    processor.let_go.set()


async def test_an_export_that_hangs_does_not_keep_a_process_from_ending(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "_STOP_S", 0.01)

    await sdk.SdkTracer(IDS, hanging).stop()

    assert not hanging.let_go.is_set()


def test_an_sdk_that_fails_ends_the_traces_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(SpanProcessor):
        tries = 0

        def on_start(self, *_: Any, **__: Any) -> None:
            self.tries += 1
            raise RuntimeError("no")

    processor, worker = Failing(), TracedLog()
    worker.run_spans.tracer = sdk.SdkTracer(IDS, processor)
    worker.told.tell(a_run())
    worker.told.finish(a_run())
    worker.read()

    assert processor.tries == 1
    [said] = caplog.messages
    assert said.endswith("a span cannot be made; this process traces no more")


async def test_what_is_left_is_exported_at_the_end() -> None:
    stopped: list[ReadableSpan] = []

    class Keeping(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            self.waiting = [span]

        def shutdown(self) -> None:
            stopped.extend(self.waiting)

    tracer = sdk.SdkTracer(IDS, Keeping())
    sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    trace_publishing(tracer)(a_run(), sent)
    sent.set_exception(OSError("too large"))
    await asyncio.sleep(0)
    await tracer.stop()

    [span] = stopped
    assert (span.name, span.kind) == ("publish backup", SpanKind.PRODUCER)
    assert span.status.description == "too large"
