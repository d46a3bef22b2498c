"""The package as it was at earlier levels, to run beside the present one (tests/old/README.md)."""

import compileall
import tarfile
from pathlib import Path

_ARCHIVES = Path(__file__).parent / "old"
#: The levels of which there is a version.
OLD_LEVELS = (1, 2, 3)


def unpack_old(folder: Path, level: int) -> dict[str, str]:
    """Unpack the package into a folder; return the variables with which Python takes it."""
    with tarfile.open(_ARCHIVES / f"cronstream-level-{level}.tar.xz") as archive:
        if hasattr(tarfile, "data_filter"):  # It came with Python 3.11.4.
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    compileall.compile_dir(folder, quiet=1)  # Once, and not in each of its processes.
    return {"PYTHONPATH": str(folder)}
