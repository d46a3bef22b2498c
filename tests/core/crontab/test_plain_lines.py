"""Jobs that are written plainly are read without a parser."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.crontab.plain_lines import (
    ONE_LINE_TEXT,
    NotPlainError,
    lines_of,
    value_of,
    values_of,
)

WORDS = st.sampled_from(["null", "True", "trues", "0", "5 4", "1e3 ", "echo", "'", '"', "\\", "é"])
CHARACTERS = st.sampled_from("aZ/059 #:!'\"{}[]-~&*.\t\x85\u2028\u200b\ufeffü\n")


def test_what_stands_in_braces_is_read_as_the_lines_below_its_key_that_it_means() -> None:
    lines = lines_of("  - name: one\n    env: {A: b,  C_2: d/e.f }\n", 2)
    assert lines == ["name: one", "env:", "  A: b", "  C_2: d/e.f"]
    assert values_of(lines) == {"name": "one", "env": {"A": "b", "C_2": "d/e.f"}}


@pytest.mark.parametrize(
    "braces", ["{A: 'b'}", "{A: b", "{A: [b]}", "{A: {b: c}}", "{A: b,}", "{A: b c}", "{}", "{A}"]
)
def test_what_else_stands_in_braces_is_left_to_the_parser(braces: str) -> None:
    with pytest.raises(NotPlainError):
        values_of(lines_of(f"  - name: one\n    env: {braces}\n", 2))


def test_a_key_that_is_there_twice_is_left_to_the_parser() -> None:
    with pytest.raises(NotPlainError):
        values_of(["command: one", "command: two"])


@given(st.lists(WORDS | CHARACTERS, max_size=6).map("".join) | st.from_regex(ONE_LINE_TEXT))
def test_what_is_known_for_text_by_its_look_is_that_text(said: str) -> None:
    found = re.compile(rf"({ONE_LINE_TEXT})(?=\n|\Z)").match(said)
    if found is not None:
        text = found[1]
        assert value_of(text) == (text[1:-1] if text[0] in "'\"" else text)
