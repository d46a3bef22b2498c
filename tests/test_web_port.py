"""Each process of an installation has a web port of its own, also if all start at once."""

import subprocess
import sys

CHOOSE = """
import sys
from cronstream.web_port import free_web_port
from cronstream.core.naming import Role
print(free_web_port("127.0.0.1", Role.of(None, retry=False)), flush=True)
sys.stdin.read()
"""


def test_two_schedulers_that_start_together_choose_different_ports() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CHOOSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    ports = [process.stdout.readline() for process in started if process.stdout is not None]
    for process in started:
        process.communicate()
    assert len(set(ports)) == 3
    assert all(int(port) > 0 for port in ports)
