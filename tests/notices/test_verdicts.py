"""What a webhook is sent about a verdict: of a documented form, and harmless in a chat."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from cronstream.core.ledger.retry import with_attempt
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Attempt, Run
from cronstream.notices.notice import Kind, Notice, request_of
from cronstream.notices.verdicts import MOST_OUTPUT, of_verdict
from tests.builders import a_run, at

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"
FAILED = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=at(9), worker="w1", exit_status=3)


def _run(**fields: Any) -> Run:
    both = {"on_success": "from:GOOD", "on_discard": "file:/bad"}
    return with_attempt(a_run(**{**both, **fields}), FAILED)


def _discarded(run: Run, output: str = "") -> Notice:
    [notice] = of_verdict(run, Verdict.DISCARDED, "attempt 1 failed (exit status 3)", at(9), output)
    return notice


def _body(notice: Notice) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(notice.body)
    return body


def test_each_verdict_is_for_its_own_webhook_and_a_skip_for_none() -> None:
    def sent(verdict: Verdict, **fields: Any) -> list[tuple[Kind, str]]:
        return [(x.kind, x.place) for x in of_verdict(_run(**fields), verdict, "", at(9), "")]

    assert sent(Verdict.SUCCEEDED) == [(Kind.ON_SUCCESS, "from:GOOD")]
    assert sent(Verdict.DISCARDED) == [(Kind.ON_DISCARD, "file:/bad")]
    assert sent(Verdict.SKIPPED) == []
    assert sent(Verdict.DISCARDED, on_discard=None) == []
    assert sent(Verdict.SUCCEEDED, on_success=None) == []


def test_the_body_says_which_run_it_was_and_how_each_attempt_ended() -> None:
    body = _body(_discarded(_run(max_attempts=3), "what it wrote"))

    assert body["version"] == 1
    assert (body["run"], body["job"], body["cluster"]) == (a_run().id, "backup", "cluster-a")
    assert (body["verdict"], body["reason"]) == ("discarded", "attempt 1 failed (exit status 3)")
    assert (body["attempt"], body["max_attempts"], body["exit_status"]) == (1, 3, 3)
    assert body["decided_at"] == "2026-01-01T12:00:09Z"
    assert body["output"] == "what it wrote"
    assert body["attempts"] == [
        {
            "attempt": 1,
            "outcome": "failed",
            "ended_at": "2026-01-01T12:00:09Z",
            "worker": "w1",
            "exit_status": 3,
            "signal": None,
            "note": None,
        }
    ]


def test_the_page_names_each_field_of_it() -> None:
    [table] = re.findall(r"\| field \|.*?\n\n", DOCS.read_text(), re.DOTALL)

    named = re.findall(
        r"`(\w+)`", "".join(row.split("|")[1] for row in table.strip().splitlines()[2:])
    )
    assert named == list(_body(_discarded(_run())))


def test_a_run_of_which_no_attempt_is_known_has_a_notice_all_the_same() -> None:
    [notice] = of_verdict(a_run(on_success="from:A"), Verdict.SUCCEEDED, "a word", at(9), "")
    body = _body(notice)

    assert (body["attempts"], body["exit_status"], body["signal"]) == ([], None, None)
    assert "succeeded: a word" in body["text"]


def test_in_a_chat_no_output_calls_anybody() -> None:
    text = _body(_discarded(_run(), "x" * 5000 + "<!channel> & co\n"))["text"]

    first, last = text.split("\n")
    assert first == (
        f"cluster-a: run {a_run().id} discarded: attempt 1 failed (exit status 3); "
        f"see: cronstream show {a_run().id}"
    )
    assert last.endswith("x&lt;!channel&gt; &amp; co")
    assert len(last) < 1100


def test_of_very_much_output_the_end_is_sent() -> None:
    body = _body(_discarded(_run(), "a" + "b" * MOST_OUTPUT))
    assert body["output"] == "b" * MOST_OUTPUT


@pytest.mark.parametrize("other", [{"job": "other"}, {"cluster": "cluster-b"}])
def test_its_id_is_the_same_whoever_sends_it_and_another_for_another_run(
    other: dict[str, str],
) -> None:
    mine, again, theirs = _discarded(_run()), _discarded(_run(), "x"), _discarded(_run(**other))

    assert mine.ident == again.ident == _body(mine)["id"]
    assert theirs.ident != mine.ident
    request = request_of(mine, "https://chat.example.org/x?y=1")
    assert (request.method, request.url) == ("POST", "https://chat.example.org/x?y=1")
    assert request.headers["Idempotency-Key"] == f'"{mine.ident}"'
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == mine.body
