"""Messages of the old layout, and what becomes of each: see ``docs/migration.md``.

The old layout is one topic of plain JSON objects with ``job``, ``command`` and ``scheduled_at``.
A message becomes a run with the cause ``legacy``, unless the new schedule has the same due time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from cronstream.core.planning.making import run_of
from cronstream.core.planning.pauses import TICK
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.job_messages import Definition, decode_jobs
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import LegacyError, MessageError, ScheduleError

#: What the crontab takes as a job's name: the other characters become hyphens.
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 128
#: What Linux takes as one argument of a program, MAX_ARG_STRLEN less the NUL (execve(2)).
_MAX_ARGUMENT_BYTES: Final = 131_071
#: A run's number is partition * 2**40 + offset: both fit below the 2**53 that JSON can carry.
_OFFSETS: Final = 2**40
_PARTITIONS: Final = 2**13
#: A message is judged this long after its due time: by then the scheduler has published every
#: definition that holds for it.
SETTLE: Final = timedelta(seconds=2)
#: What is due later than this from now is judged at once, rather than hold up what is behind it.
AHEAD: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class LegacyMessage:
    """One message of the old topic, its values checked.

    Attributes:
        job: A name as the crontab takes it.
        command: A string for ``/bin/sh -c``, or a list for argv.
        scheduled_at: Aware, UTC.
    """

    job: str
    command: str | list[str]
    scheduled_at: datetime


def parse_legacy(value: bytes, written_at: datetime | None) -> LegacyMessage:
    """Return what a message of the old topic says; fields that are not known are ignored.

    Args:
        value: A JSON object. Its ``scheduled_at`` is ISO 8601 text (UTC, if it has no zone) or
            seconds since 1970.
        written_at: The message's timestamp, which stands in for a ``scheduled_at`` that is
            missing; None if it has none.

    Raises:
        MessageError: If it cannot be made into a run; the sentence says why.
    """
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MessageError(f"{_short(fields)} where an object with job and command belongs")
    return LegacyMessage(
        job=job_name(fields.get("job")),
        command=_command(fields.get("command")),
        scheduled_at=_scheduled_at(fields.get("scheduled_at"), written_at),
    )


def job_name(name: Any) -> str:
    """Return the name under which a job of the old layout stands in the crontab.

    What has another meaning in run ids and addresses becomes a hyphen: ``db/nightly backup`` is
    ``db-nightly-backup``.

    Raises:
        MessageError: If it is no text, or nothing is left of it.
    """
    if not isinstance(name, str):
        raise MessageError(f"job {_short(name)} is not text")
    cleaned = _FOREIGN.sub("-", name).lstrip("._-")[:_MAX_NAME]
    if not cleaned:
        raise MessageError(f"job {_short(name)} has no ASCII letter or digit in its name")
    return cleaned


def _command(command: Any) -> str | list[str]:
    words = [command] if isinstance(command, str) else command
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise MessageError(f"command {_short(command)} is neither text nor a list of strings")
    if not words or not words[0].strip():
        raise MessageError("command is empty")
    if any("\0" in word for word in words):
        raise MessageError("there is a NUL in the command")
    if sum(len(word.encode()) for word in words) > _MAX_ARGUMENT_BYTES:
        raise MessageError("command is longer than 128 KiB")
    return command if isinstance(command, str) else words


def _scheduled_at(value: Any, written_at: datetime | None) -> datetime:
    if value is None:
        if written_at is None:
            raise MessageError("scheduled_at is missing, and the message has no timestamp")
        return written_at
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if type(value) in (int, float):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MessageError(f"scheduled_at {_short(value)} is not a time: {error}") from error
    raise MessageError(f"scheduled_at {_short(value)} is neither text nor a number")


def may_be_judged(scheduled_at: datetime, now: datetime) -> bool:
    """Whether it can be known now which schedule a message belongs to, the old or the new one."""
    return now - scheduled_at >= SETTLE or scheduled_at - now > AHEAD


def number_of(partition: int, offset: int) -> int:
    """Return the number of the run that a message of the old topic becomes, always the same.

    Raises:
        MessageError: If the place is beyond what a number can tell apart.
    """
    if not (0 <= partition < _PARTITIONS and 0 <= offset < _OFFSETS):
        raise MessageError(f"partition {partition}, offset {offset} is too large for a run's id")
    return partition * _OFFSETS + offset


def place_of(number: int) -> tuple[int, int]:
    """Return partition and offset of the message that a run's number was made from."""
    return divmod(number, _OFFSETS)


def legacy_run(message: LegacyMessage, job: Job, number: int, now: datetime) -> Run:
    """Return the run that a message becomes.

    Args:
        message: Its command is its own, whatever the crontab says now.
        job: Everything else comes from it: the job of that name, or what the defaults make.
        number: See `number_of`.
        now: As of when it is judged that the run is to be made (UTC).
    """
    run = run_of(job, None, message.scheduled_at, cause=Cause.LEGACY, number=number)
    return run.derive(job=message.job, command=message.command, as_of=now)


def starting_offsets(
    topic: str,
    beginnings: Mapping[int, int],
    own: Mapping[int, int],
    old: Mapping[int, int] | None,
) -> dict[int, int]:
    """Return from where each partition of the old topic is to be moved.

    That is where the group that got furthest has come to, so that going back to the old
    workers, and forward again, runs nothing twice.

    Args:
        topic: Its name.
        beginnings: The first offset that each partition still has.
        own: What the mover's group has committed.
        old: What the group of the old workers has committed; None if no group was given.

    Raises:
        LegacyError: If nobody has committed anything: from the beginning, all that the topic
            still has would be run again.
    """
    if not own and old is None:
        raise LegacyError(
            f"topic {topic}: it is not known which of its messages have been run already; name "
            "the consumer group of the old workers with --legacy-group"
        )
    if not own and not old:
        raise LegacyError(
            f"topic {topic}: the group given with --legacy-group has committed no offset there; "
            "check its name, or, if nothing of the topic has ever been run, set its offsets with "
            "kafka-consumer-groups --reset-offsets --to-earliest --execute"
        )
    return {p: max(first, own.get(p, 0), (old or {}).get(p, 0)) for p, first in beginnings.items()}


class KnownJobs:
    """What the ``jobs`` topic says of each job, its former definitions included."""

    def __init__(self) -> None:
        self._of: dict[str, list[Definition]] = {}

    def fold(self, revision: int, raw: bytes | None) -> None:
        """Take one message, in the order of offsets; what cannot be read is passed over."""
        for job in decode_jobs(raw)[0]:
            self._of.setdefault(job.name, []).append(Definition(job, revision))

    def last(self, name: str) -> Job | None:
        """Return the job as it was last published, or None if there is none, or no longer."""
        known = self._of.get(name)
        return None if not known or known[-1].job.removed else known[-1].job

    def in_force(self, name: str, due: datetime) -> Job | None:
        """Return the definition that holds for a due time (rule 12), or None if none does."""
        for job, _ in reversed(self._of.get(name, [])):
            if job.effective_from is not None and job.effective_from <= due:
                return None if job.removed else job
        return None

    def schedule_has(self, message: LegacyMessage) -> bool:
        """Whether the new scheduler publishes the message's due time itself.

        Old schedulers often write the time at which they woke up, so a fraction of a second
        is not looked at.
        """
        due = message.scheduled_at.replace(microsecond=0)
        job = self.in_force(message.job, due)
        if job is None:
            return False
        try:
            return compile_schedule(job.schedule, job.timezone).next_after(due - TICK) == due
        except (ScheduleError, OverflowError):
            return False  # It is never due: the scheduler says so, and publishes nothing.


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
