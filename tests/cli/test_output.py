"""What reaches a terminal, and in which form."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.cli.output import Column, emit_json, emit_table
from cronstream.escaping import safe
from cronstream.history.words import format_duration
from tests.builders import NOON

COLUMNS = (Column("Run"), Column("State", styled=True), Column("Took", "right"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("naïve 日本 🎉", "naïve 日本 🎉"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\rb\nc", "a\\rb\\nc"),
        ("\x9b2J", "\\x9b2J"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("line\u2028break", "line\\u2028break"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_escaped(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_nothing_that_is_shown_controls_a_terminal(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in safe(text))


@given(st.text())
def test_json_is_one_line_of_ascii_that_says_the_same(text: str) -> None:
    stdout = sys.stdout
    sys.stdout = io.StringIO()
    try:
        emit_json({"text": text})
        line = sys.stdout.getvalue()
    finally:
        sys.stdout = stdout
    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line) == {"text": text}


def test_json_has_times_as_iso_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"at": NOON})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-01-01T12:00:00Z"}


def test_a_plain_table_is_aligned_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(COLUMNS, [("a@1", "running", "9 ms"), ("longer@2", "lost\x1b[0m", "1.0 s")])
    assert capsys.readouterr().out.splitlines() == [
        "RUN       STATE         TOOK",
        "a@1       running       9 ms",
        "longer@2  lost\\x1b[0m  1.0 s",
    ]


def test_an_empty_table_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(COLUMNS, [])
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_in_which_markup_is_only_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    emit_table(COLUMNS, [("[bold]a@1[/bold]", "running", "9 ms")])
    assert "[bold]a@1[/bold]" in terminal.getvalue()


def test_a_narrow_terminal_breaks_no_run_id(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    run = "a-job-with-a-long-name@2026-01-01T12:00:00Z"
    emit_table((Column("Run"), Column("Reason", wraps=True)), [(run, "it failed " * 9)])
    assert run in terminal.getvalue()
    assert "it failed it failed" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.0 s"),
        (3.24, "3.2 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (7380, "2 h 03 min"),
        (90_000, "1 d 01 h"),
        (-0.5, "-500 ms"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_no_duration_has_sixty_of_a_smaller_unit(seconds: float) -> None:
    text = format_duration(seconds)
    assert " 60 " not in text
    assert not text.startswith("60.0")
