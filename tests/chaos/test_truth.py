import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.truth import PROCESS, executions, write_note

BOOT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_command_that_ended_has_both_times() -> None:
    lines = ["j@1 1 start 10.50 77 w.1", "j@1 1 end 12.00 77 w.1"]
    [execution] = executions(lines, BOOT)
    assert (execution.run, execution.attempt, execution.pid) == ("j@1", 1, 77)
    assert execution.started_at == BOOT + timedelta(seconds=10.5)
    assert execution.ended_at == BOOT + timedelta(seconds=12)


def test_a_command_that_was_killed_has_no_end() -> None:
    [execution] = executions(["j@1 1 start 10.50 77 w.1"], BOOT)
    assert execution.ended_at is None


def test_two_processes_of_one_attempt_are_two() -> None:
    lines = ["j@1 1 start 2.0 78 w.2", "j@1 1 start 1.0 77 w.1", "j@1 1 end 3.0 77 w.1"]
    assert [execution.process for execution in executions(lines, BOOT)] == ["w.1", "w.2"]


def test_a_shell_writes_what_is_read_back(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    note = write_note(tmp_path / "note.sh", truth)
    boot = datetime.fromtimestamp(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), UTC)
    variables = {"CRONSTREAM_RUN_ID": "j@1", "CRONSTREAM_ATTEMPT": "2", PROCESS: "w.1"}

    began = datetime.now(UTC)
    # Its worker's disk may be full, which limits what is started beneath it.
    shell = f"ulimit -S -f 0; {note}; note start; note end"
    subprocess.run(["/bin/sh", "-c", shell], env=variables, check=True)

    [execution] = executions(truth.read_text().splitlines(), boot)
    assert (execution.run, execution.attempt, execution.process) == ("j@1", 2, "w.1")
    assert execution.ended_at is not None
    assert timedelta(seconds=-0.05) < execution.started_at - began < timedelta(seconds=5)
