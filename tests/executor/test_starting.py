"""When commands are started, and how: against real processes."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from cronstream.executor.protocol import (
    Cancel,
    Cancelled,
    End,
    Finished,
    Go,
    Kept,
    Ready,
    Started,
)
from tests.executor.witness import Witness, a_hold, now, text_in


async def test_a_command_runs_in_a_shell_and_its_output_and_status_are_reported(
    witness: Witness,
) -> None:
    hold = a_hold("echo out; echo err >&2; exit 3")
    finished = await witness.run(hold)
    started = await witness.the(Started, hold.key)
    assert (finished.outcome, finished.exit_status, finished.signal) == ("failed", 3, None)
    assert (finished.head, finished.tail, finished.omitted) == ("out\nerr\n", "", 0)
    assert finished.note is None
    assert finished.started_at == started.at <= finished.ended_at <= now()


async def test_a_list_is_started_without_a_shell(witness: Witness) -> None:
    finished = await witness.run(a_hold(["printf", "%s|", "$HOME", "a b"]))
    assert (finished.outcome, finished.exit_status) == ("succeeded", 0)
    assert finished.head == "$HOME|a b|"


async def test_a_command_gets_its_variables_its_mark_and_its_directory(
    witness: Witness, tmp_path: Path
) -> None:
    hold = a_hold("pwd; echo $A $CRONSTREAM_EXECUTION; pwd", env={"A": "é"}, cwd=str(tmp_path))
    assert (await witness.run(hold)).head == f"{tmp_path}\né {hold.key}\n{tmp_path}\n"
    assert (await witness.run(a_hold("pwd"))).head == f"{Path.cwd()}\n"


async def test_a_command_gets_of_its_workers_environment_what_is_listed_and_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = ("CRONSTREAM_BROKER", "CRONSTREAM_CLUSTER", "F_DATADIR", "FAUST_DEBUG", "F_WORKDIR")
    for name in (*settings, "SSH_KEY", "SSH_KEYS", "LC_ALL", "NOT_LISTED"):
        monkeypatch.setenv(name, "x")
    witness = Witness()
    await witness.launch(output_bytes=100_000, pass_env="PATH,SSH_KEY,LC_*,CRONSTREAM_*")
    witness.lease()
    try:
        hold = a_hold("env | cut -d= -f1", env={"CRONSTREAM_RUN_ID": "backup@1"})
        variables = set((await witness.run(hold)).head.splitlines())
    finally:
        await witness.handle.close()
    assert {"PATH", "SSH_KEY", "LC_ALL"} <= variables
    assert not {"SSH_KEYS", "NOT_LISTED"} & variables
    ours = {name for name in variables if name.startswith(("CRONSTREAM_", "F_", "FAUST_"))}
    assert ours == {"CRONSTREAM_RUN_ID", "CRONSTREAM_EXECUTION", "CRONSTREAM_EXECUTOR"}


async def test_a_command_without_a_shell_is_told_its_directory(
    witness: Witness, tmp_path: Path
) -> None:
    finished = await witness.run(a_hold("/usr/bin/printenv PWD", cwd=str(tmp_path)))
    assert finished.head == f"{tmp_path}\n"


async def test_a_command_has_a_session_of_its_own_no_input_no_descriptors_and_plain_signals(
    witness: Witness,
) -> None:
    program = (
        "import os, signal, sys; print(os.getsid(0) == os.getpgrp() == os.getpid(),"
        "repr(sys.stdin.read()),"
        "sorted(map(int, os.listdir('/proc/self/fd')))[:-1],"
        "[n for n in (13, 25, 2, 15, 1) if n != 13 and n != 25"
        " and signal.getsignal(n) == signal.SIG_IGN], signal.pthread_sigmask(0, ()))"
    )
    finished = await witness.run(a_hold([sys.executable, "-c", program]))
    assert finished.head == "True '' [0, 1, 2] [] set()\n"


async def test_a_broken_pipe_ends_a_command_as_in_a_shell(witness: Witness) -> None:
    program = "grep SigIgn /proc/self/status | cut -f2"
    assert int((await witness.run(a_hold(program))).head, 16) & (1 << (signal.SIGPIPE - 1)) == 0


async def test_a_signal_that_ends_a_command_is_reported(witness: Witness) -> None:
    finished = await witness.run(a_hold("kill -USR1 $$"))
    assert (finished.outcome, finished.exit_status) == ("failed", None)
    assert finished.signal == signal.SIGUSR1


@pytest.mark.parametrize(
    ("fields", "status", "note"),
    [
        ({"command": ["no-such-program", "x"]}, 127, "no such program in PATH"),
        ({"command": ["/no/such/program"]}, 127, "no such file"),
        ({"command": ["true"], "env": {"PATH": "/nowhere"}}, 127, "no such program in PATH"),
        ({"command": ["/etc/passwd"]}, 126, "permission denied"),
        ({"command": ["true", "x" * 3_000_000]}, 126, "too long"),
        ({"command": ["true", "a\0b"]}, 126, "null"),
        ({"command": "true", "env": {"a=b": "c"}}, 126, "environment"),
        ({"command": []}, 126, "empty"),
        ({"command": ["true", 1]}, 126, "'true'"),
    ],
)
async def test_a_command_that_cannot_be_started_has_failed_and_says_why(
    witness: Witness, fields: dict[str, object], status: int, note: str
) -> None:
    finished = await witness.run(a_hold(**fields))  # type: ignore[arg-type]  # wrong on purpose
    assert (finished.outcome, finished.started_at) == ("failed", None)
    assert finished.exit_status == status
    assert note in (finished.note or "")
    assert not witness.of(Started)
    assert (await witness.run(a_hold("pwd"))).head == f"{Path.cwd()}\n"


@pytest.mark.parametrize(
    ("cwd", "reason"),
    [("/no/such/directory", "it does not exist"), ("/etc/passwd", "it is not a directory")],
)
@pytest.mark.parametrize("command", ["pwd", "/bin/pwd", ["pwd"]])
async def test_a_command_that_cannot_get_to_its_directory_has_failed_and_says_why(
    witness: Witness, command: str | list[str], cwd: str, reason: str
) -> None:
    finished = await witness.run(a_hold(command, cwd=cwd))
    assert (finished.outcome, finished.exit_status, finished.head) == ("failed", 126, "")
    assert finished.note == f"cannot start in directory '{cwd}': {reason}"


async def test_a_script_without_its_interpreter_is_told_from_a_missing_one(
    witness: Witness, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    finished = await witness.run(a_hold([str(script)]))
    assert (finished.exit_status, "interpreter" in (finished.note or "")) == (127, True)


async def test_a_command_starts_when_it_is_due_within_milliseconds(witness: Witness) -> None:
    """A busy machine may hold up any of them, but not all: the best tells what the loop does."""
    late = [1.0]
    while min(late) >= 0.02 and len(late) < 100:
        hold = a_hold(["true"], at=now() + 0.2)
        witness.send(hold)
        late.append((await witness.the(Started, hold.key)).at - hold.at)
    assert 0 <= min(late) < 0.02


async def test_with_few_slots_starts_go_by_due_time_and_then_by_arrival() -> None:
    witness = Witness()
    await witness.launch(slots=1)
    times = [3.0, 1.0, 2.0, 1.0, 2.0]
    holds = [a_hold(["true"], key=f"{i}", at=at) for i, at in enumerate(times)]
    witness.send(*holds)
    witness.lease()
    await witness.until(lambda: len(witness.of(Finished)) == len(holds))
    assert [report.key for report in witness.of(Started)] == ["1", "3", "2", "4", "0"]
    ends = {report.key: report.ended_at for report in witness.of(Finished)}
    starts = witness.of(Started)
    assert all(ends[a.key] <= b.at for a, b in pairwise(starts))
    await witness.handle.close()


async def test_three_hundred_due_at_once_each_run_exactly_once(tmp_path: Path) -> None:
    witness = Witness()
    await witness.launch(slots=64)
    log = tmp_path / "log"
    due = now() + 0.2
    holds = [a_hold(f"echo {i} >> {log}", at=due) for i in range(300)]
    witness.lease()
    witness.send(*holds, *holds)
    await witness.until(lambda: len(witness.of(Finished)) == 300)
    witness.send(*holds)
    await witness.run(a_hold())
    assert sorted(map(int, log.read_text().split())) == list(range(300))
    assert len(witness.of(Started)) == len(witness.of(Finished)) == 301
    await witness.handle.close()


async def test_a_key_is_started_once_however_often_it_is_told(
    witness: Witness, tmp_path: Path
) -> None:
    hold = a_hold(f"echo x >> {tmp_path}/log")
    witness.send(hold, hold)
    await witness.run(hold)
    witness.send(hold)
    await witness.run(a_hold())
    assert (tmp_path / "log").read_text() == "x\n"
    assert len(witness.of(Finished, hold.key)) == 1


async def test_a_hold_that_has_not_started_is_cancelled(witness: Witness) -> None:
    hold = a_hold("exit 1", at=now() + 0.1)
    witness.send(hold, Cancel(hold.key))
    await witness.the(Cancelled, hold.key)
    await witness.run(a_hold("sleep 0.2"))
    assert not witness.of(Started, hold.key)


async def test_a_hold_that_has_started_or_ended_is_kept(witness: Witness) -> None:
    hold = a_hold("read x < fifo || sleep 0.1")
    await witness.started(hold)
    witness.send(Cancel(hold.key))
    await witness.the(Kept, hold.key)
    assert (await witness.the(Finished, hold.key)).outcome == "succeeded"
    witness.send(Cancel(hold.key), Cancel("never heard of"))
    await witness.the(Cancelled, "never heard of")
    assert len(witness.of(Kept, hold.key)) == 2


async def test_end_of_what_has_not_started_is_a_cancellation(witness: Witness) -> None:
    hold = a_hold(at=now() + 60)
    witness.send(hold, End(hold.key, None))
    await witness.the(Cancelled, hold.key)


async def test_what_has_no_go_starts_only_with_it(witness: Witness) -> None:
    hold = a_hold(go=False)
    witness.send(hold)
    await witness.run(a_hold())
    assert len(witness.of(Ready, hold.key)) == 1
    assert not witness.of(Started, hold.key)
    witness.send(Go(hold.key))
    await witness.the(Finished, hold.key)


@pytest_asyncio.fixture
async def narrow() -> AsyncIterator[Witness]:
    """An executor with one slot."""
    witness = Witness()
    await witness.launch(slots=1)
    witness.lease()
    yield witness
    await witness.handle.close()


async def test_what_waits_for_its_go_keeps_a_slot_until_it_is_cancelled(narrow: Witness) -> None:
    first, second = a_hold(go=False, at=now() - 2), a_hold("true", at=now() - 1)
    narrow.send(first, second)
    await narrow.the(Ready, first.key)
    assert not narrow.of(Started, second.key)
    narrow.send(Cancel(first.key))
    await narrow.the(Finished, second.key)


async def test_nothing_that_is_due_later_takes_the_turn_of_what_waits_for_its_go(
    narrow: Witness,
) -> None:
    running = a_hold("sleep 0.3")
    narrow.send(running)
    await narrow.the(Started, running.key)
    asking = a_hold(go=False, at=now() - 2)
    later = [a_hold("true", at=now() - 1) for _ in range(5)]
    narrow.send(*later, asking)
    await narrow.the(Ready, asking.key)
    assert not any(narrow.of(Started, hold.key) for hold in later)
    narrow.send(Go(asking.key))
    await narrow.the(Finished, later[-1].key)


async def test_a_lease_that_is_over_stops_starts_and_a_newer_one_lets_them_go(
    witness: Witness,
) -> None:
    witness.lease("q", 0.05)
    due = now() + 0.1
    hold = a_hold(partition="q", at=due)
    witness.send(hold)
    await witness.run(a_hold(at=due + 0.1))
    assert not witness.of(Started, hold.key)
    witness.lease("q")
    await witness.the(Finished, hold.key)


async def test_a_command_outlives_the_lease_it_was_started_under(witness: Witness) -> None:
    witness.lease("q")
    hold = a_hold("sleep 0.5", partition="q")
    await witness.started(hold)
    witness.lease("q", 0.1)
    assert (await witness.the(Finished, hold.key)).outcome == "succeeded"


async def test_long_output_is_kept_at_both_ends_and_counted(witness: Witness) -> None:
    finished = await witness.run(a_hold("echo begin; head -c 1000000 /dev/zero; echo end"))
    assert finished.head == "begin\n" + "\0" * 994
    assert finished.tail == "\0" * 996 + "end\n"
    assert finished.omitted == 1_000_010 - 2000


async def test_output_that_is_no_text_is_shown_as_far_as_it_is(witness: Witness) -> None:
    finished = await witness.run(a_hold(r"printf 'a\377b\303'"))
    assert finished.head == "a\ufffdb\ufffd"


async def test_a_command_that_closes_its_output_runs_on(witness: Witness, tmp_path: Path) -> None:
    hold = a_hold(f"exec >&- 2>&-; echo here > {tmp_path}/file; sleep 0.1; exit 4")
    started = await witness.started(hold)
    assert await text_in(tmp_path / "file") == "here\n"
    assert not witness.of(Finished)
    os.kill(started.pid, 0)
    assert (await witness.the(Finished, hold.key)).exit_status == 4


async def test_a_script_that_names_no_interpreter_is_the_shells(
    witness: Witness, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("echo $1\n")
    script.chmod(0o755)
    assert (await witness.run(a_hold(f"{script} a"))).head == "a\n"
    assert (await witness.run(a_hold([str(script), "a"]))).exit_status == 126


async def test_reports_of_commands_do_not_wait_for_those_that_are_due_and_have_no_slot(
    witness: Witness,
) -> None:
    witness.send(*(a_hold("sleep 120") for _ in range(9)))
    await witness.until(lambda: len(witness.of(Started)) == 8)
    assert not witness.of(Finished)
