"""A ledger goes through a row and is what it was, wherever in the log that happens."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.rows import PART, Row, from_parts, from_row, join, row_parts, to_row
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Forwarded,
    Level,
    Lost,
    Settled,
    Skipped,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run
from cronstream.errors import MessageError
from tests.builders import a_run, at
from tests.ledger_builders import Told, a_skip, beat, due, finished, released, started

_WORKERS = st.sampled_from(["w1", "w2"])
_ONE = st.integers(0, 5)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run, of few due times and revisions, so that many of them meet."""
    attempts = draw(st.sampled_from([1, 3]))
    return due(
        draw(st.sampled_from([0, 10, 20, 700])),
        revision=draw(st.sampled_from([1, 2, 3, None])),
        max_attempts=attempts,
        attempts_left=draw(st.integers(1, attempts)),
        attempt=draw(st.sampled_from([1, 1, 2])),
        delivery=draw(st.sampled_from(Delivery)),
        overlap=draw(st.sampled_from([Overlap.ALLOW, *Overlap])),
        as_of=at(0),
    )


#: From what there is in a ledger and the numbers drawn, an entry that fits, or nearly does.
_Maker = Callable[[Told, Run, str, int], Entry]


def _version(told: Told, run: Run, off: int) -> int:
    live = told.ledger.book.live.get(run.id)
    version = 0 if live is None else live.version
    return version if off else max(0, version - 1)


def _claim(told: Told, run: Run, off: int) -> int:
    live = told.ledger.book.live.get(run.id)
    return off if live is None or live.claim is None or not off else live.claim


def _number(told: Told, worker: str, other: int) -> int:
    beat = told.ledger.book.beats.get(worker)
    return other if beat is None else beat.number


_MAKERS: list[_Maker] = [
    lambda _, run, __, ___: run,
    lambda _, run, __, n: a_skip(10, 10 + 10 * n, revision=run.revision or 1),
    lambda _, __, ___, n: Withdrawal(job="backup", revision=n, effective_from=at(5 * n)),
    lambda told, run, w, n: Claimed(run=run.id, version=_version(told, run, n), worker=w, number=n),
    lambda told, run, w, n: started(run, _claim(told, run, n), w),
    lambda told, run, w, n: finished(run, _claim(told, run, n), Outcome.SUCCEEDED, w),
    lambda told, run, w, n: finished(run, _claim(told, run, n), list(Outcome)[n % 5], w),
    lambda told, run, w, n: released(run, _claim(told, run, n), w),
    lambda told, _, w, n: Lost(worker=w, number=_number(told, w, n)),
    lambda told, run, _, n: Forwarded(run=run.id, version=_version(told, run, n)),
    lambda _, __, w, n: beat(w, n),
    lambda _, run, __, n: Settled(run=run.id, verdict=list(Verdict)[n % 3], attempt=2),
    lambda told, run, _, n: Skipped(
        run=run.id, version=_version(told, run, n), reason=SkipReason.OVERLAP
    ),
    lambda told, run, _, n: Cancelled(
        run=run.id, version=None if told.ledger.book.retry else _version(told, run, n)
    ),
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> Told:
    """A log of entries that mostly fit what came before."""
    told = Told(retry=draw(st.booleans()))
    known = draw(st.lists(runs(), min_size=1, max_size=4))
    time = 0.0
    if draw(st.booleans()):
        told.tell(Level(level=2))
    for _ in range(draw(st.integers(0, 40))):
        make = draw(st.sampled_from(_MAKERS))
        time += draw(st.sampled_from([0.0, 1.0, 30.0, 700.0, 4000.0, 90_000.0, -8000.0]))
        entry = make(told, draw(st.sampled_from(known)), draw(_WORKERS), draw(_ONE))
        told.tell(entry, seconds=time)
    return told


def _through_a_row(ledger: Ledger) -> Ledger:
    return from_row(orjson.loads(orjson.dumps(to_row(ledger, 3))))


def _state(ledger: Ledger) -> dict[str, Any]:
    row = to_row(ledger, 3)
    row["live"].sort(key=lambda live: live["version"])
    return row


@given(logs(), st.data())
@settings(max_examples=200, deadline=None)
def test_half_a_log_a_row_and_the_rest_is_one_fold_of_the_whole(told: Told, data: Any) -> None:
    cut = data.draw(st.integers(0, len(told.messages)))
    back = data.draw(st.integers(0, cut))
    half = Ledger(retry=told.ledger.book.retry)
    for message in told.messages[:cut]:
        half.fold(*message)
    again = _through_a_row(half)
    for message in told.messages[back:]:
        again.fold(*message)

    assert _state(again) == _state(told.ledger)
    assert again.book.deciding == told.ledger.book.deciding
    assert again.book.held == told.ledger.book.held
    assert again.book.lines == told.ledger.book.lines


@given(logs())
@settings(max_examples=50, deadline=None)
def test_what_waits_is_found_again_after_a_row(told: Told) -> None:
    again = _through_a_row(told.ledger)
    queued = {(v, r) for _, v, r in again.book.waiting}
    queued |= {(again.book.live[r].version, r) for line in again.book.lines.values() for r in line}

    assert queued == {
        (live.version, live.run.id)
        for live in told.ledger.book.live.values()
        if live.state == "queued"
    }


@given(logs())
@settings(max_examples=100, deadline=None)
def test_indexes_say_what_the_runs_say(told: Told) -> None:
    ledger = told.ledger
    held: dict[str, set[str]] = {}
    for live in ledger.book.live.values():
        if live.held:
            held.setdefault(live.holder or "", set()).add(live.run.id)
        assert (live.run.id in ledger.book.deciding) is (live.state == "deciding")
        assert (live.holder is not None) is live.held

    assert ledger.book.held == held
    assert {run.id for run in (x.run for x in ledger.book.scheduled_runs("backup"))} == {
        run_id for run_id, live in ledger.book.live.items() if live.run.cause is None
    }


def test_a_row_of_the_former_format_knows_of_no_cancelled_runs() -> None:
    told = Told()
    told.tell(a_run())
    row = to_row(told.ledger, 0)
    del row["live"][0]["cancelled"]

    assert _state(from_row({**row, "format": 1})) == _state(told.ledger)


def test_a_row_of_another_format_is_refused() -> None:
    with pytest.raises(MessageError, match="of format 0, not 2"):
        from_row({**to_row(Ledger(retry=False), 0), "format": 0})


@pytest.mark.parametrize("damage", [
    {"live": [{}]},
    {"marks": {"backup": []}},
    {"now": "yesterday"},
    {"next_offset": "x"},
    {"recent": [["id", 1, "perhaps", "2026-01-01T12:00:00Z"]]},
])  # fmt: skip
def test_a_damaged_row_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="a damaged ledger row"):
        from_row({**to_row(Ledger(retry=False), 0), **damage})


