"""Old and new processes fold the same of a log, or the old one ends."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.retry import next_attempt, with_attempt
from cronstream.core.ledger.rows import FORMAT, from_row, to_row
from cronstream.core.protocol.actions import Append
from cronstream.core.wire import codec
from cronstream.core.wire.codec import decode_entries, encode, encode_entries, from_json, to_json
from cronstream.core.wire.entries import ENTRIES, Entry, Finished, Heartbeat, Level, Lost, Skipped
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.job_messages import decode_jobs, decode_level
from cronstream.core.wire.levels import FIELDS, KINDS, VALUES, lowered, needed_level
from cronstream.core.wire.runs import Attempt, Discarded, Run
from cronstream.errors import LevelError, MessageError
from tests.builders import NOON, a_run, at
from tests.ledger_builders import beat, finished
from tests.member_builders import owner, report_started

OLD, NEW = 98, 99
NEWS = Level(level=NEW, version="9.9")
NOTED = Finished(
    run="backup@2026-01-01T12:00:00Z",
    claim=1,
    worker="w1",
    outcome=Outcome.SUCCEEDED,
    started_at=NOON,
    ended_at=NOON,
    note="a field of the new level",
)
CAREFUL = Skipped(run="a@2026-01-01T12:00:00Z", version=1, reason=SkipReason.PAUSED)
LOST = Lost(worker="w1", number=1)


@pytest.fixture(autouse=True)
def levels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a field, a kind and a value be newer than all that is known."""
    monkeypatch.setitem(FIELDS, Finished, {"note": NEW})
    monkeypatch.setitem(KINDS, Lost, NEW)
    monkeypatch.setitem(VALUES, Skipped, {"reason": {"paused": NEW}})
    monkeypatch.setattr(codec, "LEVEL", NEW)
    codec._FIELDS.clear()
    yield
    codec._FIELDS.clear()


def _message(record: Any, **changed: Any) -> bytes:
    return orjson.dumps({**to_json(record), **changed})


def _fold(known: int, *messages: bytes) -> Ledger:
    ledger = Ledger(retry=False, known=known)
    for offset, raw in enumerate(messages):
        ledger.fold(offset, NOON, decode_entries(raw, known)[0])
    return ledger


# -- what stands in a message ----------------------------------------------------------------------


def test_a_record_says_its_level_only_if_it_needs_one() -> None:
    assert [to_json(x).get("v") for x in (NOTED, LOST, CAREFUL)] == [NEW, NEW, NEW]
    assert "v" not in to_json(NOTED.derive(note=None))
    assert "v" not in to_json(CAREFUL.derive(reason=SkipReason.OVERLAP))


@pytest.mark.parametrize("record", [NOTED, LOST, CAREFUL])
def test_who_knows_the_level_reads_all_of_it(record: Entry) -> None:
    [read], refused = decode_entries(encode(record), NEW)

    assert (read, needed_level(read), refused) == (record, NEW, [])


@pytest.mark.parametrize("record", [NOTED, LOST, CAREFUL])
def test_who_does_not_know_the_level_reads_nothing_of_it(record: Entry) -> None:
    entries, [reason] = decode_entries(encode(record), OLD)

    assert entries == []
    assert "of level 99, which was not announced here" in reason


@pytest.mark.parametrize("known", [OLD, NEW])
def test_an_entry_that_lies_about_its_level_is_read_alike_by_old_and_new(known: int) -> None:
    noted, lost, careful = (_message(x, v=1) for x in (NOTED, LOST, CAREFUL))

    [read], _ = decode_entries(noted, known)
    assert (read.note, read.unknown) == (None, {"note": NOTED.note})  # type: ignore[union-attr]
    assert decode_entries(lost, known)[0] == decode_entries(careful, known)[0] == []


@pytest.mark.parametrize("v", [0, -1, 1.5, "2", None, []])
def test_a_level_that_is_none_is_refused(v: Any) -> None:
    entries, [reason] = decode_entries(_message(beat("w1", 1), v=v), NEW)

    assert entries == []
    assert "of level" in reason


def test_a_level_below_that_of_its_kind_is_refused() -> None:
    entries, [reason] = decode_entries(_message(LOST, v=2), NEW)

    assert entries == []
    assert reason == "Lost of level 2"


def test_no_record_within_an_entry_has_fields_of_a_level() -> None:
    nested = {kind for kind in FIELDS if kind not in ENTRIES}

    assert {kind.__name__ for kind in nested} <= {"Job"}


# -- fields that nobody here knows -----------------------------------------------------------------


def _from_later(run: Run) -> Run:
    read: Run = from_json({**to_json(run), "owner": {"team": "a"}}, {"Run": Run})
    return read


def test_fields_that_are_not_known_are_in_rows_later_attempts_and_discards() -> None:
    run = _from_later(a_run(max_attempts=2, attempts_left=2, revision=None, cause="run-now"))
    ledger = Ledger(retry=False)
    ledger.fold(0, NOON, [run])
    [kept] = from_row(orjson.loads(orjson.dumps(to_row(ledger, 0)))).book.live.values()
    ended = with_attempt(
        kept.run, Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=NOON, worker="w1")
    )
    later = next_attempt(ended, at(1), at(1))
    gone = Discarded(run=later, reason="failed", discarded_at=at(2))

    assert to_json(later)["owner"] == to_json(gone)["run"]["owner"] == {"team": "a"}
    assert [name for name in to_json(a_run()) if name in ("owner", "v")] == []


# -- the fold --------------------------------------------------------------------------------------


