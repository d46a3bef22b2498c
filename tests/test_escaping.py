"""Nothing that a message, a file or a command has written is obeyed by a terminal that shows it."""

import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.escaping import safe, safe_json
from cronstream.json_lines import JsonFormatter
from cronstream.logs import PlainFormatter
from cronstream.supervisor.lines import clean
from tests.harmful import HARMFUL


def is_harmless(text: str, keep: str = "\n") -> bool:
    bidi = {unicodedata.bidirectional(c) for c in text}
    controls = {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return not (controls - set(keep)) and not (bidi & turning)


def a_record(message: str, *quoted: str) -> logging.LogRecord:
    return logging.LogRecord("cronstream.x", logging.WARNING, "", 1, message, quoted, None)


@pytest.mark.parametrize("harmful", HARMFUL)
def test_a_line_of_the_log_quotes_it_and_obeys_it_not(harmful: str) -> None:
    plain = PlainFormatter().format(a_record("job %s: added", harmful))
    assert is_harmless(plain, keep="")
    assert plain.endswith(f"WARNING: job {safe(harmful)}: added")

    line = JsonFormatter().format(a_record("job %s: added", harmful))
    assert is_harmless(line, keep="")
    # Half a character is shown, not passed on: strict readers would refuse the whole line.
    whole = harmful.encode(errors="backslashreplace").decode()
    assert json.loads(line)["message"] == f"job {whole}: added"


def test_what_was_raised_is_told_on_lines_of_its_own_and_in_none_that_it_makes_up() -> None:
    record = a_record("it failed")
    record.exc_info = (ValueError, ValueError("a\x1b]52;c;eA==\x07b"), None)
    text = PlainFormatter().format(record)
    assert is_harmless(text)
    assert "ValueError: a\\x1b]52;c;eA==\\x07b" in text


@pytest.mark.parametrize("harmful", HARMFUL)
def test_a_part_of_an_installation_passes_nothing_on(harmful: str) -> None:
    assert is_harmless(clean(harmful.encode(errors="surrogatepass")))


@given(st.text())
def test_json_that_is_safe_says_the_same(text: str) -> None:
    line = safe_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(line) == text
    assert is_harmless(line, keep="")
    assert is_harmless(safe(text), keep="")
