import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cronstream.core.health.presence import Presence
from cronstream.core.trust.judging import Standing
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import SkipReason
from cronstream.errors import KeysError
from cronstream.settings import Settings
from cronstream.trust.key_file import is_exposed
from cronstream.trust.keyring import Keyring, judge_for_command
from cronstream.trust.signer import Signer, SigningKey, new_key
from tests.builders import NOON, a_run
from tests.core.health.test_presence import a_process
from tests.signing import a_key, trusted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trusted"


def write(file: Path, *keys: SigningKey, more: str = "") -> None:
    new = file.with_suffix(".new")
    new.write_text("".join(f"{trusted(key).line()}\n" for key in keys) + more)
    new.rename(file)


def a_worker(**fields: Any) -> Presence:
    return a_process(**fields)


# -- whom it trusts --------------------------------------------------------------------------------


def test_without_a_file_nothing_is_judged() -> None:
    keyring = Keyring(Settings())

    assert keyring.ids is None
    assert keyring.judge(a_key().sign(a_run())).standing is Standing.TRUSTED
    assert not keyring.refresh()


def test_the_file_is_read_again_when_it_has_changed(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(file, a_key(1))
    keyring = Keyring(Settings(trusted_keys=file, signatures="require"))
    signed = a_key(2).sign(a_run())
    assert keyring.judge(signed).standing is Standing.UNKNOWN_KEY
    assert not keyring.refresh()

    write(file, a_key(1), a_key(2))

    assert keyring.refresh()
    assert keyring.judge(signed).standing is Standing.TRUSTED
    assert keyring.judge(a_run()).standing is Standing.REFUSED
    assert keyring.ids == sorted([a_key(1).id, a_key(2).id])
    assert "2 keys are trusted from now on" in caplog.messages
    write(file, a_key(2), a_key(1), more="# another order\n")
    assert not keyring.refresh()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda file: file.write_text("x\n"), "cannot be used: line 1: write ID PUBLIC-KEY"),
        (lambda file: file.write_bytes(b"\xff\n"), "is no text in UTF-8"),
        (lambda file: file.unlink(), "cannot be read (no such file or directory)"),
        (lambda file: file.write_bytes(b"#" * 1_000_001), "is larger than 1 MB"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_logged_once(
    spoil: Any, why: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, a_key())
    keyring = Keyring(Settings(trusted_keys=file))

    spoil(file)
    assert not keyring.refresh()
    assert not keyring.refresh()

    [said] = caplog.messages
    assert said.startswith(f"CRONSTREAM_TRUSTED_KEYS: {file} {why}")
    assert said.endswith("the 1 keys that were trusted before stay in force")
    assert keyring.judge(a_key().sign(a_run())).standing is Standing.TRUSTED
    with pytest.raises(KeysError):
        Keyring(Settings(trusted_keys=file))


# -- what it signs with ----------------------------------------------------------------------------


def test_a_private_key_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"

    key = new_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    signer = Signer(Settings(signing_key=path, trusted_keys=path), at_once=True)
    assert signer.id == key.id
    with pytest.raises(KeysError, match="is there already"):
        new_key(path)
    with pytest.raises(KeysError, match="cannot be written"):
        new_key(tmp_path / "none" / "key")


def an_rsa_key() -> bytes:
    key = generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("raw", "mode", "why"),
    [
        (b"", 0o600, "has no private key in PEM: make one with 'cronstream keys new'"),
        (an_rsa_key(), 0o600, "has a key of another kind than ed25519"),
        (b"", 0o640, "may be read by others: chmod 600"),
    ],
)
def test_a_key_that_cannot_be_used_says_what_to_do(
    raw: bytes, mode: int, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_bytes(raw)
    path.chmod(mode)

    with pytest.raises(KeysError) as caught:
        Signer(Settings(signing_key=path, trusted_keys=path))

    assert str(caught.value).startswith(f"CRONSTREAM_SIGNING_KEY: {path} {why}")


@pytest.mark.parametrize(
    ("mode", "owner", "user", "exposed"),
    [
        (0o100600, 1000, 1000, False),
        (0o100640, 1000, 1000, True),
        (0o100604, 1000, 1000, True),
        (0o100440, 0, 10001, False),  # a Secret of Kubernetes, mounted for a group
        (0o100444, 0, 10001, True),
        (0o100460, 0, 10001, True),
        (0o100440, 1000, 10001, True),
        (0o100640, 0, 0, True),
    ],
)
def test_a_group_may_read_a_key_only_if_it_is_roots_and_its_user_is_not_root(
    mode: int, owner: int, user: int, exposed: bool
) -> None:
    assert is_exposed(mode, owner=owner, user=user) is exposed


def test_only_runs_and_jobs_are_signed_and_once() -> None:
    key = a_key()
    signed = key.sign(a_run())
    skip = Skip(job="a", revision=1, reason=SkipReason.MISSED, from_at=NOON, to_at=NOON)

    assert key.sign(skip) is skip
    assert a_key(2).sign(signed) is signed
    assert Signer(Settings()).sign(a_run()) == a_run()


def test_nobody_signs_before_all_that_judge_trust_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key"
    key = new_key(path)
    signer = Signer(Settings(signing_key=path, trusted_keys=path))
    others, blind = a_worker(trusts=["x"]), a_worker(name="n.2")
    trusting = a_worker(name="n.3", trusts=["x", key.id])

    assert not signer.heed([others, blind, trusting])
    assert not signer.heed([others, blind, trusting])
    assert signer.sign(a_run()).signature is None
    [said] = caplog.messages
    assert said == signer.warning
    assert said.startswith(f"nothing is signed by key {key.id} yet, for {others} does not trust it")

    assert signer.heed([blind, trusting])
    assert (signer.id, signer.warning) == (key.id, "")
    assert signer.sign(a_run()).signature is not None
    assert not signer.heed([others])


def test_where_signatures_are_required_it_signs_with_a_key_that_will_be_waited_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key"
    new_key(path)
    signer = Signer(Settings(signing_key=path, trusted_keys=path))

    assert signer.heed([a_worker(trusts=[]), a_worker(trusts=[], requires_signatures=True)])


def test_a_new_key_is_used_once_all_trust_it_and_until_then_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, later = tmp_path / "key", tmp_path / "new"
    old, new = new_key(path), new_key(later)
    signer = Signer(Settings(signing_key=path, trusted_keys=path))
    signer.heed([])
    assert signer.id == old.id

    later.rename(path)
    assert not signer.heed([a_worker(trusts=[old.id])])
    assert signer.id == old.id
    assert signer.heed([a_worker(trusts=[old.id, new.id])])
    assert signer.id == new.id

    path.write_text("spoilt")
    assert not signer.heed([])
    assert signer.id == new.id
    assert caplog.messages[-1].endswith("the key before it stays in use")


def test_what_a_key_may_not_ask_for_is_known_before_it_signs(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = new_key(path)
    signer = Signer(Settings(signing_key=path, trusted_keys=path))
    line = {key.id: trusted(key, "schedule")}

    assert signer.lacks(line, ["schedule", "legacy"]) == "legacy"
    assert signer.lacks(line, ["schedule"]) == ""
    assert signer.lacks({}, ["schedule"]) == ""
    assert Signer(Settings()).lacks(line, ["legacy"]) == ""


def test_a_command_that_signs_judges_strictly(tmp_path: Path) -> None:
    file = tmp_path / "trusted"
    write(file, a_key())
    accepting = Settings(trusted_keys=file)
    signing = Settings(trusted_keys=file, signing_key=tmp_path / "key")

    assert judge_for_command(accepting)(a_run()).standing is Standing.TRUSTED
    assert judge_for_command(signing)(a_run()).reason == "unsigned"
    assert judge_for_command(signing)(a_key().sign(a_run())).standing is Standing.TRUSTED
