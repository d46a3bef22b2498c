"""A variable whose value is only named: read at each start, and masked in the output."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from cronstream.executor import secrets
from cronstream.executor.secrets import MOST_BYTES, SecretReader, UnavailableError
from tests.executor.witness import Witness, a_hold

CANARY = "canary-6f1c9a"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    return file


async def test_a_command_finds_the_value_and_nobody_sees_it_in_its_output(
    witness: Witness, token: Path
) -> None:
    command = 'echo "$TOKEN"; printf %s canary-; sleep 0.1; echo 6f1c9a; echo ${#TOKEN}'
    finished = await witness.run(a_hold(command, secrets={"TOKEN": f"file:{token}"}))
    assert finished.head == f"***\n***\n{len(CANARY)}\n"


async def test_a_secret_of_the_workers_own_environment_is_found_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_WORKER", CANARY)
    witness = Witness()
    await witness.launch()
    witness.lease()
    try:
        hold = a_hold("env; echo ${#TOKEN}", secrets={"TOKEN": "from:OF_THE_WORKER"})
        finished = await witness.run(hold)
    finally:
        await witness.handle.close()
    assert "TOKEN=***\n" in finished.head
    assert "OF_THE_WORKER" not in finished.head
    assert finished.head.endswith(f"{len(CANARY)}\n")


async def test_a_secret_that_was_changed_is_the_new_one_at_the_next_start(
    witness: Witness, token: Path
) -> None:
    hold = {"secrets": {"TOKEN": f"file:{token}"}}
    first = await witness.run(a_hold("echo ${#TOKEN}", **hold))
    await asyncio.to_thread(token.write_text, "another")
    second = await witness.run(a_hold("echo ${#TOKEN} $TOKEN", **hold))
    assert (first.head, second.head) == (f"{len(CANARY)}\n", "7 ***\n")


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("file:{folder}/none", "{folder}/none cannot be read (no such file or directory); make it"),
        (
            "file:{folder}",
            "{folder} cannot be read (it is not a file); mend it, or name another",
        ),
        ("file:{folder}/pipe", "cannot be read (it is not a file)"),
        ("file:{folder}/large", "cannot be read (it is larger than 64 KiB)"),
        ("file:{folder}/nul", "cannot be read (there is a NUL in it)"),
        ("file:a\0b", "cannot be read (embedded null byte)"),
        ("from:NOT_THERE", "NOT_THERE is not set where this worker was started; set it there and"),
        ("vault:x", "no worker knows what 'vault:x' is"),
    ],
)
async def test_a_secret_that_cannot_be_had_fails_the_attempt_and_says_what_to_do(
    witness: Witness, tmp_path: Path, named: str, why: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    (tmp_path / "nul").write_bytes(b"a\0b")
    hold = a_hold("echo ran", secrets={"TOKEN": named.format(folder=tmp_path)})
    finished = await witness.run(hold)
    assert (finished.outcome, finished.exit_status, finished.started_at) == ("failed", 126, None)
    assert finished.note is not None
    assert finished.note.startswith("variable TOKEN: ")
    assert why.format(folder=tmp_path) in finished.note
    assert (await witness.run(a_hold("echo next"))).head == "next\n"


def test_a_file_that_may_not_be_read_is_told(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(UnavailableError, match=r"token cannot be read \(permission denied\); make"):
        SecretReader({}, lambda: False).read({"TOKEN": f"file:{token}"})


def test_a_file_system_that_does_not_answer_is_not_waited_for(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SecretReader({}, lambda: True)
    assert reader.read({"TOKEN": f"file:{token}"}) == {b"TOKEN": CANARY.encode()}
    with pytest.raises(UnavailableError, match="no such file"):
        reader.read({"TOKEN": f"file:{token}s"})

    answers, waits = threading.Event(), []

    def hang(path: str) -> bytes:
        waits.append(path)
        answers.wait(10)
        return b"late"

    monkeypatch.setattr(secrets, "_PATIENCE_S", 0.01)
    with monkeypatch.context() as hung:
        hung.setattr(secrets, "read_file", hang)
        for _ in range(3):
            with pytest.raises(UnavailableError, match="its file system does not answer"):
                reader.read({"TOKEN": f"file:{token}"})
        assert len(waits) == 1  # The others are told at once.
        answers.set()
        reader._stuck[str(token.parent)].join()
    monkeypatch.setattr(secrets, "_PATIENCE_S", 5.0)
    assert reader.read({"TOKEN": f"file:{token}"}) == {b"TOKEN": CANARY.encode()}
