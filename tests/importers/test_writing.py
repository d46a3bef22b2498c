"""What is written is a good crontab, and says what was found, whatever that was."""

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import plain
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.importers.found import ForeignError, Found, FoundJob, Source
from cronstream.importers.reading import FORMATS, read, recognize
from cronstream.importers.writing import write

_WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from("'\"\\:#- \n\t{}[],&*!|>%@`"),
    max_size=12,
)


def written(*jobs: dict[str, Any]) -> Any:
    found = Found(tuple(FoundJob("f", 1, f"j{n}", "", job) for n, job in enumerate(jobs)))
    text = write(found, cluster="c", sources=["f"]).text
    parse_crontab(text)
    tree = parse_yaml(text, Problems())
    assert tree is not None
    return plain(tree)


@settings(max_examples=200, deadline=None)
@given(_WORDS, _WORDS, st.lists(_WORDS, min_size=1, max_size=3))
@example("\n", "\n", ["\n"])
def test_what_is_written_is_read_back_as_it_was(text: str, value: str, words: list[str]) -> None:
    words = ["a", *words]
    got = written(
        {"schedule": "@daily", "command": f"x{text}", "env": {"A": value, "B": "x" * 90}},
        {"schedule": "@daily", "command": words, "description": text},
    )["jobs"]

    assert got[0]["command"] == f"x{text}"
    assert got[0]["env"]["A"] == value
    assert got[1]["command"] == words
    assert got[1]["description"] == text


def test_what_would_be_a_problem_is_left_out_and_the_rest_stays() -> None:
    bad = FoundJob("f", 7, "bad", "", {"schedule": "@daily", "command": "x", "user": "no body"})
    good = FoundJob("f", 9, "good", "", {"schedule": "@daily", "command": "x"})
    result = write(Found((bad, good)), cluster="c", sources=["f"])

    assert [name for name, _ in result.names] == ["good"]
    [note] = result.notes
    assert note.loses_job
    assert str(note).startswith("f:7: user 'no body' is not a user")


def test_nothing_at_all_is_a_crontab_too() -> None:
    assert written()["jobs"] == []


_LINES = st.sampled_from(
    [
        *("A=1", "SHELL=/bin/zsh", "MAILTO=x", "CRON_TZ=Europe/Berlin", "# x", "", "oops", "TZ=x"),
        *("* * * * * a", "@daily b%c", "0~9 * * * * c", "@reboot d", "*/5 * * * * root e 'f"),
        *("- name: x", "kind: CronJob", "spec:", "  schedule: '* * * * *'", "---", "{{ x }}"),
        *('[job-local "x"]', "schedule = @daily", "command = a", "[Timer]", "OnCalendar=daily"),
        *("services:", "  a:", "    labels:", "      ofelia.job-exec.a.schedule: '@daily'", "\t"),
        *("0 0 1 1 * 2027 x", "\\", "x = \\", "=", "a = 'b", "\x00\x1b", "é\u2028", "1 2 3 4 5 %"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_LINES, max_size=12), st.sampled_from([None, *FORMATS]))
def test_whatever_a_file_is_what_comes_out_is_a_good_crontab(
    lines: list[str], kind: str | None
) -> None:
    source = Source("f", "\n".join(lines), {"f.service": "[Service]\nExecStart=/bin/a"})
    try:
        found = read(source, kind, "UTC")
    except ForeignError:
        return
    parse_crontab(write(found, cluster="c", sources=["f"]).text)


def test_noise_is_no_trouble() -> None:
    noise = random.Random(7)
    for kind in FORMATS:
        for _ in range(20):
            text = "".join(chr(noise.choice([9, 10, 32, 58, *range(33, 127)])) for _ in range(80))
            try:
                found = read(Source("f.timer", text), kind, None)
            except ForeignError:
                continue
            parse_crontab(write(found, cluster="c", sources=["f.timer"]).text)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("/etc/crontab", "* * * * * nobody x", "system-crontab"),
        ("/etc/cron.d/x", "* * * * * nobody x", "system-crontab"),
        ("x", "* * * * * root /bin/x", "system-crontab"),
        ("x", "* * * * * /bin/x", "crontab"),
        ("x", "*/5 * * * * * * x", "supercronic"),
        ("x", "[Timer]\nOnCalendar=daily", "systemd"),
        ("x.timer", "", "systemd"),
        ("x", '[job-local "x"]', "ofelia"),
        ("x", "services:\n  a:\n    labels:\n      ofelia.enabled: 1", "ofelia"),
        ("x", "apiVersion: batch/v1", "kubernetes"),
        ("x", '{"kind": "List"}', "kubernetes"),
        ("x", "* * * * * curl -d '{\"kind\": 1}'", "crontab"),
    ],
)
def test_a_file_is_known_by_what_is_in_it(name: str, text: str, kind: str) -> None:
    assert recognize(Source(name, text)) == kind


def test_of_many_files_only_some_are_named_at_the_top() -> None:
    text = write(Found(), cluster="c", sources=["a", "b", "c", "d", "e"]).text
    assert "# Made by 'cronstream import' of a, b, c and 2 more.\n" in text
