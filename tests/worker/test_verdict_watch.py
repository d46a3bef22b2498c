"""Webhooks hear of each verdict once, from the log that gives it."""

from typing import Any

import orjson

from cronstream.core.wire.entries import Cancelled, Entry, Forwarded, Level, Settled
from cronstream.core.wire.enumerations import Outcome, SkipReason, Verdict
from cronstream.notices.notice import Notice
from cronstream.worker import verdict_watch as module
from cronstream.worker.verdict_watch import VerdictWatch
from tests.builders import a_run, at
from tests.ledger_builders import Told, due, finished
from tests.worker.test_pinging import Kept


class Bench:
    """A ledger that is fed, and a watch that is shown what each message has changed."""

    def __init__(self, *, retry: bool = False) -> None:
        self.told, self.kept = Told(retry=retry), Kept()
        outpost: Any = self.kept
        self.watch = VerdictWatch(outpost)
        self.tell(Level(level=3))

    def tell(self, *entries: Entry, seconds: float = 0.0) -> None:
        book = self.told.ledger.book
        book.news.clear()
        self.told.tell(*entries, seconds=seconds)
        self.watch.see(at(seconds), entries, list(book.news))

    def finish(self, run: Any, outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> None:
        claim = self.told.start(run)
        self.tell(finished(run, claim, outcome, **more), seconds=7)

    def forward(self, run: Any) -> None:
        self.tell(Forwarded(run=run.id, version=self.told.ledger.book.live[run.id].version))

    def sent(self) -> list[tuple[str, str]]:
        return [(x.run, x.event) for x in self.kept.notices]


def _output(notice: Notice) -> str:
    return str(orjson.loads(notice.body)["output"])


def test_a_success_is_sent_with_what_it_wrote() -> None:
    bench, run = Bench(), a_run(on_success="from:A")
    bench.tell(run)
    bench.finish(run, head="well")

    [notice] = bench.kept.notices
    assert (notice.event, notice.place, _output(notice)) == ("succeeded", "from:A", "well")
    assert orjson.loads(notice.body)["decided_at"] == "2026-01-01T12:00:07Z"


def test_a_discard_is_sent_once_it_is_on_its_topic_with_what_the_last_attempt_wrote() -> None:
    bench, run = Bench(), a_run(on_discard="from:A")
    bench.tell(run)
    bench.finish(run, Outcome.FAILED, head="begin", tail="the end")
    assert bench.sent() == []

    bench.forward(run)

    assert bench.sent() == [(run.id, "discarded")]
    assert _output(bench.kept.notices[0]) == "the end"


def test_of_a_run_that_was_retried_the_retry_log_tells_and_the_cluster_s_does_not() -> None:
    first = a_run(on_success="from:A", max_attempts=2)
    bench = Bench()
    bench.tell(first)
    bench.finish(first, Outcome.FAILED)
    bench.forward(first)
    bench.tell(Settled(run=first.id, attempt=2, verdict=Verdict.SUCCEEDED))
    assert bench.sent() == []
    assert bench.watch._outputs == {}

    later = Bench(retry=True)
    second = first.derive(attempt=2, attempts_left=1)
    later.tell(second)
    later.finish(second)
    later.forward(second)
    assert later.sent() == [(first.id, "succeeded")]


def test_what_is_skipped_or_refused_or_asks_for_nothing_is_not_sent() -> None:
    bench = Bench()
    cancelled, refused = due(0, on_discard="from:A"), due(10, on_discard="from:A")
    silent = due(20)
    bench.tell(cancelled, refused, silent)
    bench.tell(Cancelled(run=cancelled.id, reason=SkipReason.CANCELLED, by="a person"))
    bench.finish(refused, Outcome.REFUSED)
    bench.forward(refused)
    bench.finish(silent)

    assert set(bench.told.ledger.book.live) == set()
    assert bench.sent() == []


def test_of_very_many_that_are_being_decided_the_last_are_remembered(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    bench = Bench()
    runs = [due(10 * n, on_discard="from:A") for n in range(3)]
    bench.tell(*runs)
    for run in runs:
        bench.finish(run, Outcome.FAILED, head=run.id)
    for run in runs:
        bench.forward(run)

    assert [_output(x) for x in bench.kept.notices] == ["", runs[1].id, runs[2].id]
