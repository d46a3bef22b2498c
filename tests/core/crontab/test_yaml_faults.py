"""What is told of a text that is no YAML: the mistake in the writer's own words."""

import random

import pytest

from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_tree import parse_yaml

BEFORE = "version: 1\nclusters: {a: }\njobs:\n  - name: x\n    cluster: a\n"
BEHIND = '    max_attempts: 2\n  - name: y\n    cluster: a\n    schedule: "@daily"\n'


@pytest.fixture(params=[False, True], ids=["libyaml if there", "pure"])
def pure(request: pytest.FixtureRequest) -> bool:
    """Both parsers; where libyaml is not installed, they are the same."""
    return bool(request.param)


def fault(text: str, *, pure: bool) -> str:
    problems = Problems()
    parse_yaml(text, problems, pure=pure)
    [problem] = problems.in_order()
    return str(problem)


def in_a_block(*lines: str) -> str:
    return BEFORE + "".join(f"    {line}\n" for line in lines) + BEHIND


def in_braces(pair: str) -> str:
    job = f"  - {{name: x, cluster: a, {pair}, max_attempts: 2}}\n"
    return f"version: 1\nclusters: {{a: }}\njobs:\n{job}  - {{name: y}}\n"


@pytest.mark.parametrize(
    ("pair", "remedy"),
    [
        ("end: 2026-12-31T06:00", "put the value of 'end' in quotes: \"2026-12-31T06:00\""),
        ("exclude: [2026-12-24T18:00..2026-12-26, x]", 'in quotes: "2026-12-24T18:00..2026-12-26"'),
    ],
)
def test_a_time_within_brackets_needs_quotes_where_libyaml_reads_it(pair: str, remedy: str) -> None:
    problems = Problems()
    parse_yaml(in_braces(pair), problems)
    told = [str(problem) for problem in problems.in_order()]
    assert not told or (len(told) == 1 and "a colon stands in this value" in told[0])
    assert not told or remedy in told[0]


@pytest.mark.parametrize(
    ("pair", "what", "remedy"),
    [
        ("schedule: * * * * *", "'*' begins an alias", 'the schedule in quotes: "* * * * *"'),
        ("schedule: */5 * * * *", "'*' begins an alias", 'schedule in quotes: "*/5 * * * *"'),
        ("schedule: *", "'*' begins an alias", 'put the schedule in quotes: "*"'),
        ("schedule: *5 4 * * *", "'*' begins an alias", 'schedule in quotes: "*5 4 * * *"'),
        ("schedule: @daily", "'@' cannot begin a value", 'the schedule in quotes: "@daily"'),
        ("command: %d x", "'%' cannot begin a value", 'the command in quotes: "%d x"'),
        ("command: `date`", "'`' cannot begin a value", 'the command in quotes: "`date`"'),
        ("command: && foo", "'&' begins an anchor", 'the command in quotes: "&& foo"'),
        ("command: ! grep x", "'!' begins a tag", 'the command in quotes: "! grep x"'),
        ("command: !(a|b)", "'!' begins a tag", 'put the command in quotes: "!(a|b)"'),
        ("command: - foo", "'-' begins a list", 'put the command in quotes: "- foo"'),
        ("command: ? foo", "'?' begins a key", 'put the command in quotes: "? foo"'),
        ("command: [ -f x ] && y", "'[' begins a list", 'in quotes: "[ -f x ] && y"'),
        ("command: {a; b} && y", "'{' begins a mapping", 'in quotes: "{a; b} && y"'),
        ("command: ]", "']' cannot begin a value", "put the command in quotes"),
        ("command: echo a: b", "': ' begins another value", 'in quotes: "echo a: b"'),
        ('command: curl "H": b', "': ' begins another value", "in quotes: 'curl \"H\": b'"),
        ("A: b: c", "': ' begins another value", "put the value of 'A' in quotes: \"b: c\""),
        ('command: "H": b', "behind the closing quote", "quotes as a whole: '\"H\": b'"),
        ('command: "foo" bar', "behind the closing quote", "as a whole: '\"foo\" bar'"),
        ('command: "foo"; a "b"', "behind the closing quote", "whole: '\"foo\"; a \"b\"'"),
        ('command: "a "H: b" x"', "behind the closing quote", "as a whole: 'a \"H: b\" x'"),
        ("command: 'it's'", "behind the closing quote", 'as a whole: "it\'s"'),
        ('command: "a\\d"', "\\d stands for nothing in YAML's double quotes", "single quotes"),
    ],
)  # fmt: skip
def test_a_value_that_needs_quotes_is_shown_with_them(
    pair: str, what: str, remedy: str, pure: bool
) -> None:
    for text, line in ((in_a_block(pair), 6), (in_braces(pair), 4)):
        found = fault(text, pure=pure)
        assert found.startswith(f"line {line}, column ")
        assert what in found
        assert found.endswith(remedy)


@pytest.mark.parametrize("pair", ["command: | foo", "command: > /dev/null echo"])
def test_a_block_of_lines_begins_on_the_next_line(pair: str, pure: bool) -> None:
    sign = pair[9]
    assert fault(in_a_block(f"{pair}  # said"), pure=pure) == (
        f"line 6, column 14: {sign!r} begins a block of lines in YAML; "
        f'put the command in quotes: "{pair[9:]}"'
    )


