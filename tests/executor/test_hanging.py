"""A file system that never answers holds up nobody but the command that is about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cronstream.executor.protocol import End, Finished, Hanging, Started
from tests.executor.witness import Witness, a_hold, is_alive, now
from tests.hung_mount import hung, mounts_of_its_own


@pytest.fixture(autouse=True)  # before the executor, which is to see it
def _mounts() -> Iterator[None]:
    with mounts_of_its_own():
        yield


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    with hung(tmp_path / "hung") as folder:
        yield folder


def held_up(mount: Path) -> dict[str, dict[str, object]]:
    """What asks something of the file system before it is a command of its own."""
    script, link = mount.parent / "script", mount.parent / "link"
    script.write_text(f"#!{mount}/interpreter\n")
    script.chmod(0o755)
    link.symlink_to(mount)
    return {
        "directory": {"command": "true", "cwd": str(mount)},
        "directory of a program": {"command": "/bin/true", "cwd": f"{mount}/a/b"},
        "directory of a list": {"command": ["true"], "cwd": str(link)},
        "program": {"command": f"{mount}/program"},
        "program of a list": {"command": [f"{link}/program", "x"]},
        "path": {"command": ["program"], "env": {"PATH": f"{mount}:/bin"}},
        "interpreter": {"command": str(script)},
        "interpreter of a list": {"command": [str(script)]},
    }


async def test_what_hangs_before_it_is_a_command_holds_up_no_other_and_meets_its_timeout(
    witness: Witness, mount: Path
) -> None:
    kinds = held_up(mount)
    hanging = {
        kind: a_hold(timeout_s=3.0, grace_s=0.2, **fields)  # type: ignore[arg-type]
        for kind, fields in kinds.items()
    }
    long = a_hold("sleep 60", timeout_s=1.0)
    witness.send(long, *list(hanging.values())[:7])  # One slot of eight is left.
    await witness.the(Finished, long.key)
    others = [a_hold(command, at=now() + 0.2 * i) for i, command in enumerate(["/bin/true"] * 9)]
    witness.send(*others)
    for other in others:
        assert (await witness.the(Finished, other.key)).outcome == "succeeded"
    witness.send(list(hanging.values())[7])

    for kind, hold in hanging.items():
        finished = await witness.the(Finished, hold.key)
        assert finished.outcome == "timed_out", kind
        assert "it ran longer than 3 s and was ended" in (finished.note or "")
    for kind in ("directory", "directory of a program", "directory of a list"):
        key, cwd = hanging[kind].key, kinds[kind]["cwd"]
        told = f"its directory {cwd!r} does not answer (a file system that hangs?)"
        assert [report.note for report in witness.of(Hanging, key)] == [told]
        assert (witness.of(Finished, key)[0].note or "").endswith(told)
    for kind in ("program of a list", "path", "interpreter of a list"):
        [report] = witness.of(Hanging, hanging[kind].key)
        assert report.note.startswith("its program does not answer")
    assert not witness.of(Hanging, long.key, *(other.key for other in others))
    assert not any(is_alive(one.pid) for one in witness.of(Started))
    late = [(await witness.the(Started, one.key)).at - one.at for one in others]
    assert min(late) < 0.5


async def test_what_hangs_is_ended_when_it_is_told_to_and_when_its_worker_goes(
    witness: Witness, mount: Path
) -> None:
    told, left = (a_hold("true", cwd=str(mount), grace_s=0.1) for _ in range(2))
    started = [await witness.started(hold) for hold in (told, left)]
    witness.send(End(told.key, "it was cancelled"))
    finished = await witness.the(Finished, told.key)
    assert (finished.outcome, finished.note) == ("interrupted", "it was cancelled")
    await witness.handle.close()
    assert not any(is_alive(one.pid) for one in started)


async def test_a_file_system_that_comes_later_is_seen(witness: Witness, tmp_path: Path) -> None:
    await witness.run(a_hold("/bin/true"))
    with hung(tmp_path / "hung") as mount:
        hold = a_hold(f"{mount}/program", timeout_s=0.5, grace_s=0.1)
        witness.send(hold)
        assert (await witness.run(a_hold("/bin/true"))).outcome == "succeeded"
        assert (await witness.the(Finished, hold.key)).outcome == "timed_out"
