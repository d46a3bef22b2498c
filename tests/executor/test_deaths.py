"""What is left when a worker or an executor dies: nothing."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cronstream.errors import LaunchError
from cronstream.executor.child import Options
from cronstream.executor.handle import ExecutorHandle
from cronstream.executor.protocol import Finished, Started
from cronstream.executor.slots import Slots
from tests.executor.witness import (
    PATIENCE_S,
    Witness,
    a_hold,
    is_alive,
    text_in,
    until_gone,
)

WORKER = """
import asyncio, os, signal, sys
from cronstream.executor.protocol import Cancel, encode
from tests.executor.witness import Witness, a_hold

async def main(file, last_words, *commands):
    witness = Witness()
    await witness.launch(output_bytes=100_000)
    witness.lease()
    for command in commands:
        await witness.started(a_hold(command, grace_s=60.0))
    executor, link = witness.handle.pid, witness.handle._transport
    exec(last_words)
    with open(file, "w") as file:
        print(executor, file=file)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""
STOP = "os.kill(executor, signal.SIGSTOP); "


async def a_worker(
    folder: Path, *commands: str, last_words: str = ""
) -> tuple["subprocess.Popen[bytes]", int]:
    """A process with an executor that runs ``commands``; and the executor's process id."""
    file = folder / "executor"
    worker = begin(sys.executable, "-c", WORKER, str(file), last_words, *commands)
    return worker, int(await text_in(file))


def begin(*command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, start_new_session=True)


def end(worker: "subprocess.Popen[bytes]") -> None:
    worker.kill()
    worker.wait()


async def test_a_killed_worker_takes_its_commands_along_deaf_ones_too(tmp_path: Path) -> None:
    plain, deaf, away = (tmp_path / name for name in ("plain", "deaf", "away"))
    worker, executor = await a_worker(
        tmp_path,
        f"echo $$ > {plain}; sleep 30",
        f"trap '' TERM; echo $$ > {deaf}; while :; do sleep 1; done",
        f"env -i setsid sh -c 'echo $$ > {away}; exec sleep 30' >/dev/null 2>&1 & sleep 30",
    )
    pids = [int(await text_in(file)) for file in (plain, deaf, away)]
    assert all(map(is_alive, [*pids, executor]))
    end(worker)
    await until_gone(*pids, executor, within_s=20.0)


#: What a worker may be about when it dies.
MIDSTS = {
    "an order that is to be answered": STOP + "link.write(encode([Cancel('other#2')]))",
    "many to be started": STOP + "link.write(encode([a_hold()] * 3000))",
    "half an order": STOP + 'link.write(b\'["Cancel", {"ke\')',
    "half an order, which was read": 'link.write(b\'["Cancel", {"ke\')',
    "the word to end": STOP + "link.write_eof()",
    "the word to end, which was read": "link.write_eof()",
    "reports that it does not take": (
        "link.pause_reading(); link.write(encode("
        "[a_hold('head -c 200000 /dev/zero') for _ in range(9)] + [Cancel('other#2')]))"
    ),
}


async def test_a_command_ends_with_its_worker_in_the_midst_of_orders(tmp_path: Path) -> None:
    async def dies(about: str) -> None:
        folder = tmp_path / about.replace(" ", "-")
        folder.mkdir()
        file = folder / "command"
        command = f"echo $$ > {file}; exec sleep 60"
        worker, executor = await a_worker(folder, command, last_words=MIDSTS[about])
        pid = int(await text_in(file))
        end(worker)
        with contextlib.suppress(ProcessLookupError):  # One that was not stopped may be gone.
            os.kill(executor, signal.SIGCONT)
        await until_gone(pid, executor, within_s=20.0)

    await asyncio.gather(*map(dies, MIDSTS))


async def test_a_signal_for_the_group_is_left_to_the_worker(witness: Witness) -> None:
    await witness.run(a_hold())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(witness.handle.pid, number)
    assert (await witness.run(a_hold())).outcome == "succeeded"
    assert os.getsid(witness.handle.pid) == witness.handle.pid


