"""What ``%i`` and its like stand for in a unit of systemd (systemd.unit(5), SPECIFIERS)."""

import re
import shlex
from collections.abc import Mapping
from enum import Enum
from typing import Final

from cronstream.importers.found import Lost
from cronstream.importers.ini_lines import Section

_SPECIFIER: Final = re.compile(r"%(.)", re.DOTALL)
_ANY_USERS: Final = {"T": "/tmp", "V": "/var/tmp"}  # noqa: S108 - systemd's, not ours
_SYSTEMS: Final = {"t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"}
#: The manager of the system runs as root, and that is what counts, not ``User=``.
_ROOTS: Final = {"h": "/root", "u": "root", "U": "0", "g": "root", "G": "0"}
_HOME: Final = "${HOME}"
_HOME_SAID: Final = re.compile(r"(?:[^%]|%[^h])*%h", re.DOTALL)


class Whose(Enum):
    """Whose manager a unit is for."""

    SYSTEM = "system"
    USER = "user"
    #: Nothing says.
    ANY = "any"


def whose_is(path: str, service: Section, install: Section) -> Whose:
    """Return whose a service seems to be, by where it lies and what it says.

    Args:
        path: Its file.
        service: Its [Service]; only a unit of the system names a user.
        install: Its [Install].
    """
    wanted = " ".join(setting.value for setting in install.all("WantedBy"))
    if service.last("User") or service.last("DynamicUser") or "multi-user.target" in wanted:
        return Whose.SYSTEM
    if re.search(r"systemd/user/|\.config/", path) or "default.target" in wanted:
        return Whose.USER
    return Whose.SYSTEM if "systemd/system/" in path else Whose.ANY


def specifiers(name: str, instance: str, whose: Whose) -> dict[str, str]:
    """Return what each specifier stands for that can be known without the machine."""
    stem = name.removesuffix(".service")
    unescaped = re.sub(
        r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), instance.replace("-", "/")
    )
    names = {"n": name, "N": stem, "p": stem.partition("@")[0], "i": instance, "I": unescaped}
    own = {"C": f"{_HOME}/.cache", "E": f"{_HOME}/.config"} if whose is Whose.USER else _SYSTEMS
    roots = _ROOTS if whose is Whose.SYSTEM else {"h": _HOME}
    return {"%": "%", **names, **_ANY_USERS, **own, **roots}


def specified(text: str, known: Mapping[str, str], line: int | None = None) -> str:
    """Return a text with what its specifiers stand for.

    Raises:
        Lost: If one is not known here.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise Lost(f"%{found[1]} in {text!r} is systemd's; write out what it stands for", line)
        return known[found[1]]

    return _SPECIFIER.sub(value, text)


def has_home(text: str) -> bool:
    """Whether ``%h`` is in a text."""
    return _HOME_SAID.match(text) is not None


def about_home(known: Mapping[str, str]) -> str:
    """Return what is to be said of ``%h``."""
    if known["h"] != _HOME:
        return f"%h is {known['h']}, as in each unit of the system, whoever its User= is"
    return f"%h is {_HOME}, the home of whom the job runs as; in a unit of the system it is /root"


def for_shell(text: str, known: Mapping[str, str]) -> str | None:
    """Return a text as a shell takes it that puts the home into it; None if it has none."""
    marked = {key: value.replace(_HOME, "\0") for key, value in known.items()}
    parts = specified(text, marked).split("\0")
    quoted = [shlex.quote(part) if part else "" for part in parts]
    return f'"{_HOME}"'.join(quoted) if len(parts) > 1 else None
