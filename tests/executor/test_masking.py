"""No secret is left in what is kept of an output, wherever a chunk, a cut or the end is."""

import random

import pytest

from cronstream.executor.masking import MASK, Masker
from cronstream.executor.output import Output

CANARY = b"canary-0123456789"


def masked(secrets: list[bytes], *chunks: bytes) -> bytes:
    masker = Masker(secrets)
    return b"".join([*map(masker.feed, chunks), masker.finish()])


@pytest.mark.parametrize("at", range(len(CANARY) + 1))
def test_a_secret_is_masked_wherever_a_chunk_ends_in_it(at: int) -> None:
    stream = b"before " + CANARY + b" after"
    cut = len(b"before ") + at
    assert masked([CANARY], stream[:cut], stream[cut:]) == b"before *** after"


def test_a_secret_is_masked_that_comes_byte_by_byte() -> None:
    stream = b"x" + CANARY * 2 + b"y"
    assert masked([CANARY], *(bytes([byte]) for byte in stream)) == b"x******y"


@pytest.mark.parametrize(
    ("secrets", "stream", "shown"),
    [
        ([b"abcd", b"cdef"], b"-abcdef-", b"-***-"),  # they overlap
        ([b"abc", b"abcdef"], b"-abcdef-abcdx-", b"-***-***dx-"),  # one begins another
        ([b"abcdef", b"cd"], b"-xcd-abcd", b"-x***-***"),  # one is within another
        ([b"bcdef", b"cd"], b"-bcd", b"-b***"),
        ([b"aa"], b"-aaa-", b"-***-"),
        ([b"a"], b"bab", b"b***b"),
        ([b"secret\n"], b"-secret-", b"-***-"),
        ([b"", b"\n"], b"-\n-", b"-\n-"),
        ([b"line one of a key\nline two of a key"], b"> line two of a key", b"> ***"),
        ([b"abc\n123456789"], b"abc 123456789", b"abc ***"),
    ],
)
def test_what_overlaps_or_has_lines_is_masked(
    secrets: list[bytes], stream: bytes, shown: bytes
) -> None:
    assert masked(secrets, stream) == shown
    assert masked(secrets, *(bytes([byte]) for byte in stream)) == shown


def test_the_beginning_of_a_secret_at_the_very_end_is_masked_if_it_tells_something() -> None:
    assert masked([CANARY], b"x " + CANARY[:10]) == b"x ***"
    assert masked([CANARY], b"x " + CANARY[:3]) == b"x can"
    assert masked([b"aba"], b"xaba", b"b") == b"x***b"
    assert masked([b"abcabcabcx", b"abc"], b"abc", b"abc") in (b"******", b"***")


def test_what_is_held_back_stays_small_however_long_a_secret_goes_on() -> None:
    masker = Masker([b"aaaa"])
    assert sum(len(masker.feed(b"a" * 65_536)) for _ in range(20)) == len(MASK)
    assert len(masker._rest) < 4
    assert masker.finish() == b""


def test_a_stream_is_masked_the_same_however_it_is_cut() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        secrets = [bytes(chance.choices(b"abc", k=chance.randint(1, 5))) for _ in range(2)]
        stream = bytes(chance.choices(b"abcd", k=30)) + b"."
        cut = chance.randint(0, len(stream))
        shown = masked(secrets, stream)
        assert masked(secrets, stream[:cut], stream[cut:]) == shown
        assert not any(secret in shown for secret in secrets)


@pytest.mark.parametrize("before", range(60, 130))
def test_no_part_of_a_secret_is_left_where_an_output_is_cut(before: int) -> None:
    output = Output(100, Masker([CANARY]))
    stream = b"." * before + CANARY + b"." * 500 + CANARY + b"." * (before - 20)
    for at in range(0, len(stream), 7):
        output.feed(stream[at : at + 7])
    kept = output.kept()
    for size in range(3, len(CANARY) + 1):
        for start in range(len(CANARY) - size + 1):
            part = CANARY[start : start + size].decode()
            assert part not in kept.head + kept.tail
    assert len(kept.head) + kept.omitted + len(kept.tail) == len(stream.replace(CANARY, MASK))
