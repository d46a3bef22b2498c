"""What stands on the topic of output: typed, bounded, and anything else is nothing."""

import pytest

from cronstream.core.wire.live_output import MOST_TEXT, Follow, Written, decode, encode

WRITTEN = Written(run="a@x", attempt=2, worker="w", number=3, text="\x00\u2028é", left_out=1)


@pytest.mark.parametrize("said", [WRITTEN, Follow(run="a@x", follower="f")])
def test_what_is_said_is_understood(said: Follow | Written) -> None:
    assert decode(encode(said)) == said


def test_the_longest_text_fits_a_message_that_is_read() -> None:
    longest = Written(run="a@x", attempt=1, worker="w", number=1, text="\x01" * MOST_TEXT)
    assert decode(encode(longest)) == longest


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b'{"kind": "follow"}',
        b'{"kind": "another", "run": "a@x", "follower": "f"}',
        b'{"kind": "follow", "run": "", "follower": "f"}',
        b'{"kind": "follow", "run": "a@x", "follower": "%s"}' % (b"f" * 301),
        b'{"kind": "written", "run": "a@x", "attempt": 0, "worker": "w", "number": 1}',
        b'{"kind": "written", "run": "a@x", "attempt": 1, "worker": "w", "number": -1}',
        b'{"kind": "follow", "run": "a@x", "follower": "f", "more": "%s"}' % (b"x" * 300_000),
    ],
)
def test_anything_else_is_nothing(raw: bytes | None) -> None:
    assert decode(raw) is None


def test_what_a_later_version_adds_is_passed_over() -> None:
    raw = b'{"kind": "follow", "run": "a@x", "follower": "f", "more": 1}'
    assert decode(raw) == Follow(run="a@x", follower="f")
