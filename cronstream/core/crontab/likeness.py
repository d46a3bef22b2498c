"""Jobs that say the same but for name, schedule, command and description: one is made like another.

Teams write hundreds of jobs of a kind. The first of them is checked in full; what another says
otherwise is checked here, by the same rules, and the rest of it is the first one's.
"""

import re
from typing import Final, NamedTuple

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
        *("on_stop", "drain"),
    )
)
#: More is checked in full.
_LONGEST: Final = 4000
_KEY: Final = re.compile(r"[a-z_]+(?=:)")


class _Shape(NamedTuple):
    """The text of an entry between what is its own, and a job of it.

    Attributes:
        like: That job.
        keys: What is an entry's own, in the order of its lines.
        below: How many lines below the first its name stands.
    """

    like: Job
    keys: tuple[str, ...]
    below: int


class Likenesses:
    """The jobs of one crontab that others are made like."""

    def __init__(self, reader: Reader, indent: int) -> None:
        self._reader = reader
        self._known: dict[tuple[str, ...], Job] = {}
        self._margin = "\n" + " " * (indent + 2)
        self._own = re.compile(rf"{self._margin}({'|'.join(sorted(_OWN))}): ([^\n]*)")
        #: The same by all of an entry's text but the values that are its own.
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        #: Whether what all jobs have in common leaves each job's own to itself.
        self._may = reader.defaults.keys() <= {*_APART, "description"}

    def same_as(self, piece: str) -> tuple[Job, int] | None:
        """Return the job of an entry whose text is a known one's but for what is its own.

        And how many lines below the first its name stands.

        Raises:
            NotPlainError: If a value is not plain.
        """
        values, rest = self._cut(piece)
        shape = self._shapes.get(rest)
        if shape is None:
            return None
        job = self._made_like(shape.like, dict(zip(shape.keys, values, strict=True)), {})
        return None if job is None else (job, shape.below)

    def _cut(self, piece: str) -> tuple[list[str], tuple[str, ...]]:
        """Return the values that are an entry's own, and the rest of its text, with their keys."""
        parts = self._own.split(self._margin + piece[len(self._margin) - 1 :])
        values = parts[2::3]
        del parts[2::3]
        return values, tuple(parts)

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
        name, zone = texts["name"], like.timezone
        if not is_job_name(name) or not texts["command"].strip():
            return None
        schedule = self._reader.schedules.plain_text(texts["schedule"], name, zone)
        if schedule is None:
            return None
        texts["schedule"] = schedule
        if env:
            return like.derive(**texts, env={**(like.env or {}), **env})
        return like.derive(**texts)

    def learn(self, piece: str, lines: list[str], job: Job, below: int) -> None:
        """Have others made like a job that was checked in full, or made like one that was.

        Args:
            piece: Its entry.
            lines: Those of it that say something.
            job: The job.
            below: How many lines below the first its name stands.
        """
        own, variables, rest = _split(lines)
        keys = {found[0] for line in rest if (found := _KEY.match(line))}
        if self._may and keys <= _APART and own.keys() >= _NEEDED:
            self._known.setdefault(rest, job)
            if not variables:
                shape = self._cut(piece)[1]
                self._shapes[shape] = _Shape(job, shape[1::2], below)


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
