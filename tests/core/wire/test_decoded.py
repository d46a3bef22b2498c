"""What several read of one process is decoded once."""

import pytest

from cronstream.core.wire import decoded
from cronstream.core.wire.codec import encode
from cronstream.core.wire.decoded import Decoded
from cronstream.core.wire.entries import Level
from cronstream.core.wire.job_messages import decode_jobs
from tests.core.wire.test_job_messages import a_job, several

MANY = [a_job(f"job-{n}") for n in range(100)]


def test_both_readers_are_given_the_same_jobs_and_then_nothing_is_kept() -> None:
    known, raw = Decoded(), several(*MANY)
    first, second = known.jobs_of(raw), known.jobs_of(bytes(bytearray(raw)))
    assert first == decode_jobs(raw) == (MANY, [])
    assert second[0] is first[0]
    assert len(known) == 0
    assert known.jobs_of(raw)[0] is not first[0]


def test_what_this_process_has_put_there_is_not_decoded() -> None:
    known, raw = Decoded(), several(*MANY)
    known.note(raw, MANY)
    for _ in range(2):
        assert all(a is b for a, b in zip(known.jobs_of(raw)[0], MANY, strict=True))
    assert len(known) == 0


def test_what_readers_refuse_and_what_else_stands_there_is_decoded() -> None:
    known = Decoded()
    bad = [*MANY, a_job("bad", max_attempts=0)]
    known.note(several(*bad), bad)
    known.note(several(*MANY), [*MANY, Level(level=2)])
    known.note(several(*MANY), [])
    assert len(known) == 0
    jobs, refused = known.jobs_of(several(*bad))
    assert (jobs, len(refused)) == (MANY, 1)


def test_a_small_message_and_none_are_decoded_each_time() -> None:
    known = Decoded()
    known.note(encode(a_job()), [a_job()])
    assert known.jobs_of(encode(a_job())) == ([a_job()], [])
    assert known.jobs_of(None) == decode_jobs(None)
    assert len(known) == 0


def test_no_more_is_kept_than_the_last_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "_MOST", 2)
    known = Decoded()
    texts = [several(*MANY[n:]) for n in range(4)]
    for n, raw in enumerate(texts):
        known.note(raw, MANY[n:])
    assert len(known) == 2
    assert known.jobs_of(texts[3])[0][0] is MANY[3]
    assert known.jobs_of(texts[0])[0][0] is not MANY[0]
