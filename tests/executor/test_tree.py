import os
import signal
import subprocess
import sys
from collections.abc import Iterable

import pytest

from cronstream.executor import tree
from cronstream.executor.tree import Process


def a_table(**parents: int) -> dict[int, Process]:
    return {int(pid[1:]): Process(parent, 1, False) for pid, parent in parents.items()}


def test_all_descendants_are_found_parents_first_and_each_once() -> None:
    table = a_table(p1=0, p5=1, p2=5, p3=5, p4=3, p9=1)
    assert tree.beneath([5], table) == [5, 2, 3, 4]
    assert tree.beneath([5, 4, 3], table) == [5, 4, 3, 2]


def test_a_root_that_the_table_has_not_is_kept() -> None:
    assert tree.beneath([7], {}) == [7]


def test_this_process_is_in_the_table_as_it_is() -> None:
    process = tree.process_table()[os.getpid()]
    assert process == Process(os.getppid(), os.getsid(0), False)


def test_a_name_with_spaces_and_parentheses_confuses_nobody() -> None:
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b') R 1 (x'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert tree.look_up(child.pid) == Process(os.getpid(), os.getsid(0), False)
        child.kill()


def test_a_variable_of_another_process_is_read_exactly() -> None:
    environment = {"AB": "no", "A": "x=y é"}
    with subprocess.Popen(["sleep", "9"], env=os.environ | environment) as child:
        assert tree.variable(child.pid, "A") == "x=y é"
        assert tree.variable(child.pid, "NOT") is None
        child.kill()
    assert tree.variable(child.pid, "A") is None
    assert tree.look_up(child.pid) is None


def test_own_children_are_counted_until_they_are_reaped() -> None:
    children = tree.OwnChildren()
    before = children.pids()
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert children.pids() - before == {child.pid}
    looked_up = tree.look_up(child.pid)
    assert looked_up is not None
    assert looked_up.is_zombie
    child.wait()
    assert children.pids() == before


def test_a_signal_for_nobody_is_no_error() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    tree.send([child.pid], signal.SIGTERM)


def test_killing_gives_up_on_what_cannot_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[None] = []
    sent: list[int] = []

    def send(pids: Iterable[int], _number: signal.Signals) -> None:
        sent.extend(pids)

    monkeypatch.setattr(tree, "send", send)
    assert not tree.kill_wherever(
        lambda pid, _: pid == os.getpid(), pause=lambda: pauses.append(None), sweeps=3
    )
    assert len(pauses) == 3
    assert os.getpid() in sent
