"""What this process shows Kafka of itself, as the files have it now: each connection asks anew.

What cannot be read is an OSError, as aiokafka takes a connection that fails: a client that had a
password goes on asking until its file is there again.
"""

import asyncio
import os
import ssl
import subprocess
from pathlib import Path
from typing import NoReturn

from aiokafka.abc import AbstractTokenProvider

from cronstream.access import Access
from cronstream.fitted.to_aiokafka.logins import ShownError

#: A command that prints a token may ask somebody else for it.
_TOKEN_WITHIN_S = 10.0


def read_password(access: Access) -> str:
    """Return the password, without the end of its line.

    Raises:
        ShownError: If there is none in the file; it says which.
    """
    return _only_line("CRONSTREAM_BROKER_PASSWORD_FILE", access.broker_password_file)


class Tokens(AbstractTokenProvider):
    """Gives each connection a token of its own: a file's, or what a command prints."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def token(self) -> str:
        """Return a token; raises ShownError if there is none."""
        return await asyncio.to_thread(self.now)

    def now(self) -> str:
        """Return a token; raises ShownError if there is none."""
        command = self._access.broker_token_command
        if command is None:
            return _only_line("CRONSTREAM_BROKER_TOKEN_FILE", self._access.broker_token_file)
        return _printed(command)


class Certificates:
    """Whom this process trusts, and who it is: made anew when one of the files has changed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made: tuple[object, ssl.SSLContext] | None = None

    def now(self) -> ssl.SSLContext:
        """Return what the files say now; raises ShownError if one cannot be used."""
        access = self._access
        files = {
            "CRONSTREAM_BROKER_CA": access.broker_ca,
            "CRONSTREAM_BROKER_CERT": access.broker_cert,
            "CRONSTREAM_BROKER_KEY": access.broker_key,
        }
        state = [_state(variable, path) for variable, path in files.items() if path is not None]
        if self._made is None or self._made[0] != state:
            self._made = state, self._make()
        return self._made[1]

    def _make(self) -> ssl.SSLContext:
        access = self._access
        try:
            context = ssl.create_default_context(cafile=access.broker_ca)
        except ssl.SSLError as error:
            raise ShownError(
                f"CRONSTREAM_BROKER_CA: {access.broker_ca} has no certificate in PEM"
            ) from error
        if access.broker_cert is not None:
            try:
                context.load_cert_chain(access.broker_cert, access.broker_key, _refuse)
            except ssl.SSLError as error:
                where = access.broker_key or access.broker_cert
                raise ShownError(
                    f"CRONSTREAM_BROKER_CERT: {access.broker_cert} is no certificate in PEM that "
                    f"the key in {where} belongs to ({error.reason or error})"
                ) from error
        return context


def _refuse() -> NoReturn:
    """Be asked for a key's password: without this, OpenSSL would ask on the terminal."""
    raise ShownError("CRONSTREAM_BROKER_KEY: the key is encrypted; give one that is not")


def _state(variable: str, path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
        with path.open("rb"):
            return found.st_ino, found.st_size, found.st_mtime_ns
    except OSError as error:
        raise _unreadable(variable, path, error) from error


def _only_line(variable: str, path: Path | None) -> str:
    if path is None:  # The settings see to it that this is not so.
        raise ShownError(f"{variable} is not set")
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ShownError(f"{variable}: {path} is no text in UTF-8") from error
    except OSError as error:
        raise _unreadable(variable, path, error) from error
    if not text or "\n" in text:
        lines = "more than one line" if text else "nothing"
        raise ShownError(f"{variable}: {path} has {lines} in it")
    return text


def _unreadable(variable: str, path: Path, error: OSError) -> ShownError:
    return ShownError(
        f"{variable}: {path} cannot be read ({(error.strerror or str(error)).lower()})"
    )


def _printed(command: str) -> str:
    """Return what a command prints; as a shell's, for it is one line of a person's."""
    variable = "CRONSTREAM_BROKER_TOKEN_COMMAND"
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TOKEN_WITHIN_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ShownError(f"{variable}: no token within {_TOKEN_WITHIN_S:g} s") from error
    token = done.stdout.decode(errors="replace").strip()
    if done.returncode or not token or len(token.split()) > 1:
        said = os.fsdecode(done.stderr).strip().splitlines()[-1:] or ["it said nothing of why"]
        raise ShownError(f"{variable}: no token, but exit status {done.returncode}: {said[0]}")
    return token
