"""Who inherits orphans reaps them, and nothing that anybody waits for."""

import subprocess
import sys

PROGRAM = """
import subprocess, time
from cronstream.executor import orphans, tree

assert not orphans.inherits_orphans()
tree.become_subreaper()
assert orphans.inherits_orphans()

def zombies():
    children = tree.OwnChildren().pids()
    return {pid for pid in children if (it := tree.look_up(pid)) and it.is_zombie}

def until_there_are(number):
    deadline = time.monotonic() + 20
    while len(zombies()) != number:
        assert time.monotonic() < deadline, zombies()
        time.sleep(0.01)

mine = subprocess.Popen(["sh", "-c", "exit 7"])
subprocess.run(["sh", "-c", "for i in 1 2 3; do sleep 0.1 & done"], check=True)
until_there_are(4)
reaper = orphans.Reaper(lambda: {mine.pid})
reaper.look()
assert len(zombies()) == 4, "one look is not enough: somebody may be about to wait"
reaper.look()
assert zombies() == {mine.pid}
assert mine.wait() == 7
print("well")
"""


def test_orphans_are_reaped_by_who_inherits_them_and_own_children_are_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("well\n", "")
