"""The lines of a classic crontab: variables and entries, with what stands above them.

After crontab(5) of Debian and of cronie, `load_env` and `load_entry` there, and supercronic's
`crontab.go`, which reads the same but for users, ``%`` and its own fields.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cronstream.importers.dialect import nicknames

_VARIABLE: Final = re.compile(
    r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s='"]+))\s*=\s*(.*?)\s*""", re.DOTALL
)
_FIELD: Final = r"[\d*?~,/#A-Za-z-]+"
#: OpenBSD: no mail, no log, no second run while one is going on.
_FLAGS: Final = re.compile(r"((?:-[nqs]+\s+)+)(?=\S)")
#: What was an entry, or a variable, before somebody took it out.
_NUMBERS: Final = r"[\d*][\d*?~,/-]*\s+"
_NAMES: Final = r"[\d*?~,/-]+|(?:[a-z]{3}\b[,-]?)+"
_TAKEN_OUT: Final = re.compile(
    rf"-?(?:{_NUMBERS}){{3}}(?:(?:{_NAMES})\s+){{2}}\S|-?@[a-z_]+\s+\S|[A-Z][A-Z0-9_]*\s*=",
    re.IGNORECASE,
)
#: What programs write around the entries that are theirs.
_MARKER: Final = re.compile(
    r"~|[-=*#<>{}+]{3}|-\*-|(?:\S+ )*(?:BEGIN|START|END)\b|(?:Begin|End) Whenever\b|HEADER:"
    r"|(?i:.*(?:auto-?generated|do not (?:edit|modify|remove)))"
)
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
#: Accounts that a system's own crontabs run commands as, and no program is called.
_ACCOUNTS: Final = frozenset(
    (
        *("root", "www-data", "nobody", "daemon", "munin", "logcheck", "smmsp", "amavis"),
        *("apache", "vmail", "zabbix", "nagios", "ubuntu", "ec2-user", "debian", "vagrant"),
    )
)


@dataclass(frozen=True, slots=True)
class Variable:
    """A line ``NAME=value``, which holds for what follows it."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with a schedule and a command.

    Attributes:
        schedule: Its fields or its nickname, as they stand there.
        command: All behind them, the user too if there is one.
        flags: OpenBSD's, such as ``n`` and ``s``.
        above: The comment that stands directly above it.
    """

    line: int
    schedule: str
    command: str
    flags: str = ""
    above: str = ""


@dataclass(frozen=True, slots=True)
class Odd:
    """A line that is neither."""

    line: int
    text: str


def read_lines(text: str, *, fields: tuple[int, ...] = (5,)) -> Iterator[Variable | Entry | Odd]:
    """Yield what stands in a crontab, without comments.

    Args:
        text: All of it.
        fields: How many fields a schedule may have; the first number that fits is taken.
    """
    comment: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip(" \t\r\f")
        if not line:
            comment = []
        elif line.startswith("#"):
            said = line.lstrip("#").strip()
            # What stands above it is about that, and not about what follows.
            comment = [] if _is_none(said) else [*comment, said]
        else:
            yield _line(number, line, fields, " ".join(comment))
            comment = []


def _is_none(comment: str) -> bool:
    """Whether a comment describes nothing."""
    return bool(_TAKEN_OUT.match(comment) or _MARKER.match(comment))


def _line(number: int, line: str, fields: tuple[int, ...], above: str) -> Variable | Entry | Odd:
    variable = _VARIABLE.fullmatch(line)
    if variable:
        name = variable[1] or variable[2] or variable[3] or ""
        return Variable(number, name, _unquoted(variable[4]))
    # SUSE and Debian: the log is not to hear of it.
    entry = line.removeprefix("-").lstrip()
    name = entry.split(maxsplit=1)[0].lower()
    if name in nicknames() or name == "@every":
        count = 2 if name == "@every" else 1
        return _entry(number, entry, count, above) or Odd(number, line)
    for count in fields:
        # A year; else the command would be taken for one.
        last = _FIELD if count == 5 else r"[\d*?,/-]+"
        if re.match(rf"(?:{_FIELD}\s+){{{count - 1}}}{last}(?:\s|$)", entry):
            found = _entry(number, entry, count, above)
            if found is not None:
                return found
    return Odd(number, line)


def _entry(number: int, entry: str, count: int, above: str) -> Entry | None:
    parts = entry.split(maxsplit=count)
    if len(parts) <= count:
        return None
    flags, command = split_flags(parts[count])
    return Entry(number, " ".join(parts[:count]), command, flags, above)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        return value[1:-1]
    return value


def split_flags(command: str) -> tuple[str, str]:
    """Return OpenBSD's flags that a command begins with, ``ns``, and the rest."""
    flags = _FLAGS.match(command)
    if flags is None:
        return "", command
    return re.sub(r"[\s-]", "", flags[1]), command[flags.end() :]


def split_user(command: str) -> tuple[str | None, str]:
    """Return the user that a command begins with, and the rest; None if there is no rest."""
    words = command.split(maxsplit=1)
    user = words[0].partition(":")[0] if words else ""  # FreeBSD: with a group behind it.
    rest = words[1] if len(words) > 1 else ""
    if not rest.strip() or not _USER.fullmatch(user):
        return None, command
    return user, rest.strip()


def has_users(text: str) -> bool:
    """Whether each entry seems to name a user, as those of /etc/crontab and /etc/cron.d do."""
    entries = [line for line in read_lines(text) if isinstance(line, Entry)]
    users = [split_user(entry.command)[0] for entry in entries]
    return bool(users) and None not in users and any(user in _ACCOUNTS for user in users)


def split_input(command: str) -> tuple[str, str | None]:
    r"""Return a command without what stands behind its first ``%``, and that, which it reads.

    Each further ``%`` begins a line, and ``\%`` is the sign itself; None if there is none.
    """
    parts = [part.replace(r"\%", "%") for part in re.split(r"(?<!\\)%", command)]
    return parts[0], "\n".join(parts[1:]) if len(parts) > 1 else None
