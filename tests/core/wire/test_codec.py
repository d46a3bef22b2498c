"""Messages to bytes and back; what is hostile is refused with a reason, and never crashes."""

import contextlib
from datetime import UTC, datetime
from typing import Any, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.wire.codec import (
    decode,
    decode_entries,
    encode,
    encode_entries,
    from_json,
    to_json,
)
from cronstream.core.wire.entries import ENTRIES, Heartbeat, Lost, Skip, Started, Withdrawal
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.messages import Tick
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Attempt, Backoff, Discarded, Job, RetryOn, Run
from cronstream.core.wire.values import MAX_INT
from cronstream.errors import MessageError
from tests.builders import NOON, a_run, at

KINDS: dict[str, type[Record]] = {kind.__name__: kind for kind in (*ENTRIES, Job, Discarded, Tick)}

# -- values of every kind --------------------------------------------------------------------------

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_NAMES = st.text(st.characters(codec="ascii", exclude_characters="=\0"), min_size=1, max_size=6)
_INTS = st.integers(-MAX_INT, MAX_INT)
_FLOATS = st.floats(0, 2**40)
_TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
_COMMANDS = st.one_of(_TEXT, st.lists(_TEXT, max_size=3))
_BACKOFFS = st.builds(
    Backoff,
    first_s=st.floats(0, 10),
    factor=st.floats(1, 9),
    ceiling_s=st.floats(10, 2**40),
    jitter=st.floats(0, 1),
)
_RETRY_ON = st.builds(
    RetryOn, statuses=st.none() | st.lists(_INTS, max_size=3), timeouts=st.booleans()
)
_ATTEMPTS = st.builds(
    Attempt,
    attempt=_INTS,
    outcome=st.sampled_from(Outcome),
    ended_at=_TIMES,
    worker=st.none() | _TEXT,
    exit_status=st.none() | _INTS,
    note=st.none() | _TEXT,
)
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "command": _COMMANDS,
    "backoff": _BACKOFFS,
    "retry_on": _RETRY_ON,
    "env": st.none() | st.dictionaries(_NAMES, _TEXT, max_size=3),
    "level": st.integers(1, MAX_INT),
    "attempts": st.none() | st.lists(_ATTEMPTS, max_size=2),
    "delivery": st.sampled_from(Delivery),
    "overlap": st.sampled_from(Overlap),
    "outcome": st.sampled_from(Outcome),
    "verdict": st.sampled_from(Verdict),
}
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: _INTS,
    float: _FLOATS,
    bool: st.booleans(),
    datetime: _TIMES,
    SkipReason: st.sampled_from(SkipReason),
    str | None: st.none() | _TEXT,
    int | None: st.none() | _INTS,
    float | None: st.none() | _FLOATS,
    datetime | None: st.none() | _TIMES,
}


@st.composite
def runs(draw: st.DrawFn) -> Run:
    most = draw(st.integers(1, 9))
    cause = draw(st.none() | st.sampled_from(Cause))
    given_fields: dict[str, Any] = {
        "max_attempts": most,
        "attempts_left": draw(st.integers(1, most)),
        "attempt": draw(st.integers(1, 20)),
        "cause": cause,
        "revision": draw(st.integers(0, 99)) if cause is None else None,
    }
    return Run(**given_fields, **draw(_fields_of(Run, tuple(given_fields))))


def _fields_of(kind: type[Record], without: tuple[str, ...] = ()) -> Any:
    hints = {n: h for n, h in get_type_hints(kind).items() if n not in without}
    wanted = {
        name: runs() if hint is Run else _BY_NAME.get(name, _BY_TYPE.get(hint))
        for name, hint in hints.items()
        if not name.startswith("_")
    }
    return st.fixed_dictionaries({n: s for n, s in wanted.items() if s is not None})


def _records_of(kind: type[Record]) -> Any:
    return runs() if kind is Run else _fields_of(kind).map(lambda fields: kind(**fields))


_ANY_RECORD = st.sampled_from(sorted(KINDS)).flatmap(lambda name: _records_of(KINDS[name]))
_ANY_ENTRY = st.sampled_from(ENTRIES).flatmap(_records_of)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)

