"""Which jars the embedded Kafka consists of: their names and SHA-256, as they were tested.

``jars.sha256`` has them, as ``sha256sum`` writes and checks it. What has another digest, or is not
named there, is not run: whoever can write to a mirror, or to the folder where jars are kept, could
have put anything in its place.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("jars.sha256")


class PinError(ValueError):
    """A jar is not the one that was tested."""


@cache
def pins() -> Mapping[str, str]:
    """Return the SHA-256 of each jar, in hex, by its name."""
    lines = (line.split() for line in _FILE.read_text().splitlines())
    return {name: digest for digest, name in lines}


def check(folder: Path, wanted: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the jars of a folder, in a stable order: those that were tested, and no others.

    It takes some 0.1 s.

    Raises:
        PinError: If one is another, is missing, or is none of them.
        OSError: If one cannot be read.
    """
    wanted = pins() if wanted is None else wanted
    found = {jar.name: jar for jar in sorted(folder.glob("*.jar"))}
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            fault = "is missing"
        elif name not in wanted:
            fault = "is none of Kafka's"
        elif _digest(found[name]) != wanted[name]:
            fault = "is not the one that was tested (its SHA-256 is another)"
        else:
            continue
        raise PinError(f"{folder}: {name} {fault}")
    return tuple(found.values())


def _digest(jar: Path) -> str:
    with jar.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
