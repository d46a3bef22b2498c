"""Jobs that say the same but for what is each job's own: one is made like another.

Teams write hundreds of jobs of a kind. The first of them is checked in full; what another says
otherwise is checked here, by the same rules, and the rest of it is the first one's.
"""

import re
from typing import Any, Final, NamedTuple

from cronstream.core.crontab.model import is_job_name
from cronstream.core.crontab.plain_lines import ONE_LINE_TEXT, NotPlainError, value_of
from cronstream.core.crontab.reader import Reader
from cronstream.core.crontab.sizes import size_fault
from cronstream.core.wire.runs import Job

#: What each job has of its own.
_OWN: Final = frozenset(("name", "schedule", "command", "cluster", "description"))
_NEEDED: Final = _OWN - {"cluster", "description"}
#: What means the same beside any of these; a job with other keys is like none.
_APART: Final = frozenset(
    (
        *("timezone", "max_attempts", "backoff", "retry_on", "timeout", "grace", "env"),
        *("cwd", "user", "umask", "limits", "delivery", "overlap", "max_queue", "fence"),
        *("background", "missed_grace", "start_within", "ping", "on_success", "on_discard"),
        *("on_stop", "drain"),
    )
)
#: More is checked in full.
_LONGEST: Final = 4000
#: So many bytes what is each job's own may take together, at most: name, schedule and so on.
_ROOM: Final = 4 * _LONGEST * len(_OWN)
_KEY: Final = re.compile(r"[a-z_]+(?=:)")
#: A value whose text is plain to see; any other one is not an entry's own here.
_VALUE: Final = rf"({ONE_LINE_TEXT})(?=\n|\Z)"
_QUOTES: Final = frozenset("'\"")


class _Shape(NamedTuple):
    """The text of an entry between what is its own, and a job of it.

    Attributes:
        like: What that job has.
        keys: What is an entry's own, in the order of its lines.
        below: How many lines below the first its name stands.
    """

    like: dict[str, Any]
    keys: tuple[str, ...]
    below: int


class Said(NamedTuple):
    """What the lines of an entry say, as they are written.

    Attributes:
        own: What is each job's own, by key.
        variables: Its own variables, by name.
        rest: All other lines.
    """

    own: dict[str, str]
    variables: dict[str, str]
    rest: tuple[str, ...]


class Likenesses:
    """The jobs of one crontab that others are made like."""

    def __init__(self, reader: Reader, indent: int) -> None:
        self._reader = reader
        self._known: dict[tuple[str, ...], Job] = {}
        key = f"({'|'.join(sorted(_OWN))})"
        self._own = re.compile(rf"(?:\n {{{indent + 2}}}|\A {{{indent}}}- ){key}: {_VALUE}")
        #: The same by all of an entry's text but the values that are its own.
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        #: Whether what all jobs have in common leaves each job's own to itself.
        self._may = reader.defaults.keys() <= _APART | (_OWN - _NEEDED)

    def same_as(self, piece: str) -> tuple[Job, int] | None:
        """Return the job of an entry whose text is a known one's but for what is its own.

        And how many lines below the first its name stands.
        """
        values, rest = self._cut(piece)
        shape = self._shapes.get(rest)
        if shape is None or len(piece) > _LONGEST:
            return None
        said = zip(shape.keys, values, strict=True)
        own = {key: value[1:-1] if value[0] in _QUOTES else value for key, value in said}
        if not self._publishable(own, shape.like["timezone"]):
            return None
        return Job.of(shape.like | own), shape.below

    def _cut(self, piece: str) -> tuple[list[str], tuple[str, ...]]:
        """Return the values that are an entry's own, and the rest of its text, with their keys."""
        parts = self._own.split(piece)
        values = parts[2::3]
        del parts[2::3]
        return values, tuple(parts)

    def _publishable(self, own: dict[str, str], zone: str) -> bool:
        """Return whether what is a job's own is good; its schedule becomes what is published."""
        name = own["name"]
        if not is_job_name(name) or not own["command"].strip():
            return False
        if "cluster" in own and own["cluster"] not in self._reader.clusters.found:
            return False
        schedule = self._reader.schedules.plain_text(own["schedule"], name, zone)
        if schedule is None:
            return False
        own["schedule"] = schedule
        return True

    def job_of(self, said: Said) -> Job | None:
        """Return the job of an entry's lines; None if there was none like it, or it is unusual.

        Raises:
            NotPlainError: If a value is not plain.
        """
        like = self._known.get(said.rest)
        if like is None or not said.own.keys() >= _NEEDED:
            return None
        return self._made_like(like, said.own, said.variables)

    def _made_like(self, like: Job, own: dict[str, str], variables: dict[str, str]) -> Job | None:
        texts, env = _texts(own), _texts(variables)
        if texts is None or env is None or not self._publishable(texts, like.timezone):
            return None
        if not env:
            return like.derive(**texts)
        made = like.derive(**texts, env={**(like.env or {}), **env})
        return None if size_fault(made) else made

    def learn(self, piece: str, said: Said, job: Job, below: int) -> None:
        """Have others made like a job that was checked in full, or made like one that was.

        Args:
            piece: Its entry.
            said: What its lines say.
            job: The job.
            below: How many lines below the first its name stands.
        """
        if said.rest in self._known and said.variables:
            return
        keys = {found[0] for line in said.rest if (found := _KEY.match(line))}
        if not self._may or not keys <= _APART or not said.own.keys() >= _NEEDED:
            return
        if size_fault(job.derive(description="x" * _ROOM)):
            return  # One that says more might be too large.
        self._known.setdefault(said.rest, job)
        shape = self._cut(piece)[1]
        if not said.variables and _NEEDED.issubset(shape[1::2]):
            self._shapes[shape] = _Shape(vars(job), shape[1::2], below)


def _texts(own: dict[str, str]) -> dict[str, str] | None:
    """Return what stands behind some keys; None if one is no text, or longer than usual."""
    texts = {}
    for key, said in own.items():
        value = value_of(said)
        if not isinstance(value, str) or not 0 < len(value) < _LONGEST:
            return None
        texts[key] = value
    return texts


def said_by(lines: list[str]) -> Said:
    """Return what the lines of an entry say.

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
    # A job without one of these may get that of the defaults. No line is like these.
    rest += [f"\n{key}" for key in ("cluster", "description") if key in own]
    return Said(own, variables, tuple(rest))