def test_what_was_not_announced_is_refused_by_old_and_new_alike() -> None:
    log = [encode(beat("w1", 1)), encode(LOST), _message(beat("w1", 2), v=NEW)]
    old, new = _fold(OLD, *log), _fold(NEW, *log)

    assert to_row(old, 0) == to_row(new, 0)
    assert new.book.refused["level"] == 2
    assert new.book.aside == ["Heartbeat of level 99, which was not announced here (level 1 was)"]
    assert old.book.beats["w1"].number == 1


def test_what_was_announced_counts() -> None:
    ledger = _fold(NEW, encode_entries([NEWS, beat("w1", 1)]), _message(beat("w1", 2), v=NEW))

    assert (ledger.book.level, ledger.book.beats["w1"].number, ledger.book.aside) == (NEW, 2, [])


def test_a_level_that_is_announced_again_or_lower_changes_nothing() -> None:
    ledger = _fold(NEW, encode(NEWS), encode(Level(level=1)), encode(NEWS))

    assert ledger.book.level == NEW


def test_who_does_not_know_what_is_announced_folds_nothing_of_that_message() -> None:
    ledger = _fold(OLD, encode(beat("w1", 1)))
    with pytest.raises(LevelError, match=r"level 99 by cronstream 9\.9.*only level 98: upgrade"):
        ledger.fold(1, at(1), [beat("w1", 2), NEWS])

    assert (ledger.book.next_offset, ledger.book.beats["w1"].number, ledger.book.now) == (
        1,
        1,
        NOON,
    )
    with pytest.raises(LevelError, match="upgrade it"):
        ledger.fold(2, at(2), [beat("w1", 3)])
    assert ledger.book.next_offset == 1


def test_a_log_whose_beginning_is_gone_is_of_the_level_that_its_installation_has() -> None:
    cut, whole = Ledger(retry=False, known=NEW), Ledger(retry=False, known=NEW)
    cut.book.assumed = whole.book.assumed = NEW
    cut.fold(7, NOON, [])
    whole.fold(0, NOON, [])

    assert (cut.book.level, whole.book.level) == (NEW, 1)


def test_a_level_is_kept_in_a_row_and_a_row_of_level_1_is_as_it_was() -> None:
    raised = _fold(NEW, encode(NEWS))

    assert from_row(to_row(raised, 0), NEW).book.level == NEW
    assert to_row(Ledger(retry=False), 0)["format"] == FORMAT == 2


def test_a_row_of_a_level_that_is_not_known_is_not_read() -> None:
    row = to_row(_fold(NEW, encode(NEWS)), 0)
    with pytest.raises(LevelError, match="only level 98: upgrade it"):
        from_row(row, OLD)


# -- who writes ------------------------------------------------------------------------------------


def test_a_writer_leaves_out_what_its_log_is_not_ready_for() -> None:
    assert lowered(NOTED, OLD) == NOTED.derive(note=None)
    assert lowered(NOTED, NEW) is NOTED
    assert lowered(CAREFUL, OLD) is CAREFUL


@pytest.mark.parametrize("announced", [False, True])
def test_a_member_writes_what_its_log_was_raised_to(announced: bool) -> None:
    worker = owner(a_run())
    worker.member.ledgers[0].book.known = NEW
    if announced:
        worker.log(NEWS)
    worker.settle()
    [key] = worker.member.holding
    report_started(worker, key)
    run, _, claim = key.rpartition("#")
    ended = finished(a_run(), int(claim)).derive(run=run, note="x")
    worker.member.finished(key, ended)

    [append] = [x for x in worker.member.actions if isinstance(x, Append)]
    assert append.entry == (ended if announced else ended.derive(note=None))


def test_a_member_does_not_hear_a_heartbeat_that_was_put_aside() -> None:
    worker = owner(a_run())
    [forged], _ = decode_entries(_message(beat("w2", 5), v=NEW), NEW)
    worker.log(forged)

    assert "w2" not in worker.member.owners[0].heard
    assert isinstance(forged, Heartbeat)


# -- the topic of jobs -----------------------------------------------------------------------------


def test_a_level_between_jobs_is_passed_over_by_who_knows_it() -> None:
    assert decode_jobs(encode(NEWS), NEW) == ([], [])
    with pytest.raises(LevelError, match="upgrade it"):
        decode_jobs(encode(NEWS), OLD)


@pytest.mark.parametrize(("raw", "level"), [
    (None, 1),
    (b"{", 1),
    (encode(beat("w1", 1)), 1),
    (encode(NEWS), NEW),
    (encode_entries([Level(level=3), beat("w", 1), NEWS]), NEW),
    (b'"cronstream.Level"', 1),
    (b"[]" + b" " * 5, 1),
    (_message(NEWS, level="x"), 1),
])  # fmt: skip
def test_the_level_of_the_installation_is_the_highest_on_its_jobs(
    raw: bytes | None, level: int
) -> None:
    assert decode_level(raw, NEW) == level


@pytest.mark.parametrize("raw", [b'["cronstream.Level"', b'[] "cronstream.Level"'])
def test_what_only_looks_like_a_level_is_none(raw: bytes) -> None:
    assert decode_level(raw) == 1


def test_a_level_above_what_is_known_ends_who_is_about_to_join() -> None:
    with pytest.raises(LevelError, match="upgrade it"):
        decode_level(encode(NEWS), OLD)


def test_there_is_no_level_below_1() -> None:
    with pytest.raises(MessageError, match="where 1 is the lowest"):
        Level(level=0)
