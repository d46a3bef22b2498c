"""YAML to a tree of placed values, with libyaml and without."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import Mapping, find_place, plain
from cronstream.core.crontab.yaml_scalars import resolve
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.errors import CrontabError, Place


@pytest.fixture(params=[False, True], ids=["libyaml if there", "pure"])
def pure(request: pytest.FixtureRequest) -> bool:
    """Both parsers; where libyaml is not installed, they are the same."""
    return bool(request.param)


def faults(text: str, *, pure: bool) -> list[str]:
    problems = Problems()
    parse_yaml(text, problems, pure=pure)
    return [str(each) for each in problems.in_order()]


def value(text: str, *, pure: bool = True) -> Any:
    problems = Problems()
    root = parse_yaml(text, problems, pure=pure)
    assert not problems
    return None if root is None else plain(root)


def test_every_value_and_key_has_its_line_and_column(pure: bool) -> None:
    root = parse_yaml("a: 1\nb:\n  - x\n  - c: {d: 2}\n", Problems(), pure=pure)
    assert isinstance(root, Mapping)
    assert root.keys["b"] == Place(2, 1)
    assert find_place(root, ("a",)) == Place(1, 4)
    assert find_place(root, ("b", 1, "c", "d")) == Place(4, 12)
    assert find_place(root, ("b", 7)) == find_place(root, ("b",)) == Place(3, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("-7", -7),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("-", "-"),
    ],
)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, expected: object) -> None:
    assert resolve(text) == expected
    assert type(resolve(text)) is type(expected)


def test_a_key_of_the_top_that_is_there_twice_is_told_once_and_both_parts_are_read() -> None:
    problems = Problems()
    text = "a: {b: 1}\na: {b: 2, c: 3}\nd: [1]\nd: [2]\ne: 1\ne: 2\n"
    root = parse_yaml(text, problems)
    assert root is not None
    assert plain(root) == {"a": {"b": 1, "c": 3}, "d": [1, 2], "e": 1}
    assert len(problems.in_order()) == 3


def test_what_is_quoted_or_tagged_as_text_is_text(pure: bool) -> None:
    assert value("['1', \"true\", !!str 5]", pure=pure) == ["1", "true", "5"]
    assert value("a: |\n  7\n", pure=pure) == {"a": "7\n"}
    assert value('a: ! "b"\nc: ! {d: e}\n', pure=pure) == {"a": "b", "c": {"d": "e"}}


def test_an_alias_is_what_its_anchor_stands_on(pure: bool) -> None:
    assert value("a: &x {b: [1]}\nc: *x\nd: [*x]\n", pure=pure) == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": [{"b": [1]}],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: key 'a' appears twice, first on line 1;"),
        ("a: {b: 1, b: 2}", "line 1, column 11: key 'b' appears twice"),
        ("a: b\n\tc: d\n", "line 2, column 1: a tab indents this line; use spaces"),
        ("a:\n  - b\n \t- c\n", "a tab indents this line"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document begins"),
        ("a: *b\n", "line 1, column 4: alias *b has no anchor before it"),
        ("a: &b [*b]\n", "line 1, column 8: alias *b stands inside what it stands for"),
        ("a: !foo b\n", "line 1, column 4: tag '!foo' is not allowed; remove it"),
        ("a: !!python/name:os.system ''\n", "is not allowed; remove it"),
        ("a: !!map {}\n", "is not allowed; remove it"),
        ("1: a\n", "line 1, column 1: key 1 must be text; quote it"),
        ("? [a]\n: b\n", "line 1, column 3: a key must be text"),
        ("a: &b [1]\n*b : c\n", "a key must be text"),
        ("<<: {a: 1}\n", "merge keys '<<' are not part of YAML 1.2"),
        ("<<: [1]\n", "merge keys '<<' are not part of YAML 1.2"),
        ("a: x\x00y", "line 1, column 5: character U+0000 is not allowed; remove it"),
        ("b: 1\na: \x1b[2J", "line 2, column 4: character U+001B is not allowed"),
        ('a: b\nc: "x\\Uffffffff"', "line 2, column "),
        ('a: b\nc: "x\\U00110000"', "line 2, column "),
        ("a: !%zz b", "line 1, column 4: '!' begins a tag in YAML; put the value of 'a' in"),
        ("a: ! b", "line 1, column 4: '!' begins a tag in YAML; put the value of 'a' in quotes"),
        ("%YAML 2.0\n---\na: b", "line 1, column 1: not valid YAML: "),
        ('a: "x\\0y"', "line 1, column 4: a NUL or half a character is in it"),
        ("[" * 100_000, "nested deeper than 64"),
        ("{a: " * 100, "nested deeper than 64"),
    ],
)
def test_a_fault_is_told_with_its_place_and_a_remedy(text: str, expected: str, pure: bool) -> None:
    [problem] = faults(text, pure=pure)
    assert expected in problem
    assert problem.startswith("line ")


def test_a_merge_key_is_told_once_and_what_it_stands_for_is_not_missing() -> None:
    text = """version: 1
