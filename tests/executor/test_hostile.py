"""A command that turns against its executor costs that attempt, and nobody else's."""

import os
import subprocess
import sys

import pytest

from cronstream.executor.balance import Balance
from cronstream.executor.protocol import Finished
from cronstream.executor.slots import Slots
from tests.executor.test_pool import Pool
from tests.executor.witness import a_hold

#: Takes all slots out of the pipe that its executor's command line names, and keeps it empty.
DRAIN = """
import os, time
ppid = os.getppid()
words = open(f"/proc/{ppid}/cmdline").read().split("\\0")
[pipe] = [word.partition("=")[2] for word in words if word.startswith("--slots=")]
end = os.open(f"/proc/{ppid}/fd/{pipe.split(',')[0]}", os.O_RDONLY | os.O_NONBLOCK)
print("opened", len(os.read(end, 65536)))
"""
#: What a process of the same user may do to another, each time refused.
PRY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ppid = os.getppid()
for what in ("fd/0", "environ", "mem"):
    try:
        os.close(os.open(f"/proc/{ppid}/{what}", os.O_RDONLY))
        print("opened", what)
    except PermissionError:
        print("refused", what)
pidfd = os.pidfd_open(ppid)
got = libc.syscall(438, pidfd, 0, 0)  # pidfd_getfd(2)
print("refused" if got < 0 and ctypes.get_errno() == 1 else "opened", "pidfd_getfd")
got = libc.ptrace(16, ppid, 0, 0)  # PTRACE_ATTACH
print("refused" if got < 0 and ctypes.get_errno() == 1 else "opened", "ptrace")
"""
#: Has a command pry into its executor, and the executor's guard be looked at.
STAGE = """
import asyncio, sys
from tests.executor.witness import Witness, a_hold

async def main():
    witness = Witness()
    await witness.launch()
    witness.lease()
    finished = await witness.run(a_hold([sys.executable, "-c", sys.argv[1]]))
    print(finished.head, end="")
    await witness.handle.close()

asyncio.run(main())
"""


def test_a_command_of_the_same_user_cannot_look_into_its_executor() -> None:
    # Root may look anywhere, unless it lacks the right to.
    rights = ("sys_ptrace", "dac_override", "dac_read_search", "perfmon", "sys_admin")
    without = ["setpriv", f"--bounding-set=-{',-'.join(rights)}", "--inh-caps=-all"]
    less = without if os.geteuid() == 0 else []
    said = subprocess.run(
        [*less, sys.executable, "-c", STAGE, PRY], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert said.splitlines() == [
        f"refused {what}" for what in ("fd/0", "environ", "mem", "pidfd_getfd", "ptrace")
    ]


async def test_a_command_that_drains_the_slots_holds_nobody_up_for_long() -> None:
    pool = Pool()
    await pool.launch(1, 4)
    try:
        drain = a_hold([sys.executable, "-c", DRAIN])
        pool.pool.send(drain)
        await pool.until(Finished, 1)
        others = [a_hold("true") for _ in range(8)]
        pool.pool.send(*others)
        await pool.until(Finished, 9)
        assert not pool.deaths
        await pool.until_so(lambda: pool.pool._slots.number == 4)
    finally:
        await pool.pool.close()


@pytest.mark.parametrize("wrong", [3, -2])
def test_slots_are_put_right_once_they_have_been_wrong_for_some_looks(wrong: int) -> None:
    slots, taken = Slots.make(8), 2
    balance = Balance(slots, lambda: taken)
    for _ in range(2):
        slots.acquire()
    slots.release(wrong)
    for _ in range(-wrong):
        slots.acquire()

    for _ in range(4):
        balance.look()
    assert slots.number == 6 + wrong
    balance.look()
    assert slots.number == 6
    for _ in range(10):
        balance.look()
    assert slots.number == 6
    slots.close()


def test_what_is_wrong_for_a_moment_is_none_of_its_business() -> None:
    slots, taken = Slots.make(8), [1]
    balance = Balance(slots, lambda: taken[0])
    for look in range(40):
        taken[0] = look % 3
        balance.look()
    assert slots.number == 8
    slots.close()


def test_the_executor_and_its_guard_have_no_settings_of_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_BROKER_TOKEN_COMMAND", "canary-token")
    stage = """
import asyncio, os, pathlib
from tests.executor.test_pool import Pool

async def main():
    pool = Pool()
    await pool.launch(1, 1)
    await asyncio.sleep(0.3)
    for child in pool.pool.children:
        print(b"canary-token" in pathlib.Path(f"/proc/{child}/environ").read_bytes())
    await pool.pool.close()

asyncio.run(main())
"""
    if os.geteuid() != 0:
        pytest.skip("only root may look")
    said = subprocess.run(
        [sys.executable, "-c", stage], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert said.split() == ["False", "False"]