def test_a_row_without_a_field_is_refused() -> None:
    row = to_row(Ledger(retry=False), 0)
    del row["beats"]
    with pytest.raises(MessageError, match="beats"):
        from_row(row)


def test_a_row_says_its_partition_and_keeps_a_successor() -> None:
    told = Told()
    told.tell(a_run())
    told.claim(a_run())
    told.edit(2)
    told.tell(a_run(revision=2))

    assert to_row(told.ledger, 3)["partition"] == 3
    assert _through_a_row(told.ledger).book.live[a_run().id].successor == a_run(revision=2)


def test_a_large_row_is_made_and_read_in_parts_and_is_of_the_moment_it_was_asked_for() -> None:
    told = Told()
    told.tell(*(a_run(scheduled_at=at(second)) for second in range(2 * PART)))
    told.ledger.book.marks["other"] = Mark(
        settled={at(n): Verdict.SUCCEEDED for n in range(20 * PART)}
    )
    told.ledger.book.recent = {f"r{n}": (1, Verdict.SKIPPED, at(n)) for n in range(11 * PART)}
    whole = to_row(told.ledger, 3)

    parts = row_parts(told.ledger, 3)
    told.ledger.book.live[a_run(scheduled_at=at(3)).id].begun = True
    told.ledger.book.marks["other"].settled.clear()
    told.ledger.book.marks["other"].revisions.append((9, at(9)))
    told.ledger.book.recent.clear()
    made = [orjson.loads(orjson.dumps(part)) for part in parts]

    assert [len(part["live"]) for part in made] == [PART, PART, 0, 0, 0]
    assert orjson.loads(orjson.dumps(whole)) == join(orjson.loads(orjson.dumps(made)))
    assert len(list(from_parts(made))) == len(made)
    assert orjson.loads(orjson.dumps(to_row(list(from_parts(made))[-1], 3))) == join(made)


def test_a_part_that_is_damaged_is_refused() -> None:
    parts = [to_row(Ledger(retry=False), 0), {"live": [{}], "marks": {}, "recent": []}]
    with pytest.raises(MessageError, match="a damaged ledger row"):
        list(from_parts(parts))


def test_pauses_and_what_was_handed_over_are_put_together_from_all_parts() -> None:
    def part(*found: int) -> Row:
        empty: Row = {"live": [], "marks": {}, "recent": [], "successes": []}
        return empty | {"pauses": list(found), "handed_over": list(found)}

    whole = join([part(1), part(2, 3)])

    assert (whole["pauses"], whole["handed_over"]) == ([1, 2, 3], [1, 2, 3])
