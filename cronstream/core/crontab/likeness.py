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

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, ...], Job] = {}
        #: Whether what all jobs have in common leaves each job's own to itself.
        self._may = reader.defaults.keys() <= {*_APART, "description"}

    def job_of(self, lines: list[str]) -> Job | None:
        """Return the job of an entry's lines; None if there was none like it, or it is unusual.

        Raises:
            NotPlainError: If a value is not plain.
        """
        own, variables, rest = _split(lines)
        like = self._known.get(rest)
        if like is None or not own.keys() >= _NEEDED:
            return None
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

    def learn(self, lines: list[str], job: Job) -> None:
        """Have others made like a job that was checked in full."""
        own, _, rest = _split(lines)
        keys = {found[0] for line in rest if (found := _KEY.match(line))}
        if self._may and keys <= _APART and own.keys() >= _NEEDED:
            self._known[rest] = job


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
