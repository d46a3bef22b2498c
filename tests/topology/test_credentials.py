"""What is shown Kafka is what the files have at that moment, or a sentence that names the file."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chaos.certificates import Authority
from cronstream.access import Access
from cronstream.fitted.to_aiokafka.logins import ShownError
from cronstream.topology.credentials import Certificates, Tokens, read_password


def access(**more: Any) -> Access:
    """Return what cannot be had from variables: only what a test is about."""
    return Access.model_construct(**dict.fromkeys(Access.model_fields) | more)


def by_command(command: str) -> Tokens:
    return Tokens(access(broker_token_command=command))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("certificates") / "authority")


def test_a_password_is_read_anew_each_time_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    shown = access(broker_password_file=file)

    for password in ("open sesame ", "tür=zu"):
        file.write_text(f"{password}\n", encoding="utf-8")
        assert read_password(shown) == password


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (no such file or directory)"),
        (b"\n", "has nothing in it"),
        (b"one\ntwo\n", "has more than one line in it"),
        (b"\xff\xfe", "is no text in UTF-8"),
    ],
)
def test_a_file_without_a_password_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ShownError) as raised:
        read_password(access(broker_password_file=file))

    assert str(raised.value) == f"CRONSTREAM_BROKER_PASSWORD_FILE: {file} {said}"


async def test_a_token_is_what_a_file_has_or_a_command_prints(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc.def.\n")

    assert await Tokens(access(broker_token_file=file)).token() == "abc.def."
    assert await by_command(f"cat {file} && echo noise >&2").token() == "abc.def."


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo 'no network' >&2; exit 3", "no token, but exit status 3: no network"),
        ("true", "no token, but exit status 0: it said nothing of why"),
        ("echo two words", "no token, but exit status 0: it said nothing of why"),
    ],
)
async def test_a_command_that_prints_no_token_is_told_with_what_it_said(
    command: str, said: str
) -> None:
    with pytest.raises(ShownError) as raised:
        await by_command(command).token()

    assert str(raised.value) == f"CRONSTREAM_BROKER_TOKEN_COMMAND: {said}"


async def test_a_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronstream.topology.credentials._TOKEN_WITHIN_S", 0.1)

    with pytest.raises(ShownError, match=r"no token within 0\.1 s"):
        await by_command("exec sleep 60").token()


def test_certificates_are_read_anew_once_a_file_has_changed(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate.read_bytes())
    certificates = Certificates(access(broker_ca=file))

    first = certificates.now()
    assert certificates.now() is first
    trusted = first.get_ca_certs()

    # As secrets are changed in a container: another file takes the place of this one.
    other = Authority.new(tmp_path / "other").certificate
    os.replace(other, file)  # noqa: PTH105 - it is about this call of the system's
    assert certificates.now().get_ca_certs() != trusted


@pytest.mark.parametrize(
    ("variable", "said"),
    [("broker_ca", "has no certificate in PEM"), ("broker_cert", "is no certificate in PEM")],
)
def test_what_is_no_certificate_is_named(tmp_path: Path, variable: str, said: str) -> None:
    file = tmp_path / "file"
    file.write_text("nothing\n")

    with pytest.raises(ShownError) as raised:
        Certificates(access(**{variable: file})).now()

    assert str(raised.value).startswith(f"CRONSTREAM_{variable.upper()}: {file} {said}")


def test_a_key_that_is_another_certificates_is_named(authority: Authority) -> None:
    certificate, other = authority.issue("one"), authority.issue("other")

    with pytest.raises(ShownError, match=f"key in {other} belongs to"):
        Certificates(access(broker_cert=certificate, broker_key=other)).now()


def test_nobody_is_asked_for_the_password_of_a_key(authority: Authority, tmp_path: Path) -> None:
    both, encrypted = authority.issue("careful"), tmp_path / "encrypted.key"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", both, "-out", encrypted, "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )

    with pytest.raises(ShownError, match=r"^CRONSTREAM_BROKER_KEY: the key is encrypted"):
        Certificates(access(broker_cert=both, broker_key=encrypted)).now()
