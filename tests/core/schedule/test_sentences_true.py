"""Every kind of schedule has a sentence that is true: its words alone give its due times."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from cronstream.core.schedule import sentence as maker
from cronstream.core.schedule.changes import clock_changes
from cronstream.core.schedule.clock import Dst
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.schedule.sentence import sentence
from cronstream.errors import ScheduleError
from tests.core.schedule.sentence_reader import is_due, jitter_of

_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_LOOKED_AT = timedelta(minutes=100)
#: Within a minute, these seconds have all that the schedules here may name.
_SECONDS = (0, 20, 30, 40)
#: Changes by an hour, at midnight, by half an hour, of a day before; and clocks that never change.
_ZONES = (
    *("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca"),
    *("Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham"),
)


@st.composite
def a_field(draw: st.DrawFn, low: int, high: int) -> str:
    number = st.integers(low, high)
    first, last = sorted((draw(number), draw(number)))
    step = draw(st.integers(1, 7))
    shapes = ["*", f"*/{step}", f"{first}", f"{first},{last}", f"{first}-{last}"]
    return draw(st.sampled_from([*shapes, f"{first}-{last}/{step}"]))


_OF_MONTH = st.sampled_from(
    ["*", "L", "L-3", "15W", "LW", "L-2W", "W", "1,L", "7,15W", "L-1,3-9/2"]
)
_OF_WEEK = st.sampled_from(["*", "fri#2", "5L", "sun#1,wed", "tue#3,1L", "mon-fri", "sat,sun", "7"])


@st.composite
def an_expression(draw: st.DrawFn) -> str:
    fields = [draw(a_field(0, 59)), draw(a_field(0, 23))]
    fields += [
        draw(_OF_MONTH | a_field(1, 28)),
        draw(a_field(1, 12)),
        draw(_OF_WEEK | a_field(0, 6)),
    ]
    return draw(st.sampled_from(["", "", "0 ", "*/20 "])) + " ".join(fields)


_OTHERS = st.sampled_from(
    [
        *("@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@every 1h", "@every 90m"),
        *("@every 90s from 00:15", "@every 36h from 2026-01-05T09:00", "@every 1d from 09:00:30"),
        *("@every 2w from 2026-01-05T09:00", "@every 3d from 2025-12-30", "@at 2026-01-24T18:00"),
        *("@at 2026-02-24T18:00:30", "@every 1m", "@every 2d", "@every 45m from 2026-01-02T00:10"),
    ]
)
_EXCLUDED = st.lists(
    st.sampled_from(
        [
            *("2026-01-05", "2026-01-07..2026-01-11", "2026-01-12T06:30..2026-01-14T18:00"),
            *("* * * * sat,sun", "* 0-11 * * *", "*/2 * 1-15 * *", "* * L * *"),
        ]
    ),
    min_size=1,
    unique=True,
    max_size=3,
)


_RULES = (
    _EXCLUDED.map(lambda texts: f"exclude {' | '.join(texts)}"),
    st.sampled_from(["start 2026-01-03", "start 2026-01-03T06:30"]),
    st.sampled_from(["end 2026-02-20", "end 2026-11-20T06:30"]),
    st.sampled_from(["dst once", "dst skip", "dst twice"]),
    st.sampled_from(["jitter 40s of backup", "jitter 7m of backup", "jitter 1h30m of backup"]),
)


@st.composite
def a_schedule(draw: st.DrawFn) -> str:
    members = draw(st.lists(an_expression() | _OTHERS, min_size=1, max_size=2))
    chosen = sorted(draw(st.sets(st.integers(0, len(_RULES) - 1), max_size=3)))
    return "; ".join([" | ".join(members), *(draw(_RULES[number]) for number in chosen)])


@st.composite
def a_place(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a moment of 2026: often shortly before its clocks change."""
    zone = draw(st.sampled_from(_ZONES))
    changes = list(islice(clock_changes(find_zone(zone), _FROM), 2))
    is_near = draw(st.booleans())
    if changes and is_near:
        return zone, draw(st.sampled_from(changes)).at - timedelta(minutes=draw(st.integers(1, 99)))
    return zone, _FROM + timedelta(
        days=draw(st.integers(0, 60)), minutes=draw(st.integers(0, 1439))
    )