clusters: {cluster-a: }
jobs:
  - &first {name: one, cluster: cluster-a, schedule: "@daily", command: "true"}
  - {<<: *first, name: two}
  - {name: three, <<: [*first]}
"""
    with pytest.raises(CrontabError) as refused:
        parse_crontab(text)
    assert [str(problem).split(";")[0] for problem in refused.value.problems] == [
        "line 5, column 6: merge keys '<<' are not part of YAML 1.2",
        "line 6, column 19: merge keys '<<' are not part of YAML 1.2",
    ]


def test_half_a_character_is_refused_by_both_parsers(pure: bool) -> None:
    assert faults('a: "\\ud800"', pure=pure) != []


def test_several_faults_are_told_at_once_in_the_order_of_the_text(pure: bool) -> None:
    found = faults("a: !x 1\nb: 1\nb: 2\n3: !y 4\n", pure=pure)
    assert [str(problem).split(":")[0] for problem in found] == [
        "line 1, column 4",
        "line 3, column 1",
        "line 4, column 1",
        "line 4, column 4",
    ]


def test_a_billion_laughs_end_at_a_million_values(pure: bool) -> None:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    [problem] = faults("\n".join(lines), pure=pure)
    assert "aliases stand for more than 1000000 values; use fewer" in problem


def test_aliases_nest_no_deeper_than_anything_else(pure: bool) -> None:
    lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]
    [problem] = faults("\n".join(lines), pure=pure)
    assert "nested deeper than 64 by aliases" in problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n", "\ufeff"])
def test_nothing_is_nothing_and_no_fault(text: str, pure: bool) -> None:
    assert value(text, pure=pure) is None


def test_a_byte_order_mark_and_windows_line_ends_are_fine(pure: bool) -> None:
    assert value("\ufeffa: 1\r\nb: [x]\r\n", pure=pure) == {"a": 1, "b": ["x"]}


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=8)
        | st.integers(-(10**6), 10**6)
        | st.booleans()
        | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.from_regex(r"[a-z]{1,4}_", fullmatch=True), inner, max_size=3)
        ),
        max_leaves=12,
    ),
)
def test_json_is_read_as_what_it_is(document: Any) -> None:
    problems = Problems()
    root = parse_yaml(json.dumps(document, ensure_ascii=False), problems)
    assert not problems
    assert root is not None
    assert plain(root) == document


@pytest.mark.parametrize("seed", range(40))
def test_a_text_with_random_damage_is_read_or_refused_by_either_parser(
    seed: int, pure: bool
) -> None:
    dice = random.Random(seed)
    text = list(
        "version: 1\nclusters: {a: {}}\njobs:\n- name: 'b'\n  c: [&x 1, *x]\n  d: |\n   e\n"
    )
    for _ in range(dice.randint(1, 6)):
        text[dice.randrange(len(text))] = dice.choice(":-[]{}&*!|>'\"%@`#,? \n\t\\ab\u2028")
    problems = Problems()
    root = parse_yaml("".join(text), problems, pure=pure)
    assert root is not None or problems
