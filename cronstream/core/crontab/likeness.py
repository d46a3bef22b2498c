"""Jobs that say the same but for name, schedule, command and description: one is made like another.

Teams write hundreds of jobs of a kind. The first of them is checked in full; what another says
otherwise is checked here, by the same rules, and the rest of it is the first one's.
"""

import re
from typing import Any, Final

from cronstream.core.crontab.model import is_job_name
from cronstream.core.crontab.plain_lines import NotPlainError, value_of
from cronstream.core.crontab.reader import Reader
from cronstream.core.wire.runs import Job

#: What each job has of its own.
_OWN: Final = frozenset(("name", "schedule", "command", "description"))
_NEEDED: Final = _OWN - {"description"}
#: What means the same beside any name, schedule and command; a job with other keys is like none.
_APART: Final = frozenset(
    (
        *("cluster", "timezone", "max_attempts", "backoff", "retry_on", "timeout", "grace", "env"),
        *("cwd", "user", "umask", "limits", "delivery", "overlap", "max_queue", "fence"),
        *("background", "missed_grace", "start_within", "ping", "on_success", "on_discard"),
    )
)
#: More is checked in full.
_LONGEST: Final = 4000
_KEY: Final = re.compile(r"[a-z_]+(?=:)")


class Likenesses:
    """The jobs of one crontab that others are made like."""

    def __init__(self, reader: Reader, indent: int) -> None:
        self._reader = reader
        self._known: dict[tuple[str, ...], Job] = {}
        self._margin = "\n" + " " * (indent + 2)
        self._own = re.compile(rf"{self._margin}({'|'.join(sorted(_OWN))}): ([^\n]*)")
        #: The same by the very text between what each has of its own.
        self._alike: dict[tuple[str, ...], Job] = {}
        #: Whether what all jobs have in common leaves each job's own to itself.
        self._may = reader.defaults.keys() <= {*_APART, "description"}

    def same_as(self, piece: str) -> Job | None:
        """Return the job of an entry whose text is a known one's but for what is its own.

        Raises:
            NotPlainError: If a value is not plain.
        """
        own, between = self._cut(piece)
        like = self._alike.get(between)
        return None if like is None or own is None else self._made_like(like, own, {})

    def _cut(self, piece: str) -> tuple[dict[str, str] | None, tuple[str, ...]]:
        """Return what is an entry's own, by key, if that is whole, and the text between."""
        parts = self._own.split(self._margin + piece[len(self._margin) - 1 :])
        own = dict(zip(parts[1::3], parts[2::3], strict=True))
        is_whole = own.keys() >= _NEEDED and 3 * len(own) < len(parts)
        return own if is_whole else None, tuple(parts[::3])

    def job_of(self, lines: list[str]) -> Job | None:
        """Return the job of an entry's lines; None if there was none like it, or it is unusual.

        Raises:
            NotPlainError: If a value is not plain.
        """
        own, variables, rest = _split(lines)
        like = self._known.get(rest)
        if like is None or not own.keys() >= _NEEDED:
            return None
        return self._made_like(like, own, variables)

    def _made_like(self, like: Job, own: dict[str, str], variables: dict[str, str]) -> Job | None:
        texts, env = _texts(own), _texts(variables)
        if texts is None or env is None:
            return None
        name = texts["name"]
        if not is_job_name(name) or not texts["command"].strip():
            return None
        schedule = self._reader.schedules.plain_text(texts["schedule"], name, like.timezone)
        if schedule is None:
            return None
        fields: dict[str, Any] = {**texts, "schedule": schedule}
        if env:
            fields["env"] = {**(like.env or {}), **env}
        return like.derive(**fields)

    def learn(self, piece: str, lines: list[str], job: Job) -> None:
        """Have others made like a job that was checked in full, or made like one that was."""
        own, variables, rest = _split(lines)
        keys = {found[0] for line in rest if (found := _KEY.match(line))}
        if self._may and keys <= _APART and own.keys() >= _NEEDED:
            self._known.setdefault(rest, job)
            if not variables:
                self._alike[self._cut(piece)[1]] = job


def _texts(own: dict[str, str]) -> dict[str, str] | None:
    """Return what stands behind some keys; None if one is no text, or longer than usual."""
    texts = {}
    for key, said in own.items():
        value = value_of(said)
        if not isinstance(value, str) or not 0 < len(value) < _LONGEST:
            return None
        texts[key] = value
    return texts


def _split(lines: list[str]) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Return what is each job's own, and its own variables, by key, and all other lines.

    Raises:
        NotPlainError: If a key is there twice.
    """
    own: dict[str, str] = {}
    variables: dict[str, str] = {}
    rest, is_in_env = [], False
    for line in lines:
        key, _, text = line.partition(": ")
        if line[0] != " ":
            is_in_env, of = line == "env:", own
        else:
            of = variables
        if not (is_in_env and of is variables) and key not in _OWN:
            rest.append(line)
            continue
        if of is variables:
            rest.append(key)
            key = key.strip()
        if key in of:
            raise NotPlainError
        of[key] = text
    # A job without a description may get that of the defaults. No line is like this one.
    return own, variables, tuple([*rest, "\n"] if "description" in own else rest)
