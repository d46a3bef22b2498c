"""The JSON Schema of the crontab, held against the parser that it speaks for."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.cli.main import main
from cronstream.core.crontab.model import DefaultsModel, JobModel
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.schema import MODELINE, crontab_schema
from cronstream.core.crontab.schema_words import WORDS
from cronstream.core.crontab.yaml_nodes import plain
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.errors import CrontabError

ROOT = Path(__file__).parents[3]
SCHEMA = crontab_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
JOB = {"name": "a", "cluster": "c", "schedule": "@daily", "command": "true"}


def crontab(**job: Any) -> dict[str, Any]:
    return {"version": 1, "clusters": ["c"], "jobs": [{**JOB, **job}]}


def is_taken(said: Any) -> bool:
    try:
        parse_crontab(json.dumps(said))
    except CrontabError:
        return False
    return True


def is_valid(said: Any) -> bool:
    return bool(VALIDATOR.is_valid(said))


# -- the file beside the crontab -----------------------------------------------------------------


def test_the_schema_is_one_and_the_file_in_the_repository_is_it() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert json.loads((ROOT / "crontab.schema.json").read_text()) == SCHEMA


def test_the_example_names_the_schema_in_its_first_line() -> None:
    assert (ROOT / "crontab.yaml").read_text().startswith(f"{MODELINE}\n")


# -- what an editor shows ------------------------------------------------------------------------


@cache
def fields() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []

    def walk(schema: dict[str, Any], above: str) -> None:
        for key, said in schema["properties"].items():
            found.append((f"{above}{key}", said))
            if "properties" in said:
                walk(said, f"{above}{key}.")

    walk(SCHEMA["properties"]["jobs"]["items"], "")
    return found


def test_each_key_of_a_job_is_in_it_and_none_beside() -> None:
    items = SCHEMA["properties"]["jobs"]["items"]
    defaults = SCHEMA["properties"]["defaults"]
    assert set(items["properties"]) == set(JobModel.model_fields)
    assert set(defaults["properties"]) == set(DefaultsModel.model_fields)
    assert set(WORDS) == {path for path, _ in fields()}


@pytest.mark.parametrize(("path", "said"), fields(), ids=lambda each: str(each)[:30])
def test_each_key_has_a_sentence_examples_and_a_type(path: str, said: dict[str, Any]) -> None:
    assert said["description"].endswith(".")
    assert said["examples"]
    assert {"type", "anyOf", "enum"} & set(said), path


@pytest.mark.parametrize(("path", "said"), fields(), ids=lambda each: str(each)[:30])
def test_each_example_of_a_key_is_taken_by_the_parser(path: str, said: dict[str, Any]) -> None:
    for example in said["examples"]:
        value = example
        for key in reversed(path.split(".")):
            value = {key: value}
        given_ = crontab(**value)
        given_["clusters"] = ["c", "cluster-a"]
        if path == "then":
            given_["jobs"] += [{**JOB, "name": name} for name in ("report", "alert")]
        given_["calendars"] = {"holidays": ["2026-12-25"]}
        if path in {"max_queue", "max_running"}:
            given_["jobs"][0]["overlap"] = "queue"
        if path == "fence":
            given_["jobs"][0]["grace"] = "1s"
        parse_crontab(json.dumps(given_))
        assert is_valid(given_)


def test_defaults_are_shown_as_people_write_them() -> None:
    found = dict(fields())
    assert found["grace"]["default"] == "10s"
    assert found["missed_grace"]["default"] == "5m"
    assert found["overlap"]["default"] == "allow"
    assert "default" not in found["cluster"]


# -- in step with the parser ---------------------------------------------------------------------

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40_000_000),
    st.floats(-1, 1e8, allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(
        [
            "10s",
            "1w2d",
            "1.5s",
            "5m3",
            "366d",
            "2G",
            "27",
            "027",
            "root",
            "/srv",
            "c",
            "all",
            "1d1w",
        ]
    ),
    st.sampled_from(
        [
            *("@daily", "@every 90s from 00:15", "* * * * *", " 5 4 * * 1 ", "H H * * *", "* * *"),
            *("2026-01-01", "2026-01-01T10:00", "2026-01-01 10:00:30", "2026", "Europe/Berlin"),
            *("UTC", "Etc/GMT+5", "once", "skip", "allow", "replace", "kill", "wait", ""),
        ]
    ),
)
_SECRETS = st.sampled_from(
    [{"file": "/run/x"}, {"from": "X"}, {"file": "x"}, {"from": "F_X"}, {"from": ""}, {"file": 1}]
)


def _near(example: Any) -> st.SearchStrategy[Any]:
    """Return values like an example: the same, one with another key, or what is in it changed."""
    match example:
        case dict():
            keys = st.sampled_from([*example, "file", "from", "x"])
            parts = st.dictionaries(keys, st.one_of(_SCALARS, _SECRETS), max_size=2)
            return st.one_of(st.just(example), parts.map(lambda part: {**example, **part}), parts)
        case list():
            return st.one_of(st.just(example), st.lists(_SCALARS, max_size=3))
        case _:
            return st.just(example)


@cache
def _values(path: str) -> st.SearchStrategy[Any]:
    said = dict(fields())[path]
    choices = [*said.get("enum", ()), said.get("default")]
    near = [_near(example) for example in said["examples"]]
    return st.one_of(*near, st.sampled_from(choices), _SCALARS, _SECRETS)


_KEYS = st.sampled_from([path for path, _ in fields() if "." not in path])


@st.composite
def crontabs(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(_KEYS, max_size=4, unique=True))
    made = crontab(**{key: draw(_values(key)) for key in keys})
    if draw(st.booleans()):
        under = draw(st.lists(_KEYS, max_size=2, unique=True))
        made["defaults"] = {key: draw(_values(key)) for key in under}
    made["clusters"] = draw(
        st.sampled_from([["c", "cluster-a"], {"c": None, "cluster-a": {"description": "x"}}])
    )
    return made


@settings(max_examples=150, deadline=None)
@given(crontabs())
def test_whatever_the_parser_takes_the_schema_takes(made: dict[str, Any]) -> None:
    if is_taken(made):
        VALIDATOR.validate(made)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_one_key_that_the_parser_takes_the_schema_takes(data: st.DataObject) -> None:
    for path, _ in fields():
        if "." in path:
            continue
        made = crontab(**{path: data.draw(_values(path))})
        made["clusters"] = ["c", "cluster-a"]
        if is_taken(made):
            VALIDATOR.validate(made)


WRONG: list[dict[str, Any]] = [
    {"name": "-a"},
    {"name": 1},
    {"schedule": "* * * *"},
    {"schedule": []},
    {"command": ""},
    {"command": ["a", 1]},
    {"command": []},
    {"max_atempts": 1},
    {"max_attempts": 0},
    {"max_attempts": 101},
    {"max_attempts": "3"},
    {"backoff": {"factor": 0.5}},
    {"backoff": {"frist": "1s"}},
    {"retry_on": {"exit_statuses": [0]}},
    {"retry_on": {"exit_statuses": "any"}},
    {"timeout": "10"},
    {"timeout": "5 minutes"},
    {"timeout": 0},
    {"timeout": True},
    {"grace": None},
    {"grace": -1},
    {"env": {"A": 1}},
    {"env": {"A=B": "1"}},
    {"env": {"A": {"file": "x"}}},
    {"env": {"A": {"from": "CRONSTREAM_BROKER"}}},
    {"cwd": "srv"},
    {"user": "no body"},
    {"umask": 27},
    {"umask": "9"},
    {"limits": {"memory": "2GB"}},
    {"limits": {"files": 1}},
    {"delivery": "exactly_once"},
    {"overlap": "forbid"},
    {"max_queue": 0},
    {"fence": "true"},
    {"background": "leave"},
    {"start": "tomorrow"},
    {"dst": "never"},
    {"jitter": "abc"},
    {"jitter": 0.5},
    {"expect_within": 41 * 86_400},
    {"ping": {"healthchecks": "https://hc-ping.com/x"}},
    {"on_discard": "https://example.com"},
    {"timezone": "Mars Standard"},
    {"description": 1},
]
MISTAKES: list[dict[str, Any]] = [
    {"clusters": ["c"], "jobs": []},
    {"version": 2, "clusters": ["c"], "jobs": []},
    {"version": "1", "clusters": ["c"], "jobs": []},
    {"version": 1, "jobs": []},
    {"version": 1, "clusters": [], "jobs": []},
    {"version": 1, "clusters": {}, "jobs": []},
    {"version": 1, "clusters": ["C"], "jobs": []},
    {"version": 1, "clusters": {"c": {"descripton": "x"}}, "jobs": []},
    {"version": 1, "clusters": ["c"]},
    {"version": 1, "clusters": ["c"], "jobs": {}},
    {"version": 1, "clusters": ["c"], "jobs": [], "job": []},
    {"version": 1, "clusters": ["c"], "jobs": [], "calendars": {"1": []}},
    {"version": 1, "clusters": ["c"], "jobs": [], "calendars": {"a": "2026-12-24"}},
    {"version": 1, "clusters": ["c"], "jobs": [], "allow_removals": "all"},
    {"version": 1, "clusters": ["c"], "jobs": [], "defaults": {"name": "a"}},
    {"version": 1, "clusters": ["c"], "jobs": [{"name": "a", "schedule": "@daily"}]},
    *(crontab(**job) for job in WRONG),
]


@pytest.mark.parametrize("made", MISTAKES, ids=str)
def test_a_mistake_that_it_can_express_is_refused_by_both(made: dict[str, Any]) -> None:
    assert not is_taken(made)
    assert not is_valid(made)


def shipped() -> list[Path]:
    folders = (ROOT / "examples", ROOT / "bench", ROOT / "docs")
    return [ROOT / "crontab.yaml", *(file for folder in folders for file in folder.rglob("*.yaml"))]


def yaml_texts() -> list[str]:
    texts = [path.read_text() for path in shipped()]
    for page in sorted((ROOT / "docs").glob("*.md")):
        texts += re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [text for text in texts if re.search(r"^version: 1$", text, re.MULTILINE)]


@pytest.mark.parametrize("text", yaml_texts())
def test_each_crontab_that_is_shipped_or_shown_is_valid_by_it(text: str) -> None:
    problems = Problems()
    tree = parse_yaml(text, problems)
    assert tree is not None
    VALIDATOR.validate(plain(tree))


def test_it_is_printed_as_the_file_has_it() -> None:
    result = CliRunner().invoke(main, ["schema"])
    assert result.stdout == (ROOT / "crontab.schema.json").read_text()
