"""What stands against a start becomes a value, never an error."""

import errno
import os
from pathlib import Path
from typing import Never

import pytest

from cronstream.executor.spawn import Refused, Spawner, find_program, words_of
from tests.executor.witness import a_hold


def fails_with(number: int) -> object:
    def fail(*_args: object, **_named: object) -> Never:
        raise OSError(number, os.strerror(number))

    return fail


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("function", "number", "note"),
    [
        ("posix_spawn", errno.EAGAIN, "too many processes"),
        ("posix_spawn", errno.ENOMEM, "Cannot allocate memory"),
        ("posix_spawn", errno.ENOEXEC, "neither a program nor a script"),
        ("pipe", errno.ENFILE, "too many open files"),
    ],
)
def test_a_shortage_refuses_the_start_and_leaves_no_descriptor_open(
    monkeypatch: pytest.MonkeyPatch, function: str, number: int, note: str
) -> None:
    spawner = Spawner({"PATH": "/bin"}, lambda: False)
    before = open_descriptors()
    monkeypatch.setattr(os, function, fails_with(number))
    refused = spawner.start(a_hold())
    assert isinstance(refused, Refused)
    assert refused.exit_status == 126
    assert note in refused.note
    assert open_descriptors() == before


def test_a_program_is_the_first_in_path_that_may_be_executed(tmp_path: Path) -> None:
    for name, mode in [("a", 0o644), ("b", 0o755), ("c", 0o755)]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "prog").touch(mode=mode)
    (tmp_path / "dir" / "prog").mkdir(parents=True)
    path = ":".join(str(tmp_path / name) for name in ("dir", "a", "b", "c"))
    # root may read and write anything, but executes only what has an x
    assert find_program("prog", path) == str(tmp_path / "b" / "prog")
    assert find_program("prog", str(tmp_path / "a")) == str(tmp_path / "a" / "prog")
    assert find_program("prog", str(tmp_path / "dir")) is None
    assert find_program("./prog", path) == "./prog"


@pytest.mark.parametrize(
    "command",
    ["/bin/echo a  b", "/bin/echo x=1 --y=%d:@,+ ", "/bin/true"],
)
def test_plain_words_are_started_without_a_shell(command: str) -> None:
    assert words_of(command) == command.split()


@pytest.mark.parametrize(
    "command",
    [
        *("true", "echo a", "./x", "A=1 /bin/x", "/bin/x=1", " /bin/echo", "/bin/echo\ta", ""),
        *(f"/bin/echo a{sign}b" for sign in "\"'`$\\*?[]{}()<>|&;#~!^\n\0é"),
    ],
)
def test_whatever_a_shell_might_act_on_is_left_to_a_shell(command: str) -> None:
    assert words_of(command) == ["/bin/sh", "-c", command]
