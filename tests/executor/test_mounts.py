"""Which tables of mounts have a file system that may hang; and a real one that does."""

import pytest

from cronstream.executor.mounts import may_hang

LINE = "36 35 98:0 / {} rw,noatime master:1 - {} {} rw,errors=continue\n"


@pytest.mark.parametrize(
    ("place", "kind", "source", "is_risk"),
    [
        ("/", "ext4", "/dev/root", False),
        ("/data", "xfs", "/dev/sdb1", False),
        ("/mnt", "nfs4", "server:/export", True),
        ("/mnt", "fuse", "hung", True),
        ("/mnt", "fuse.sshfs", "host:", True),
        ("/mnt/with\\040space", "cifs", "//server/share", True),
        ("/net", "autofs", "auto.net", True),
        ("/mnt", "a-kind-of-tomorrow", "x", True),
        ("/", "9p", "root", False),
        ("/proc/sys/fs/binfmt_misc", "autofs", "systemd-1", False),
        ("/proc/cpuinfo", "fuse.lxcfs", "lxcfs", False),
        ("/processing", "nfs", "server:/x", True),
    ],
)
def test_a_file_system_that_depends_on_somebody_else_may_hang(
    place: str, kind: str, source: str, is_risk: bool
) -> None:
    table = LINE.format("/", "ext4", "/dev/root") + LINE.format(place, kind, source)
    assert may_hang(table.encode()) is is_risk
