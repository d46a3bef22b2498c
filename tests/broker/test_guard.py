import io
import os
import signal
import subprocess
import sys

import psutil
import pytest

from cronstream.broker.guard import Guard, watch

#: Starts a guard and two children, one of which it takes back; prints their pids and waits.
OWNER = """
import subprocess, sys, time
from cronstream.broker.guard import Guard
guard = Guard()
def child():
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); " \\
           "print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True,
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    guard.add(process.pid)
    return process
guarded, forgotten = child(), child()
guard.remove(forgotten.pid)
print(guarded.pid, forgotten.pid, guard.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("orders", "groups"),
    [
        ("", set()),
        ("+5\n+6\n", {5, 6}),
        ("+5\n+6\n-5\n", {6}),
        ("-5\n", set()),
        ("+5\nbye\n", set()),
    ],
)
def test_what_is_noted_and_not_taken_back_is_ended_unless_there_was_a_good_bye(
    orders: str, groups: set[int]
) -> None:
    assert watch(io.StringIO(orders)) == groups


def test_children_and_what_they_started_end_with_an_owner_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        guarded, forgotten, guard = map(int, owner.stdout.readline().split())
        family = [psutil.Process(guarded), *psutil.Process(guarded).children()]
        watcher = psutil.Process(guard)
        try:
            owner.kill()
            _, alive = psutil.wait_procs([*family, watcher], timeout=10)
            assert [process for process in alive if process.status() != "zombie"] == []
            assert len(family) == 2
            assert psutil.Process(forgotten).is_running()
        finally:
            os.killpg(forgotten, signal.SIGKILL)


def test_a_guard_that_is_closed_leaves_children_alone() -> None:
    guard = Guard()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        guard.add(child.pid)
        guard.close()
        assert child.poll() is None
        child.kill()


def test_ctrl_c_in_a_terminal_does_not_reach_a_guard() -> None:
    guard = Guard()
    assert os.getsid(guard.pid) == guard.pid != os.getsid(0)
    guard.close()


def test_a_guard_that_was_killed_takes_nothing_down_with_it() -> None:
    guard = Guard()
    os.kill(guard.pid, signal.SIGKILL)
    os.waitid(os.P_PID, guard.pid, os.WEXITED | os.WNOWAIT)
    guard.add(1234567)
    guard.remove(1234567)
    guard.close()
