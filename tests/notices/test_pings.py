"""What monitors are sent about attempts: about the run, in the words of each protocol."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Delivery, Outcome
from cronstream.core.wire.runs import Ping, Run
from cronstream.notices.notice import MOST_BYTES, Kind, Notice, request_of
from cronstream.notices.pings import of_end, of_start
from tests.builders import a_run
from tests.ledger_builders import finished

BOTH = Ping(healthchecks="file:/hc", sentry="from:SENTRY")
CHECK = "https://hc.example.org/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
MONITOR = "https://o0.ingest.example.org/api/0/cron/backup/key/?environment=dev"


def _run(**fields: Any) -> Run:
    return a_run(ping=BOTH, **fields)


def _end(run: Run, outcome: Outcome, **more: Any) -> Finished:
    return finished(run, 1, outcome, **more)


def _events(run: Run, outcome: Outcome, **more: Any) -> dict[str, str]:
    return {notice.kind: notice.event for notice in of_end(run, _end(run, outcome, **more))}


def _notice(kind: Kind, event: str, **more: Any) -> Notice:
    return Notice(kind, "backup", a_run().id, "file:/hc", event, **more)


def test_each_attempt_that_starts_is_a_start_for_each_monitor() -> None:
    assert [(x.kind, x.place, x.event) for x in of_start(_run(attempt=2))] == [
        (Kind.HEALTHCHECKS, "file:/hc", "start"),
        (Kind.SENTRY, "from:SENTRY", "start"),
    ]
    assert list(of_start(a_run(ping=Ping(sentry="from:S")))) == [
        Notice(Kind.SENTRY, "backup", a_run().id, "from:S", "start")
    ]
    assert list(of_start(a_run())) == []


def test_a_failure_before_the_last_is_noted_and_is_no_failure_of_the_run() -> None:
    first, last = _run(max_attempts=2), _run(max_attempts=2, attempts_left=1, attempt=2)

    assert _events(first, Outcome.FAILED) == {"healthchecks": "log"}
    assert _events(last, Outcome.FAILED) == {"healthchecks": "fail", "sentry": "fail"}
    assert _events(last, Outcome.TIMED_OUT) == {"healthchecks": "fail", "sentry": "fail"}
    assert _events(last, Outcome.SUCCEEDED) == {"healthchecks": "success", "sentry": "success"}


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.INTERRUPTED])
def test_what_is_made_again_is_not_over_but_at_most_once_has_failed(outcome: Outcome) -> None:
    assert _events(_run(), outcome) == {}
    once = _run(delivery=Delivery.AT_MOST_ONCE)
    assert _events(once, outcome) == {"healthchecks": "fail", "sentry": "fail"}


def test_what_was_refused_says_nothing_to_anybody() -> None:
    assert _events(_run(), Outcome.REFUSED) == {}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"exit_status": 3}, "/3"),
        ({"exit_status": None, "signal": 9}, "/137"),
        ({"exit_status": None}, "/fail"),
    ],
)
def test_healthchecks_hear_of_the_exit_status(fields: dict[str, Any], path: str) -> None:
    run = _run()
    notice, _ = of_end(run, _end(run, Outcome.FAILED, **fields))

    assert urlsplit(request_of(notice, CHECK).url).path.endswith(f"a82ea278{path}")


def test_a_timeout_is_a_failure_whatever_the_status() -> None:
    run = _run()
    notice, _ = of_end(run, _end(run, Outcome.TIMED_OUT, exit_status=0))

    assert urlsplit(request_of(notice, CHECK).url).path.endswith("/fail")


@pytest.mark.parametrize(
    ("event", "ending"), [("start", "/start"), ("success", ""), ("log", "/log"), ("fail", "/fail")]
)
def test_a_check_is_posted_to_with_the_id_of_the_run(event: str, ending: str) -> None:
    request = request_of(_notice(Kind.HEALTHCHECKS, event, body=b"x"), f"{CHECK}/?create=1")
    parts = urlsplit(request.url)

    assert (request.method, request.body) == ("POST", b"x")
    assert parts.path == urlsplit(CHECK).path + ending
    query = parse_qs(parts.query)
    assert query["create"] == ["1"]
    [rid] = query["rid"]
    assert str(UUID(rid)) == rid


@pytest.mark.parametrize(
    ("event", "status"), [("start", "in_progress"), ("success", "ok"), ("fail", "error")]
)
def test_a_monitor_of_sentry_s_is_asked_with_a_check_in_and_a_status(
    event: str, status: str
) -> None:
    request = request_of(_notice(Kind.SENTRY, event), MONITOR)
    parts = urlsplit(request.url)

    assert (request.method, parts.path) == ("GET", "/api/0/cron/backup/key/")
    query = parse_qs(parts.query)
    assert (query["environment"], query["status"]) == (["dev"], [status])
    assert str(UUID(query["check_in_id"][0])) == query["check_in_id"][0]


def test_all_that_is_sent_of_a_run_has_one_id_and_other_runs_and_addresses_have_others() -> None:
    def ident(run: Run, address: str) -> str:
        notice = Notice(Kind.HEALTHCHECKS, run.job, run.id, "file:/hc", "start")
        return parse_qs(urlsplit(request_of(notice, address).url).query)["rid"][0]

    run = _run()
    assert ident(run, CHECK) == ident(run.derive(attempt=2), CHECK)
    assert len({ident(run, CHECK), ident(run, MONITOR), ident(_run(job="other"), CHECK)}) == 3


def test_the_body_says_what_became_of_it_and_has_the_end_of_what_was_written() -> None:
    run = _run()
    end = _end(run, Outcome.FAILED, head="begin", tail="ü" * MOST_BYTES, omitted=7)
    notice, monitor = of_end(run, end)

    assert notice.body.startswith(b"attempt 1 failed (exit status 3)\n\n")
    assert MOST_BYTES - 2 <= len(notice.body) <= MOST_BYTES
    assert notice.body.decode().endswith("üü")
    assert monitor.body == b""
    short = next(of_end(run, _end(run, Outcome.FAILED, head="a", tail="b", omitted=7)))
    assert short.body.decode().endswith("a\n… 7 bytes are left out …\nb")
