"""A file system that never answers, as one on NFS whose server is gone: FUSE without a daemon.

It is mounted where only the test and the processes that it starts see it, so that it is gone with
them, however they end, and that no test beside it finds a file system that may hang.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000
_MS_NOSUID_NODEV = 6
_MS_REC_PRIVATE = 0x4000 | 1 << 18
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def mounts_of_its_own() -> Iterator[None]:
    """Give this thread, and what it starts, its own table of mounts; skip where that can't be.

    See mount_namespaces(7): a namespace goes with the last process in it, and its mounts with it.
    """
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("it takes root and /dev/fuse to mount a file system that hangs")
    place, before = Path.cwd(), os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
    try:
        _done(_libc.unshare(_CLONE_NEWNS), "unshare")
        _done(_libc.mount(None, b"/", None, _MS_REC_PRIVATE, None), "make private")
        yield
    finally:
        # A thread that was begun meanwhile shares its directory, and would hold it here.
        _done(_libc.unshare(_CLONE_FS), "unshare")
        _done(_libc.setns(before, _CLONE_NEWNS), "setns")  # to its root directory
        os.chdir(place)
        os.close(before)


@contextlib.contextmanager
def hung(folder: Path) -> Iterator[Path]:
    """Mount one on a new folder, amid ``mounts_of_its_own``; at the end all who wait are told."""
    folder.mkdir()
    server = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
        _done(_libc.mount(b"hung", bytes(folder), b"fuse", _MS_NOSUID_NODEV, options), "mount")
        yield folder
    finally:
        _libc.umount2(bytes(folder), _MNT_DETACH)
        os.close(server)


def _done(status: int, what: str) -> None:
    if status:
        pytest.skip(f"{what}: {os.strerror(ctypes.get_errno())}")
