"""All processes make the same ids of a run, and no others do."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cronstream.tracing.ids import TraceIds, traceparent

RUN = "backup@2026-01-01T12:00:00Z"
HERE = TraceIds("kafka-1", "cronstream")


def test_whoever_makes_the_ids_of_a_run_makes_the_same() -> None:
    assert HERE.trace(RUN) == TraceIds("kafka-1", "cronstream").trace(RUN)
    assert HERE.trace(RUN) == 0x352733B4C7DED81D73B2DEEFD2C8BE97


def test_another_run_kafka_or_installation_has_others() -> None:
    others = [
        HERE.trace("backup@2026-01-02T12:00:00Z"),
        TraceIds("kafka-2", "cronstream").trace(RUN),
        TraceIds("kafka-1", "nightly").trace(RUN),
    ]

    assert len({HERE.trace(RUN), *others}) == 4


def test_each_step_of_a_run_has_an_id_of_its_own() -> None:
    steps = [(), ("publish",), ("wait", "1"), ("attempt", "1"), ("attempt", "2")]

    assert len({HERE.span(RUN, *step) for step in steps}) == len(steps)


@given(st.text(min_size=1))
def test_a_traceparent_has_the_form_of_the_standard(run: str) -> None:
    text = traceparent(HERE.trace(run), HERE.span(run), is_sampled=True)

    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", text)
    assert "-" + "0" * 16 + "-" not in text
    assert traceparent(1, 2, is_sampled=False).endswith("-0000000000000002-00")
