import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.wire.sizes import MAX_OUTPUT_BYTES, json_bytes
from cronstream.executor.output import Kept, Output


def kept(limit: int, *chunks: bytes) -> Kept:
    output = Output(limit)
    for chunk in chunks:
        output.feed(chunk)
    return output.kept()


@pytest.mark.parametrize(
    ("limit", "data", "expected"),
    [
        (4, b"", Kept("", "", 0)),
        (4, b"abcd", Kept("abcd", "", 0)),
        (4, b"abcdefgh", Kept("abcd", "efgh", 0)),
        (4, b"abcdefghi", Kept("abcd", "fghi", 1)),
        (0, b"abc", Kept("", "", 3)),
        # é is two bytes: across the end of the head it goes to the tail while nothing is omitted
        (4, "abcéfg".encode(), Kept("abc", "éfg", 0)),
        # and is omitted else, as is one that lies across the beginning of the tail
        (4, "abcé123é789".encode(), Kept("abc", "789", 7)),
        (4, b"\xff\xfe", Kept("\ufffd\ufffd", "", 0)),
        # a byte that ends no character of UTF-8 is no reason to cut
        (4, b"abc\xfa", Kept("abc\ufffd", "", 0)),
    ],
)
def test_the_first_and_the_last_bytes_are_kept_and_the_rest_is_counted(
    limit: int, data: bytes, expected: Kept
) -> None:
    assert kept(limit, data) == expected


@given(st.binary(max_size=60), st.integers(0, 20), st.data())
def test_how_the_bytes_come_makes_no_difference(
    data: bytes, limit: int, draw: st.DataObject
) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert kept(limit, *chunks) == kept(limit, data)


@given(st.text(max_size=60), st.integers(0, 20))
def test_text_is_cut_only_between_characters_and_every_byte_is_accounted_for(
    text: str, limit: int
) -> None:
    some = kept(limit, text.encode())
    assert text.startswith(some.head)
    assert text.endswith(some.tail)
    assert len(some.head.encode()) + some.omitted + len(some.tail.encode()) == len(text.encode())
    assert len(some.head.encode()) <= limit
    assert len(some.tail.encode()) <= limit + 3
    if len(text.encode()) <= 2 * limit:
        assert some.head + some.tail == text
    else:
        assert some.omitted <= len(text.encode()) - 2 * limit + 6


def test_memory_does_not_grow_with_the_output() -> None:
    output = Output(10)
    for _ in range(1000):
        output.feed(b"x" * 1000)
    assert output.kept() == Kept("x" * 10, "x" * 10, 999_980)


GARBAGE = bytes(range(256)) * 1200


@pytest.mark.parametrize(
    "data",
    [GARBAGE, b"\x01" * 300_000, b"\xff" * 300_000, b"a" * 100_000 + GARBAGE, GARBAGE + b"a" * 9],
)
def test_what_is_kept_fits_in_a_message_whatever_the_bytes_are(data: bytes) -> None:
    output = Output(262_144)
    output.feed(data)
    output.feed(data)
    some = output.kept()
    assert MAX_OUTPUT_BYTES * 0.9 < json_bytes(some.head) <= MAX_OUTPUT_BYTES
    assert MAX_OUTPUT_BYTES * 0.9 < json_bytes(some.tail) <= MAX_OUTPUT_BYTES
    assert data.decode(errors="replace").startswith(some.head)
    assert data.decode(errors="replace").endswith(some.tail)
    assert 0 < some.omitted < 2 * len(data)


def test_text_is_kept_as_far_as_the_limit_goes() -> None:
    output = Output(262_144)
    output.feed(b"some words of text, and\n" * 100_000)
    some = output.kept()
    assert (len(some.head), len(some.tail)) == (262_144, 262_144)


def test_of_output_that_takes_too_much_room_every_byte_is_accounted_for() -> None:
    output = Output(262_144)
    output.feed(b"\x01" * 600_000)
    some = output.kept()
    assert len(some.head) + some.omitted + len(some.tail) == 600_000
