"""Jobs that are written plainly are read without a parser."""

import pytest

from cronstream.core.crontab.plain_lines import NotPlainError, lines_of, values_of


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