def disagreement(words: str, schedule: str, zone: str, start: datetime) -> str:
    """Return in what a sentence does not say when a schedule is due; empty if it is true.

    It is looked at each moment for a while, and at the next due times of some months.
    """
    compiled, jitter = compile_schedule(schedule, zone), jitter_of(words)
    end = start + _LOOKED_AT
    moments = [
        start + timedelta(minutes=minute, seconds=second)
        for minute in range(int(_LOOKED_AT / timedelta(minutes=1)))
        for second in _SECONDS
    ]
    said = {moment: is_due(words, moment) for moment in moments}
    dues = list(compiled.between(start - _TICK, end - _TICK))
    far = list(islice(compiled.between(start, start + timedelta(days=90)), 20))
    if not jitter:
        wrong = [due for due in far if is_due(words, due) is False]
        wrong += [at for at, is_said in said.items() if is_said not in (None, at in dues)]
        return f"{words} {wrong[:3]}" if wrong else ""
    if None in said.values():
        return ""  # What is moved from there, nobody can say.
    return _moved_wrongly(words, [at for at in moments if said[at]], dues, end)


def _moved_wrongly(words: str, said: list[datetime], dues: list[datetime], end: datetime) -> str:
    """Return what is wrong where each due time is moved, but never as far as the next one."""
    jitter = jitter_of(words)
    since = min(said, default=end)
    if early := [due for due in dues if end - _LOOKED_AT + jitter <= due < since]:
        return f"{words} nothing is due from which {early} were moved"
    for first, following in pairwise([*said, end]):
        moved = [due for due in dues if first <= due < following]
        may_be_later = following == end and first + jitter > end
        if len(moved) != 1 and not (may_be_later and not moved):
            return f"{words} {first} is due at {moved}"
        if any(due - first >= jitter for due in moved):
            return f"{words} {first} is moved to {moved}"
    return ""


def is_valid(schedule: str, zone: str) -> bool:
    try:
        compile_schedule(schedule, zone)
    except ScheduleError:
        return False  # It can never be due.
    return True


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(a_schedule(), a_place())
def test_what_is_due_is_what_the_sentence_says(schedule: str, place: tuple[str, datetime]) -> None:
    zone, start = place
    if is_valid(schedule, zone):
        assert not disagreement(sentence(schedule, zone), schedule, zone, start)


# -- its teeth: a sentence that is wrong is found ------------------------------------------------

_SPRING = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
_ONCE, _SKIP, _TWICE = maker._DST[Dst.ONCE], maker._DST[Dst.SKIP], maker._DST[Dst.TWICE]
_AUTUMN = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
_BOUND = "*/15 * * * *; exclude 2026-03-30 | * 6 * * *; start 2026-01-03; end 2026-11-20"
_MOVED = "*/15 * * * *; jitter 7m of backup"