async def test_a_killed_executor_leaves_nothing_and_its_worker_is_told(tmp_path: Path) -> None:
    witness = Witness()
    await witness.launch()
    witness.lease()
    marked, away = tmp_path / "marked", tmp_path / "away"
    by_session = await witness.started(a_hold(["env", "-i", "sleep", "30"]))
    await witness.started(
        a_hold(
            f"(setsid sh -c 'env -i setsid sleep 30 & echo $! > {away}; echo $$ > {marked}; wait'"
            " >/dev/null 2>&1 &); sleep 30"
        )
    )
    pids = [by_session.pid, int(await text_in(marked)), int(await text_in(away))]
    bystander = begin("sleep", "30")
    os.kill(witness.handle.pid, signal.SIGKILL)
    await witness.until(lambda: bool(witness.deaths))
    assert not any(map(is_alive, pids))
    assert is_alive(bystander.pid)
    assert witness.deaths == [f"executor {witness.handle.pid} has died (signal 9)"]
    witness.send(a_hold())
    await witness.handle.close()
    assert len(witness.deaths) == 1
    end(bystander)


async def test_reports_that_came_before_a_death_are_passed_on_before_it() -> None:
    witness = Witness()
    await witness.launch()
    witness.lease()
    hold = a_hold()
    await witness.run(hold)
    os.kill(witness.handle.pid, signal.SIGKILL)
    await witness.until(lambda: bool(witness.deaths))
    assert witness.of(Finished, hold.key)


async def test_reports_are_read_though_a_write_is_what_meets_the_death(tmp_path: Path) -> None:
    witness = Witness()
    await witness.launch()
    witness.lease()
    transport = witness.handle._transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    hold, file = a_hold(f"echo > {tmp_path}/it"), tmp_path / "it"
    witness.send(hold, a_hold(f"until [ -e {file} ]; do :; done; sleep 0.1; kill -9 $PPID"))
    await until_gone(witness.handle.pid)
    witness.send(a_hold())
    await witness.until(lambda: bool(witness.deaths))
    assert witness.of(Finished, hold.key)


async def test_an_executor_that_cannot_be_understood_is_buried() -> None:
    witness = Witness()
    await witness.launch()
    witness.lease()
    started = await witness.started(a_hold("sleep 30"))
    transport = witness.handle._transport
    assert transport is not None
    transport.write(b"nonsense\n")
    await witness.until(lambda: bool(witness.deaths))
    assert "exit status 1" in witness.deaths[0]
    assert not is_alive(started.pid)


async def test_a_stopped_worker_holds_up_no_command_and_gets_every_report(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ours: list[int] = []
    witness = Witness()
    await witness.launch(slots=4, output_bytes=100_000)
    witness.lease()
    transport = witness.handle._transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    holds = [a_hold(f"head -c 200000 /dev/zero | tr '\\0' x; echo {i} >> {log}") for i in range(12)]
    witness.send(*holds)
    async with asyncio.timeout(PATIENCE_S):
        while len(ours) < 12:
            ours = [int(line) for line in log.read_text().split()] if log.exists() else []
            await asyncio.sleep(0.01)
    assert witness.reports == []
    transport.resume_reading()
    await witness.until(lambda: len(witness.of(Finished)) == 12)
    assert {report.omitted for report in witness.of(Finished)} == {0}
    await witness.handle.close()


async def test_an_executor_with_few_descriptors_uses_fewer_slots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = tmp_path / "python"
    few.write_text(f'#!/bin/sh\nulimit -n 44\nexec "{sys.executable}" "$@"\n')
    few.chmod(0o755)
    witness = Witness()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(few))
        await witness.launch(slots=64)
    witness.lease()
    holds = [a_hold("sleep 0.1") for _ in range(20)]
    witness.send(*holds)
    await witness.until(lambda: len(witness.of(Finished)) == 20)
    assert {report.outcome for report in witness.of(Finished)} == {"succeeded"}
    starts = sorted(report.at for report in witness.of(Started))
    assert starts[8] - starts[0] >= 0.1
    await witness.handle.close()


async def test_a_shortage_of_descriptors_fails_the_command_and_passes(witness: Witness) -> None:
    await witness.run(a_hold())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(witness.handle.pid, resource.RLIMIT_NOFILE, (3, hard))
    finished = await witness.run(a_hold())
    assert (finished.outcome, finished.started_at) == ("failed", None)
    assert "too many open files" in (finished.note or "")
    resource.prlimit(witness.handle.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert (await witness.run(a_hold())).outcome == "succeeded"


async def test_an_executor_that_cannot_be_started_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(LaunchError, match="the executor cannot be started"):
        await ExecutorHandle.launch(Slots.make(1), Options(1), lambda _: None, lambda *_: None)
