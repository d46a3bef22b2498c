"""Output is handed on as it comes, without secrets, and never more of it than is good."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cronstream import clock
from cronstream.executor.masking import Masker
from cronstream.executor.output import Output
from cronstream.executor.protocol import Finished, Show, SoFar, Started, Wrote
from cronstream.executor.tap import MOST_PER_S, Tap
from tests.executor.witness import Witness, a_hold


def written(witness: Witness, key: str) -> str:
    reports = [report for report in witness.reports if isinstance(report, Wrote)]
    return "".join(report.text for report in reports if report.key == key)


@pytest_asyncio.fixture
async def showing() -> AsyncIterator[Witness]:
    """An executor that hands all output on."""
    witness = Witness()
    await witness.launch(shows_all=True)
    witness.lease()
    yield witness
    await witness.handle.close()


async def test_all_that_a_command_writes_is_handed_on_before_its_end(
    showing: Witness, tmp_path: Path
) -> None:
    witness = showing
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    hold = a_hold(f"printf 'e\\303'; sleep 0.3; printf '\\251\\n\\377\\n'; cat {gate}")
    witness.send(hold)
    await witness.the(Wrote, hold.key)
    gate.write_text("last")
    await witness.the(Finished, hold.key)
    assert written(witness, hold.key) == "e\xe9\n\ufffd\nlast"
    assert isinstance(witness.reports[-1], Finished)


async def test_who_asks_later_is_shown_what_was_kept_and_what_comes(
    witness: Witness, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    hold = a_hold(f"echo first; cat {gate}; echo last")
    witness.send(Show("nobody#1", clock.monotonic() + 60, from_start=True), hold)
    await witness.the(Started, hold.key)
    show = Show(hold.key, clock.monotonic() + 60, from_start=True)
    witness.send(show)
    first = await witness.the(SoFar, hold.key)
    witness.send(Show(hold.key, clock.monotonic() + 60, from_start=False))
    gate.write_text("between\n")
    await witness.the(Finished, hold.key)
    assert first.head + written(witness, hold.key) == "first\nbetween\nlast\n"
    assert "nobody#1" not in {report.key for report in witness.reports}


async def test_after_a_while_nobody_looks_any_more(witness: Witness, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    hold, other = a_hold(f"cat {gate}; echo unseen"), a_hold("sleep 0.5")
    witness.send(hold)
    await witness.the(Started, hold.key)
    witness.send(Show(hold.key, clock.monotonic(), from_start=False), other)
    await witness.the(Finished, other.key)
    gate.write_text("unseen")
    assert (await witness.the(Finished, hold.key)).head == "unseenunseen\n"
    assert written(witness, hold.key) == ""


def test_a_secret_is_masked_wherever_what_is_handed_on_was_cut() -> None:
    output = Output(100, Masker([b"s3cret-word"]))
    output.tap = Tap(0.0)
    shown = []
    for part in (b"it is s3cr", b"et-wo", b"rd, s3cret"):
        output.feed(part)
        shown.append(output.tap.emptied()[0])
    assert output.so_far().head == "it is ***, "
    output.kept()
    shown.append(output.tap.emptied(is_last=True)[0])
    assert "".join(shown) == "it is ***, ***"
    assert all("s3c" not in text for text in shown)


def test_too_much_in_a_second_is_counted_and_the_next_second_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    tap = Tap(0.0)
    tap.feed(b"x" * MOST_PER_S)
    tap.feed(b"yy")
    now += 1
    tap.feed(b"z")  # Behind what is missing, so it is missing too.
    assert tap.emptied() == ("x" * MOST_PER_S, 3)
    tap.feed(b"z")
    assert tap.emptied() == ("z", 0)
    assert tap.emptied() == ("", 0)
    for _ in range(3):  # Nobody takes it: no more is kept than of one second.
        now += 1
        tap.feed(b"x" * MOST_PER_S)
    assert tap.emptied() == ("x" * MOST_PER_S, 2 * MOST_PER_S)