def test_a_long_value_is_not_told_once_more(pure: bool) -> None:
    assert fault(in_a_block("command: @" + "x" * 99), pure=pure).endswith("the command in quotes")


def test_an_item_of_a_list_is_told_too(pure: bool) -> None:
    assert fault("a:\n  - @b\n", pure=pure) == (
        "line 2, column 5: '@' cannot begin a value in YAML; put it in quotes: \"@b\""
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['a: "b', 'c: "d"'], "line 6, column 8: the quote that begins here ends only in line 7;"),
        (["a: 'b"], "line 6, column 8: the quote that begins here is never closed; close it"),
        (['a: "b'], "line 6, column 8: the quote that begins here ends only in line 10; close it"),
        (['a:"b"', "c: d"], "line 6, column 6: a space is missing behind 'a:'; add it"),
        (["a b", "c: d"], "line 6, column 5: this line has no colon; write 'key: value'"),
        (["a: b", " c: d"], "line 7, column 6: 'c' is indented deeper than 'a' above it; begin"),
        ([" a: b"], "'a' is indented deeper than 'cluster' above it; begin both in column 5"),
        (["a:", "  b", " c: d"], "line 8, column 6: no value can begin here: line 7 has no colon"),
        (["a: |", "   b", "  c"], "line 8, column 7: this line is indented like none above it"),
        (["a: {b: c", "d: e"], "line 6, column 8: the '{' that stands here is not closed; close"),
        (["a: [b, c", "d: e"], "the '[' that stands here is not closed; close it with ']'"),
        (["a: {b: c}}"], "line 6, column 14: this '}' closes nothing; remove it, or put the text"),
        (["a: {b: [c, d] [e]}"], "'[' begins a list in YAML, and text goes on behind its end;"),
        (["a: [[c] [d]]"], "line 6, column 13: ',' or ']' is missing before this; add it"),
        (["a: {b: c,", "  d: #e", "  - f}"], "line 8, column 7: a value is missing before this;"),
        (["a:\u00a0b", "c: d"], "line 6, column 7: character U+00A0 only looks like a space"),
        (["a\u00a0:", "  b", " c: d"], "line 8, column 6: no value can begin here"),
    ],
)  # fmt: skip
def test_what_is_missing_or_too_much_is_named(lines: list[str], expected: str, pure: bool) -> None:
    assert expected in fault(in_a_block(*lines), pure=pure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", "line 2, column 1: a merge"),
        ("{% if x %}\na: 1\n{% endif %}\n", "line 1, column 1: this is a line of a template;"),
        ("a: 1\n{{ rest }}\nb: 2\n", "line 2, column 1: this is a line of a template; render"),
        ("jobs:\n  - a\n  b: c\n", "line 3, column 3: the list of line 2 goes on with '-' below"),
        ("a: [1,\n", "line 2, column 1: the text ends within a list or mapping; close it with"),
        ("%YAML 2.0\n---\na: b", "line 1, column 1: not valid YAML: "),
        ("a: }b: c\n", "line 1, column 4: '}' cannot begin a value in YAML; put the value of 'a'"),
        ("? - a\n  ? b", "line "),
        ("]", "line 1, column 1: this ']' closes nothing; remove it, or put the text in quotes"),
        ("a: 'b'\n c: d\n", "line 2, column "),
        ("a: |\n  b\n }\n", "line 3, column 2: "),
        ('a:\n  - |\n   b\n   "c\n d\n', "line "),
    ],
)  # fmt: skip
def test_a_text_that_is_no_crontab_yet_is_told_so(text: str, expected: str, pure: bool) -> None:
    assert expected in fault(text, pure=pure)


def test_another_kind_of_line_break_does_not_confuse_the_places(pure: bool) -> None:
    assert fault("a: 'x\u2028\u2028\u2028y'\nb: @c\n", pure=pure).startswith("line ")
    assert fault("a: x\u2028b: *c d\n", pure=pure).startswith("line ")


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_wrong_has_a_sentence_and_never_an_error(seed: int, pure: bool) -> None:
    dice = random.Random(seed)
    text = in_a_block('schedule: "* * * * *"', "command: [a, 'b']", "env: {A: b}")
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text))
        mark = dice.choice(":-[]{}&*!|>'\"%@`#,? \n\t\\ab\u2028\xa0")
        text = text[:at] + mark + text[at + dice.randint(0, 1) :]
    problems = Problems()
    parse_yaml(text, problems, pure=pure)
    for problem in problems.in_order():
        assert str(problem).startswith("line ")


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (" version: 1\n", "line 1, column 2: this line is indented, and line 2 is not; line them"),
        ("# x\n\n  a: 1\n", "line 3, column 3: this line is indented, and line 4 is not; line"),
        ("[a]\n", "line 2, column 1: this does not belong to what line 1 says; take one of them"),
    ],
)
def test_what_stands_before_all_else_is_told_where_it_is(
    first: str, problem: str, *, pure: bool
) -> None:
    assert fault(first + "clusters: [a]\njobs: []\n", pure=pure).startswith(problem)
