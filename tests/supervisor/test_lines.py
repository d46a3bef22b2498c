import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.supervisor.lines import LINE_LIMIT, LineSplitter, clean, cut, labelled


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*lines, *splitter.end()]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"one\ntwo\n",), ["one", "two"]),
        ((b"o", b"ne\ntw", b"o"), ["one", "two"]),
        ((b"one\r\n",), ["one"]),
        ((b"\n\n",), ["", ""]),
        ((), []),
        (("gr\u00fc\u00df".encode()[:3], "gr\u00fc\u00df".encode()[3:]), ["gr\u00fc\u00df"]),
        ((b"h\xe9\n",), ["h\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_lines_are_whole_wherever_chunks_are_cut(
    chunks: tuple[bytes, ...], lines: list[str]
) -> None:
    assert split(*chunks) == lines


@given(st.binary(max_size=200), st.integers(1, 20))
def test_how_bytes_are_cut_into_chunks_makes_no_difference(output: bytes, size: int) -> None:
    chunks = [output[at : at + size] for at in range(0, len(output), size)]
    assert split(*chunks) == split(output)


def test_what_never_ends_its_line_is_shown_all_the_same_and_not_kept() -> None:
    splitter = LineSplitter()
    assert len(splitter.feed(b"x" * 100_000)) == 1
    assert splitter.end() == []


@given(st.text(alphabet="abc", max_size=LINE_LIMIT))
def test_a_line_that_is_not_too_long_is_shown_in_full(text: str) -> None:
    assert cut(text) == text


def test_a_line_that_is_too_long_says_how_much_is_left_out() -> None:
    assert cut("x" * 12, limit=10) == "x" * 10 + " ... (2 more characters)"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[Hgone", "gone"),
        (b"\x1b]0;title\x07shown", "shown"),
        (b"\x1b]0;title\x1b\\shown", "shown"),
        (b"10 %\r20 %\r100 %", "100 %"),
        (b"a\tb", "a\tb"),
        (b"a\x07b", "a\N{REPLACEMENT CHARACTER}b"),
        (b"a\x1bb", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_a_line_does_nothing_to_a_terminal_but_be_read(line: bytes, text: str) -> None:
    assert clean(line) == text


@given(st.binary(max_size=100))
def test_no_line_has_a_control_character_whatever_was_written(output: bytes) -> None:
    assert all(
        character == "\t" or not (character < " " or "\x7f" <= character <= "\x9f")
        for line in split(output)
        for character in line
    )


def test_labels_are_padded_so_that_lines_stand_below_each_other() -> None:
    assert labelled("cluster-a", "run x: started") == "cluster-a        | run x: started"
    assert labelled("scheduler", "") == "scheduler        |"


def test_a_label_that_is_too_long_is_not_cut() -> None:
    assert labelled("a-cluster-with-a-long-name", "x") == "a-cluster-with-a-long-name | x"


def test_parts_that_follow_each_other_have_different_colours() -> None:
    first, second = labelled("a", "x", 0), labelled("a", "x", 1)
    assert first.startswith("\x1b[")
    assert first != second
    assert clean(first.encode()) == labelled("a", "x")
