"""A file system that never answers, as one on NFS whose server is gone: FUSE without a daemon.

``python tests/hung_mount.py FOLDER`` mounts it until its standard input ends.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_MS_NOSUID_NODEV = 6
_MNT_DETACH = 2


@contextlib.contextmanager
def hung(folder: Path) -> Iterator[Path]:
    """Mount one on a new folder; skip the test where that cannot be done."""
    folder.mkdir()
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("it takes root and /dev/fuse to mount a file system that hangs")
    mount = subprocess.Popen(
        [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert mount.stdin is not None
    assert mount.stdout is not None
    try:
        if mount.stdout.readline() != b"mounted\n":
            pytest.skip("a FUSE file system cannot be mounted here")
        yield folder
    finally:
        mount.stdin.close()
        mount.wait()
        mount.stdout.close()


def main() -> None:
    """Mount it, say so, and unmount it at the end of the input: whoever waits gets an error."""
    folder = sys.argv[1].encode()
    libc = ctypes.CDLL(None, use_errno=True)
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"hung", folder, b"fuse", _MS_NOSUID_NODEV, options):
        raise OSError(ctypes.get_errno(), "mount")
    print("mounted", flush=True)
    sys.stdin.read()
    libc.umount2(folder, _MNT_DETACH)
    os.close(server)


if __name__ == "__main__":
    main()