@pytest.mark.parametrize(
    ("schedule", "start", "right", "wrong"),
    [
        ("*/15 * * * *", _SPRING, "15 minutes", "20 minutes"),
        (
            "0 9 * * mon-fri",
            _SPRING + timedelta(days=6, hours=6),
            "Monday to Friday",
            "Monday to Saturday",
        ),
        ("0 9 * * mon", _SPRING, "Monday", "Tuesday"),
        ("0 9 1 4-6 *", _SPRING, "in April", "in May"),
        ("0 9 * * mon#1", _SPRING, "first", "second"),
        ("0 9 L-3 * *", _SPRING, "3 days", "2 days"),
        ("0 9 * * *", _SPRING, "Europe/Berlin", "Europe/London"),
        ("0 9 * * *", _SPRING, "09:00", "09:01"),
        ("@every 2h", _SPRING, "2 hours", "3 hours"),
        ("@every 2h from 00:15", _SPRING, "00:15:00", "01:15:00"),
        ("@every 2d from 2026-01-05T09:00", _SPRING, "2026-01-05", "2026-01-06"),
        (_BOUND, datetime(2026, 3, 30, 5, tzinfo=UTC), "2026-03-30", "2026-04-30"),
        (_BOUND, datetime(2026, 4, 1, 3, tzinfo=UTC), "hour 6", "hour 7"),
        (_BOUND, datetime(2026, 1, 2, 22, 30, tzinfo=UTC), "2026-01-03", "2026-01-02"),
        (
            _BOUND,
            datetime(2026, 11, 20, 22, 30, tzinfo=UTC),
            "end of 2026-11-20",
            "end of 2026-11-21",
        ),
        ("30 2 * * *; dst once", _SPRING, _ONCE, _SKIP),
        ("30 2 * * *; dst skip", _SPRING, _SKIP, _ONCE),
        ("30 2 * * *; dst twice", _SPRING, _TWICE, _ONCE),
        ("30 2 * * *; dst once", _AUTUMN, _ONCE, _TWICE),
        ("*/9 2 * * *; dst skip", _AUTUMN, _SKIP, _TWICE),
        ("*/9 2 * * *; dst twice", _AUTUMN, _TWICE, _SKIP),
        (_MOVED, _SPRING, "7 minutes", "3 minutes"),
        (_MOVED, _SPRING, "15 minutes", "30 minutes"),
        (_MOVED, _SPRING, "15 minutes", "5 minutes"),
        ("30 2 * * *; dst once; jitter 7m of backup", _SPRING, _ONCE, _SKIP),
        ("30 2 * * *; dst skip; jitter 7m of backup", _SPRING, _SKIP, _ONCE),
    ],
)
def test_a_sentence_with_a_wrong_word_is_found(
    schedule: str, start: datetime, right: str, wrong: str
) -> None:
    words = sentence(schedule, "Europe/Berlin")
    assert right in words
    assert not disagreement(words, schedule, "Europe/Berlin", start)
    assert disagreement(words.replace(right, wrong), schedule, "Europe/Berlin", start)


#: Where clocks change, they mostly touch one of these.
_BY_NIGHT = st.sampled_from(["*/20 * * * *", "30 * * * *", "10 0-3 * * *", "15 2 * * *"])


def _of_the_day_after(names: Sequence[str]) -> tuple[str, ...]:
    return (*names[1:], names[0])


@pytest.mark.parametrize(
    ("table", "planted"),
    [
        ("_WEEK", _of_the_day_after(maker._WEEK)),
        ("_MONTHS", _of_the_day_after(maker._MONTHS)),
        ("_UNITS", ((86_400, "day"), (3600, "minute"), (60, "hour"), (1, "second"))),
        ("_DST", dict(zip(Dst, _of_the_day_after([*maker._DST.values()]), strict=True))),
    ],
)
def test_what_makes_wrong_sentences_is_found_among_those_that_are_drawn(
    monkeypatch: pytest.MonkeyPatch, table: str, planted: Any
) -> None:
    @seed(7)
    @settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate])
    @given(a_schedule(), a_place(), _BY_NIGHT, st.sampled_from(list(Dst)))
    def search(schedule: str, place: tuple[str, datetime], other: str, dst: Dst) -> None:
        zone, start = place
        schedule = f"{other}; dst {dst}" if table == "_DST" else schedule
        if is_valid(schedule, zone):
            assert not disagreement(sentence(schedule, zone), schedule, zone, start)

    monkeypatch.setattr(maker, table, planted)
    with pytest.raises(AssertionError):
        search()