# -- round trips -----------------------------------------------------------------------------------


@given(_ANY_RECORD)
@settings(max_examples=300, deadline=None)
def test_every_record_goes_to_bytes_and_back(record: Any) -> None:
    again = decode(encode(record), type(record))

    assert again == record
    assert to_json(again) == to_json(record)


@given(st.lists(_ANY_ENTRY, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_entries_go_to_one_message_and_back_in_their_order(entries: list[Any]) -> None:
    assert decode_entries(encode_entries(entries)) == (entries, [])


def test_one_entry_alone_has_the_plain_form() -> None:
    beat = Heartbeat(worker="w1", number=1)

    assert encode_entries([beat]) == encode(beat)
    assert orjson.loads(encode(beat)) == {
        "__faust": {"ns": "cronstream.Heartbeat"},
        "worker": "w1",
        "number": 1,
    }


def test_what_has_its_default_is_left_out_and_comes_back() -> None:
    written = to_json(a_run(backoff=Backoff(first_s=1.0)))

    assert "max_attempts" not in written
    assert "grace_s" not in written
    assert written["backoff"] == {"first_s": 1.0}
    assert from_json(written, KINDS).grace_s == 10.0


def test_enums_come_back_as_enums_and_times_as_utc() -> None:
    raw = encode(Skip("a", 1, SkipReason.MISSED, NOON, at(5)))
    skip = decode(raw.replace(b"12:00:00Z", b"14:00:00+02:00"), Skip)

    assert skip.reason is SkipReason.MISSED
    assert (skip.from_at, skip.from_at.tzinfo) == (NOON, UTC)


def test_fields_that_are_unknown_are_passed_over_since_newer_processes_write_more() -> None:
    written = {**to_json(a_run()), "invented_later": [1]}

    assert from_json(written, KINDS) == a_run()


# -- what is refused -------------------------------------------------------------------------------


def _message(record: Any, **changed: Any) -> bytes:
    return orjson.dumps({**to_json(record), **changed})


@pytest.mark.parametrize(("raw", "reason"), [
    (None, "a tombstone"),
    (b"", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"{", "not JSON"),
    (b"NaN", "not JSON"),
    (b"3", "3 where an object belongs"),
    (b"[]", "where an object belongs"),
    (b"{}", "no __faust.ns"),
    (b'{"__faust": 3}', "no __faust.ns"),
    (b'{"__faust": {"ns": ["Run"]}}', "no __faust.ns"),
    (b'{"__faust": {"ns": "cronstream.Job"}}', "does not belong here"),
    (b'{"__faust": {"ns": "cronstream.Run"}}', "Run.job is missing"),
    (b"[" * 5000, "not JSON"),
])  # fmt: skip
def test_what_is_no_message_of_the_kind_is_refused(raw: bytes | None, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        decode(raw, Run)


@pytest.mark.parametrize(("field", "value", "reason"), [
    ("job", 3, "Run.job: 3 is not text"),
    ("job", None, "Run.job: None is not text"),
    ("job", "a\0b", "NUL"),
    ("command", 3, "Run.command"),
    ("command", ["a", 3], "Run.command"),
    ("attempt", 0, "attempt 0"),
    ("attempt", True, "not a whole number"),
    ("attempt", 1.5, "not a whole number"),
    ("attempt", 2**60, "out of range"),
    ("attempts_left", 9, "9 of 1 left"),
    ("max_attempts", "3", "not a whole number"),
    ("scheduled_at", "2026-01-01T12:00:00", "no time zone"),
    ("scheduled_at", "tomorrow", "Run.scheduled_at"),
    ("scheduled_at", 1, "not a time"),
    ("scheduled_at", "0001-01-01T00:00:00+14:00", "Run.scheduled_at"),
    ("grace_s", -1, "out of range"),
    ("grace_s", "1", "not a number"),
    ("grace_s", True, "not a number"),
    ("timeout_s", "soon", "Run.timeout_s"),
    ("delivery", "twice", "Run.delivery"),
    ("cause", "boredom", "Run.cause"),
    ("env", {"A=B": "x"}, "not a name for a variable"),
    ("env", {"": "x"}, "not a name for a variable"),
    ("env", {"A": 3}, "not text"),
    ("env", ["A"], "not an object"),
    ("backoff", 3, "not an object"),
    ("backoff", {"factor": 0.5}, "out of range"),
    ("backoff", {"first_s": 9, "ceiling_s": 3}, "out of range"),
    ("retry_on", {"timeouts": 1}, "neither true nor false"),
    ("retry_on", {"statuses": 1}, "not a list"),
    ("attempts", [{}], "Attempt.attempt is missing"),
    ("revision", None, "either a revision or a cause"),
    ("cause", "replay", "either a revision or a cause"),
])  # fmt: skip
def test_a_value_that_is_not_of_its_type_or_range_is_refused_by_name(
    field: str, value: Any, reason: str
) -> None:
    with pytest.raises(MessageError, match=reason):
        decode(_message(a_run(), **{field: value}), Run)


def test_a_long_value_is_not_repeated_in_full() -> None:
    with pytest.raises(MessageError) as caught:
        decode(_message(a_run(), scheduled_at=["x" * 5000]), Run)

    assert len(str(caught.value)) < 150


def test_one_bad_entry_among_good_ones_costs_only_itself() -> None:
    good = [Heartbeat(worker="w1", number=1), Lost(worker="w1", number=1)]
    raw = orjson.dumps([to_json(good[0]), {"worker": "w1"}, 7, to_json(good[1])])
    entries, refused = decode_entries(raw)

    assert entries == good
    assert len(refused) == 2


@pytest.mark.parametrize("raw", [None, b"{", b"[]", b"7"])
def test_a_message_without_entries_is_one_refusal(raw: bytes | None) -> None:
    entries, refused = decode_entries(raw)

    assert not entries
    assert len(refused) == 1


def test_a_record_of_another_kind_does_not_belong_on_a_log() -> None:
    entries, refused = decode_entries(encode(Tick(shard=0, at=NOON)))

    assert not entries
    assert "does not belong here" in refused[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    decode_entries(raw)
    for kind in KINDS.values():
        with pytest.raises(MessageError):
            decode(raw, kind)


@given(_ANY_JSON)
@settings(max_examples=200, deadline=None)
def test_any_json_is_decoded_or_refused(value: Any) -> None:
    entries, refused = decode_entries(orjson.dumps(value))

    assert refused
    assert not entries


@given(_ANY_RECORD, st.data())
@settings(max_examples=500, deadline=None)
def test_a_message_in_which_something_was_changed_is_decoded_or_refused(
    record: Any, data: Any
) -> None:
    written = to_json(record)
    place = data.draw(st.sampled_from(sorted(written)))
    target = written[place] if isinstance(written[place], dict) and written[place] else written
    name = data.draw(st.sampled_from(sorted(target)))
    if data.draw(st.booleans()):
        del target[name]
    else:
        target[name] = data.draw(_ANY_JSON)
    raw = orjson.dumps(written)
    with contextlib.suppress(MessageError):
        again = decode(raw, type(record))
        assert decode(encode(again), type(record)) == again


def test_what_was_started_or_edited_says_so_with_its_own_name() -> None:
    started = Started(run="a@x", claim=1, worker="w1", started_at=NOON)
    edit = Withdrawal(job="a", revision=3, effective_from=NOON)

    assert [to_json(r)["__faust"]["ns"] for r in (started, edit)] == [
        "cronstream.Started",
        "cronstream.Withdrawal",
    ]


@pytest.mark.parametrize(("deep", "why"), [(21, "more than 20 runs"), (900, "not JSON")])
def test_a_chain_that_no_crontab_can_ask_for_is_refused_before_it_is_read(
    deep: int, why: str
) -> None:
    begin = b'"v":4,"then":[{"on":"settled","run":{'
    raw = b'{"__faust":{"ns":"cronstream.Run"},' + begin * deep + b"}}]" * deep + b"}"
    entries, [refusal] = decode_entries(raw)
    assert not entries
    assert why in refusal
