"""cronsim and croniter name the same due times, but for what docs/crontab.md lists."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.changes import clock_changes
from cronstream.core.schedule.schedule import find_zone
from tests.core.schedule.oracles import (
    EXPRESSIONS,
    croniters,
    cronsims,
    known_of_croniter,
    known_of_cronsim,
    ours,
)

ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 40 * 12), st.sampled_from(EXPRESSIONS))
def test_cronsim_says_the_same_around_changes_of_the_clocks(
    zone: str, months: int, expression: str
) -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=30 * months)
    change = next(clock_changes(find_zone(zone), start), None)
    assume(change is None or not known_of_cronsim(expression, change.before, change.after))
    after = (start if change is None else change.at) - timedelta(hours=5)
    assert ours(expression, zone, after) == cronsims(expression, zone, after)


@st.composite
def a_field(draw: st.DrawFn, low: int, high: int) -> str:
    number = st.integers(low, high)
    first, last = sorted((draw(number), draw(number)))
    step = draw(st.integers(1, 7))
    return draw(
        st.sampled_from(["*", f"*/{step}", f"{first}", f"{first},{last}", f"{first}-{last}/{step}"])
    )


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(
        a_field(0, 59),
        a_field(0, 23),
        a_field(1, 28) | st.sampled_from(["*", "L", "L,15"]),
        a_field(1, 12),
        a_field(0, 7) | st.sampled_from(["*", "fri#2", "5L"]),
    ),
    st.integers(0, 40 * 366),
)
def test_croniter_says_the_same_of_naive_times(fields: tuple[str, ...], days: int) -> None:
    expression = " ".join(fields)
    assume(known_of_croniter(expression) is None)
    after = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=days)
    assert ours(expression, "UTC", after, 3) == croniters(expression, after, 3)
