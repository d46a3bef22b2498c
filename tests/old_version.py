"""The package as it was at level 1, to be run beside the present one (tests/old/README.md)."""

import tarfile
from pathlib import Path

_ARCHIVE = Path(__file__).parent / "old" / "cronstream-level-1.tar.xz"


def unpack_old(folder: Path) -> dict[str, str]:
    """Unpack the package into a folder; return the variables with which Python takes it."""
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder)}
