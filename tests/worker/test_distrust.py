import logging
from pathlib import Path
from typing import Any

import pytest

from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.trust.judging import Judgement, Standing
from cronstream.settings import Settings
from cronstream.trust.keyring import Keyring
from cronstream.worker.distrust import DistrustWatch
from tests.builders import NAMES, a_run
from tests.signing import a_key, trusted

FORGED = Judgement(Standing.REFUSED, "forged", "it was changed", "k")


@pytest.fixture
def watch(tmp_path: Path) -> Any:
    file = tmp_path / "trusted"
    file.write_text(trusted(a_key(1)).line())
    member = Member("w1", NAMES.topics_of("cluster-a"), Timing())
    return DistrustWatch(member, Keyring(Settings(trusted_keys=file)), "cluster-a")


def test_what_waits_for_a_key_is_in_the_log_once_and_on_health_while_it_waits(
    watch: DistrustWatch, caplog: pytest.LogCaptureFixture
) -> None:
    member, key = watch._member, a_key(2)
    assert watch.sentences() == ()

    for number in (1, 2):
        member.trusting.judge(key.sign(a_run(revision=None, number=number)))
    member.trusting.set_aside[0] = {"a": 1, "b": 2}

    [said] = caplog.messages
    assert said.startswith("run backup@2026-01-01T12:00:00Z!run-now-1 waits: its key")
    [sentence] = watch.sentences()
    assert sentence.startswith(f"2 runs wait for a key that is not trusted here, {key.id} (backup@")
    member.trusting.set_aside[0] = {"a": 1}
    assert watch.sentences()[0].startswith("a run waits for a key")


def test_what_is_refused_is_counted_by_reason_and_logged_once_for_each_job(
    watch: DistrustWatch, caplog: pytest.LogCaptureFixture
) -> None:
    trusting = watch._member.trusting
    for number, job in enumerate(("a", "a", "b")):
        trusting.refuse(f"{job}#{number}", 0, a_run(job=job), FORGED)
    trusting.refuse("a#0", 0, a_run(job="a"), FORGED)

    assert watch.refused == {"forged": 3}
    assert [line.partition(" is not made: ")[2] for line in caplog.messages] == [
        "it was changed",
        "it was changed",
    ]


def test_keys_are_looked_at_every_second_and_what_waits_every_five(
    watch: DistrustWatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    looks: list[float] = []
    start, now = watch._looked_at, 0.0
    monkeypatch.setattr(watch._member, "look_again", lambda: looks.append(now))

    for turn in range(1, 130):
        now = turn / 10
        watch.look(start + now)
    assert [round(at) for at in looks] == [5, 10]
    assert watch.keyring._file is not None
    watch.keyring._file.path.write_text(trusted(a_key(2)).line() + "\n")
    now = 14.5
    watch.look(start + now)

    assert looks[-1] == 14.5


def test_a_run_for_another_cluster_is_refused_whoever_has_signed_it(watch: DistrustWatch) -> None:
    judge, key = watch._member.trusting.judge, a_key(1)

    assert judge(key.sign(a_run())).standing is Standing.TRUSTED
    judged = judge(key.sign(a_run(cluster="cluster-b")))
    assert (judged.standing, judged.reason) == (Standing.REFUSED, "not-here")


def test_ever_new_keys_fill_no_log(
    watch: DistrustWatch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("cronstream.clock.monotonic", lambda: now[0])
    judge = watch._member.trusting.judge

    for number in range(3000):
        judge(a_run(signature=f"{number:016x}:AAAA"))
    assert len(caplog.messages) == 1000

    now[0] = 601.0
    judge(a_run(signature=f"{0:016x}:AAAA"))
    assert len(caplog.messages) == 1001
