"""Runs a command as another user, or with limits, by the programs that are there for that.

``setpriv`` and ``prlimit`` (util-linux) become the command, as a shell does: nothing of this
process, which goes on as who it is, has to be changed and put back. Only a job that asks for it
pays for it.
"""

import os
import pwd
import resource
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: Where the two programs are, whatever a job's PATH is.
_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"
#: Linux's names of what a limit is of, by what a run calls it (getrlimit(2)).
RESOURCES: Final = {
    "cpu": resource.RLIMIT_CPU,
    "as": resource.RLIMIT_AS,
    "nofile": resource.RLIMIT_NOFILE,
    "fsize": resource.RLIMIT_FSIZE,
    "nproc": resource.RLIMIT_NPROC,
}
#: CAP_SETGID and CAP_SETUID (capabilities(7)).
_CHANGES_USER: Final = 1 << 6 | 1 << 7
#: Seconds of processor time between SIGXCPU, which a program may catch, and SIGKILL.
_CPU_GRACE_S: Final = 5


class UnconfinedError(Exception):
    """A command cannot be confined as it is to be, so it is not started."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a command is started by.

    Attributes:
        words: The programs that become it, with their arguments; none if none is needed.
        environment: What a login of its user would set.
    """

    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def confine(user: str | None, limits: dict[str, int]) -> Confinement:
    """Return how a command is started as a user, and with limits.

    Args:
        user: A name or a number; None for this process's.
        limits: By the names in `RESOURCES`; what is more than this process may have is that.

    Raises:
        UnconfinedError: If that cannot be; the sentence says why, and what to do.
    """
    words = [] if user is None else _as_user(_find_user(user))
    if limits:
        words += [_program("prlimit"), *(_limit(*item) for item in limits.items()), "--"]
    return Confinement(tuple(words), {} if user is None else _login(_find_user(user)))


def _find_user(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        raise UnconfinedError(
            f"there is no user {user!r} on this machine; make one (useradd), or change 'user'"
        ) from None


def _as_user(user: pwd.struct_passwd) -> list[str]:
    words = [_program("setpriv"), "--no-new-privs"]
    if user.pw_uid != os.geteuid():
        if not _may_change_user():
            raise UnconfinedError(
                f"cannot run as user {user.pw_name!r}: the worker runs as user {_me()!r}, and only "
                "root may run a command as another; start the worker as root, or leave out 'user'"
            )
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    return [*words, "--inh-caps=-all", "--"]


def _login(user: pwd.struct_passwd) -> dict[str, str]:
    name = user.pw_name
    return {"USER": name, "LOGNAME": name, "HOME": user.pw_dir, "SHELL": user.pw_shell or "/bin/sh"}


def _limit(name: str, limit: int) -> str:
    _, hard = resource.getrlimit(RESOURCES[name])
    most = limit + _CPU_GRACE_S if name == "cpu" else limit
    if hard != resource.RLIM_INFINITY:
        limit, most = min(limit, hard), min(most, hard)
    return f"--{name}={limit}:{most}"


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise UnconfinedError(
            f"this needs the program {name!r}, which is not on this machine; install util-linux, "
            "or leave out 'user' and 'limits'"
        )
    return found


def _may_change_user() -> bool:
    with Path("/proc/self/status").open(encoding="ascii", errors="replace") as file:
        found = (line.split()[1] for line in file if line.startswith("CapEff:"))
        return int(next(found, "0"), 16) & _CHANGES_USER == _CHANGES_USER


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
