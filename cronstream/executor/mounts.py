"""Whether a file system of this machine may leave whoever touches it waiting for somebody else.

A file of a network or FUSE file system whose server is gone holds up its user for as long as it is
gone. Of what kind the mounted ones are is asked of the kernel's table, which touches none of them.
"""

import os
import re
import select

#: File systems on this machine's own disks, in its memory, or of the kernel.
_OWN = re.compile(
    "aufs|bcachefs|binfmt_misc|bpf|btrfs|cgroup|cgroup2|configfs|debugfs|devpts|devtmpfs|efivarfs|"
    "erofs|exfat|ext2|ext3|ext4|f2fs|fusectl|hugetlbfs|iso9660|jfs|mqueue|nsfs|ntfs3|overlay|proc|"
    "pstore|ramfs|reiserfs|rootfs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs|udf|vfat|xfs|zfs"
)
#: Where the kernel's own things are, with what systemd (autofs) and containers (lxcfs) put there.
_KERNELS = ("/proc/", "/sys/", "/dev/")
_TABLE = "/proc/self/mountinfo"
_CHUNK = 1 << 16


class Mounts:
    """What is mounted, looked at again when it has changed."""

    def __init__(self, table: str = _TABLE) -> None:
        self._file = os.open(table, os.O_RDONLY)
        # The kernel reports a change of this file as POLLPRI (proc(5)).
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLPRI)
        self._may_hang = may_hang(self._text())

    def may_hang(self) -> bool:
        """Say whether there is one now that may hang, the root aside: without it nothing goes."""
        if self._poll.poll(0):
            self._may_hang = may_hang(self._text())
        return self._may_hang

    def _text(self) -> bytes:
        os.lseek(self._file, 0, os.SEEK_SET)
        text = b""
        while data := os.read(self._file, _CHUNK):
            text += data
        return text


def may_hang(table: bytes) -> bool:
    """Say so of a table of mounts (``/proc/PID/mountinfo``, proc(5))."""
    for line in table.decode(errors="replace").splitlines():
        about, _, source = line.partition(" - ")
        place, kind = about.split(" ")[4], source.split(" ")[0]
        is_kernels = f"{place}/".startswith(_KERNELS)
        if place != "/" and not is_kernels and not _OWN.fullmatch(kind):
            return True
    return False
