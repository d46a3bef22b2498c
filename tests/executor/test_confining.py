"""As whom a command runs, and how much it may use."""

import grp
import os
import pwd
import resource
from pathlib import Path

import pytest

from cronstream.executor import confining
from cronstream.executor.confining import UnconfinedError, confine
from tests.executor.witness import Witness, a_hold

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run as another user")
NOBODY = pwd.getpwnam("nobody")
NOBODY_GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name


async def test_limits_hold_for_a_command_and_not_for_the_next(witness: Witness) -> None:
    limits = {"cpu": 7, "as": 1 << 30, "nofile": 64, "fsize": 1 << 20, "nproc": 4096}
    show = "ulimit -Sn; ulimit -Hn; ulimit -v; ulimit -f; ulimit -t"
    confined = await witness.run(a_hold(show, limits=limits))
    assert confined.head.split() == ["64", "64", str(1 << 20), str(1 << 11), "7"]
    plain = await witness.run(a_hold(show))
    assert plain.head.split()[0] == str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


async def test_what_the_kernel_ends_for_a_limit_says_which(
    witness: Witness, tmp_path: Path
) -> None:
    spin = await witness.run(a_hold("while :; do :; done", limits={"cpu": 1}))
    assert spin.note == "it used more than its limit of 1 s of processor time"
    big = a_hold(
        ["dd", "if=/dev/zero", f"of={tmp_path}/big", "bs=64k", "count=4"], limits={"fsize": 65_536}
    )
    assert (await witness.run(big)).note == "it wrote a file of more than its limit of 65,536 bytes"


async def test_a_limit_above_the_workers_own_is_the_workers_own() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    [_, limit, _] = confine(None, {"nofile": 1 << 40}).words
    assert limit in {f"--nofile={hard}:{hard}", f"--nofile={1 << 40}:{1 << 40}"}
    assert soft <= hard


async def test_a_umask_is_the_commands_and_nobody_elses(witness: Witness, tmp_path: Path) -> None:
    assert (await witness.run(a_hold("umask", umask=0o027))).head == "0027\n"
    before = os.umask(0)
    os.umask(before)
    assert (await witness.run(a_hold("umask", cwd=str(tmp_path)))).head == f"{before:04o}\n"


@needs_root
async def test_a_command_runs_as_another_user_without_any_right_to_become_more(
    witness: Witness,
) -> None:
    show = "id -un; id -gn; echo $USER $LOGNAME $HOME; grep -E 'CapEff|NoNewP' /proc/self/status"
    for cwd in (None, "/"):
        finished = await witness.run(a_hold(show, user="nobody", cwd=cwd, limits={"nofile": 99}))
        assert finished.head.split() == [
            "nobody", NOBODY_GROUP, "nobody", "nobody", NOBODY.pw_dir,
            "CapEff:", "0" * 16, "NoNewPrivs:", "1",
        ]  # fmt: skip


@needs_root
async def test_who_runs_as_another_user_cannot_read_a_file_that_only_the_worker_may(
    witness: Witness, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("canary-1")
    token.chmod(0o600)
    command = f"cat {token}; echo ${{#TOKEN}}"
    hold = a_hold(command, user=str(NOBODY.pw_uid), secrets={"TOKEN": f"file:{token}"})
    finished = await witness.run(hold)
    assert "Permission denied" in finished.head
    assert finished.head.endswith("\n8\n")


@needs_root
async def test_another_users_command_is_ended_like_any_other(witness: Witness) -> None:
    finished = await witness.run(a_hold("sleep 30 & sleep 30", user="nobody", timeout_s=0.3))
    assert finished.outcome == "timed_out"


@pytest.mark.parametrize("user", ["no-such-user", "4294967290", "99999999999"])
async def test_a_user_that_there_is_not_fails_the_attempt(witness: Witness, user: str) -> None:
    finished = await witness.run(a_hold("true", user=user))
    assert (finished.outcome, finished.exit_status, finished.started_at) == ("failed", 126, None)
    assert finished.note is not None
    assert finished.note.startswith(f"there is no user '{user}' on this machine; make one")


def test_who_may_not_change_users_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confining, "_CHANGES_USER", 1 << 63)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345_678)
    with pytest.raises(UnconfinedError) as raised:
        confine("nobody", {})
    assert str(raised.value) == (
        "cannot run as user 'nobody': the worker runs as user '12345678', and only root may run a "
        "command as another; start the worker as root, or leave out 'user'"
    )


def test_as_the_workers_own_user_a_command_needs_no_right_but_gains_none() -> None:
    confinement = confine(str(os.geteuid()), {})
    assert confinement.words[1:] == ("--no-new-privs", "--inh-caps=-all", "--")
    assert confinement.environment["USER"] == pwd.getpwuid(os.geteuid()).pw_name


def test_a_machine_without_the_programs_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confining, "_PATH", "/nowhere")
    with pytest.raises(UnconfinedError, match=r"needs the program 'prlimit'.*install util-linux"):
        confine(None, {"cpu": 1})


async def test_a_program_that_there_is_not_is_told_as_without_limits(witness: Witness) -> None:
    finished = await witness.run(a_hold(["no-such-program"], limits={"nofile": 64}))
    assert (finished.exit_status, finished.note) == (
        127,
        "cannot start 'no-such-program': no such program in PATH",
    )
