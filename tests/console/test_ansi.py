"""What a command wrote for a terminal: colours are kept, all else is text or left out."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.console.ansi import Ansi, colored
from tests.console.scene import HOSTILE


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[31mred\x1b[0m not", '<span class="a-f1">red</span> not'),
        ("\x1b[1;92mok\x1b[m still", '<span class="a-bold a-f10">ok</span> still'),
        ("\x1b[1;2mfaint\x1b[22m no", '<span class="a-bold a-faint">faint</span> no'),
        ("\x1b[38;5;196mred\x1b[39m", '<span class="a-f9">red</span>'),
        ("\x1b[38;2;90;90;255;4mblue", '<span class="a-under a-f12">blue</span>'),
        ("\x1b[48;5;4mground\x1b[49m", '<span class="a-b4">ground</span>'),
        ("\x1b[38;5mcut", "cut"),
        ("\x1b[38:2:255:0:0mcolons", '<span class="a-f9">colons</span>'),
        ("\x1b[999999mnone", "none"),
        ("\x1b[2J\x1b[10;3Hmoved\x1b[K", "moved"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bcharset\x1b=", "charset"),
        ("10 %\r50 %\r100 %\r\ndone", "100 %\ndone"),
        ("\x07bell \x9b31m \u202eturned", r"\x07bell \x9b31m \u202eturned"),
        ("\x1b", r"\x1b"),
        ("", ""),
    ],
)
def test_colours_are_kept_and_nothing_else_is_obeyed(written: str, shown: str) -> None:
    assert str(colored(written)) == shown


def test_what_a_command_writes_never_is_markup() -> None:
    text = str(colored(f"\x1b[31m{HOSTILE}\x1b[0m{HOSTILE}"))
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("<span") == 1


@given(st.text(alphabet="\x1b[]0;:8mKP\\\x07\r\n<&\"'ab\x9b", max_size=200))
def test_whatever_is_written_only_spans_of_ours_come_of_it(written: str) -> None:
    text = str(colored(written))
    bare = text.replace("</span>", "")
    assert bare.count("<") == bare.count('<span class="a-')
    assert "\x1b" not in text
    assert "\x9b" not in text


@given(st.text(alphabet="\x1b[31m0;]\x07ab\n", max_size=60), st.integers(0, 60))
def test_it_is_the_same_wherever_it_is_cut(written: str, cut: int) -> None:
    whole = Ansi().feed(written, is_end=True)
    ansi = Ansi()
    parts = [*ansi.feed(written[:cut]), *ansi.feed(written[cut:], is_end=True)]
    letters = [(classes, letter) for classes, text in parts for letter in text]
    assert letters == [(classes, letter) for classes, text in whole for letter in text]


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x1b[31m", "x", "\r", "\x1bP;"])
def test_much_of_anything_costs_no_more_than_its_length(piece: str) -> None:
    few, many = _cost(piece * 3_000), _cost(piece * 30_000)
    assert many < 30 * few + 0.1, "ten times as much; it would be a hundred by the square"


def _cost(written: str) -> float:
    began = time.process_time()
    colored(written)
    return time.process_time() - began
