"""Every kind of schedule has a sentence that is true: its words alone give its due times."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.schedule.sentence import sentence
from cronstream.errors import ScheduleError
from tests.core.schedule.sentence_reader import is_due

_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


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
    unique=True,
    max_size=3,
)


@st.composite
def a_schedule(draw: st.DrawFn) -> str:
    parts = [" | ".join(draw(st.lists(an_expression() | _OTHERS, min_size=1, max_size=2)))]
    if excluded := draw(_EXCLUDED):
        parts.append(f"exclude {' | '.join(excluded)}")
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["start 2026-01-03", "start 2026-01-03T06:30"])))
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["end 2026-02-20", "end 2026-02-20T06:30"])))
    return "; ".join(parts)


@settings(max_examples=40, deadline=None)
@given(a_schedule(), st.integers(0, 60), st.integers(0, 1439))
def test_what_is_due_is_what_the_sentence_says(schedule: str, days: int, minutes: int) -> None:
    try:
        compiled = compile_schedule(schedule, "UTC")
    except ScheduleError:
        return  # It can never be due.
    words = sentence(schedule, "UTC")
    start = _FROM + timedelta(days=days, minutes=minutes)
    for due in islice(compiled.between(start, start + timedelta(days=90)), 20):
        assert is_due(words, due.replace(tzinfo=None)), (words, due)
    dues = set(compiled.between(start - _TICK, start + timedelta(minutes=40)))
    for minute in range(40):
        moment = start + timedelta(minutes=minute, seconds=30 * (minute % 2))
        assert is_due(words, moment.replace(tzinfo=None)) == (moment in dues), (words, moment)
