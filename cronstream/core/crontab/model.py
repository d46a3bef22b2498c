"""What may stand in a crontab of version 1, as closed and strict models.

Every value is checked here; what concerns several of them (names that are there twice, clusters
that are not known, schedules) is checked in `cronstream.core.crontab.parser`. The sentence of a
validator goes behind the name of what it is about: "is …; remedy".
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from cronstream.core.schedule.duration import LONGEST_S, format_duration, parse_duration
from cronstream.core.wire.runs import Backoff, RetryOn

#: '@', '!', '#' and '/' are left out: they are parts of run ids and of addresses.
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
#: What Linux takes as one argument of a program, MAX_ARG_STRLEN less the NUL (execve(2)).
_MAX_ARGUMENT_BYTES = 131_071


def _duration(value: Any) -> float:
    match value:
        case str():
            return parse_duration(value)
        case bool():
            pass
        case int() | float() if 0 <= value <= LONGEST_S:
            return float(value)
        case int() | float():
            raise ValueError("is out of range; it goes from 0s to 366d")
    raise ValueError("is not a length of time; write it like 10s, 5m, 1h30m or 1d")


def _not_zero(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("must be longer than 0s; leave it out for no limit")
    return seconds


def _job_name(text: str) -> str:
    if not _JOB_NAME.fullmatch(text):
        raise ValueError(
            "is not a name for a job; use letters, digits, '.', '_' and '-', at most 128, "
            "and begin with a letter or digit"
        )
    return text


def _command(value: Any) -> str | list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        remedy = "put it in quotes" if isinstance(value, dict) else "quote its numbers"
        raise ValueError(f"must be text for /bin/sh, or a list of strings; {remedy}")
    if not words or not words[0].strip():
        raise ValueError("is empty; write what is to be run")
    if isinstance(value, list) and words[0].startswith("-"):
        raise ValueError("is a list without a program; put a command for the shell in quotes")
    if sum(len(word.encode(errors="replace")) for word in words) > _MAX_ARGUMENT_BYTES:
        raise ValueError("is longer than 128 KiB; put it in a script, and run that")
    return value if isinstance(value, str) else words


def _variable(value: Any) -> str:
    match value:
        case str() if len(value.encode(errors="replace")) <= _MAX_ARGUMENT_BYTES:
            return value
        case str():
            raise ValueError("is longer than 128 KiB; put it in a file")
    raise ValueError(f"is {_kind(value)}, and a variable must be text; quote it")


def _variable_name(name: str) -> str:
    if not name or "=" in name:
        raise ValueError("is not a name for a variable; rename it")
    return name


def _exit_statuses(value: Any) -> list[int] | None:
    if value == "all":
        return None
    if not isinstance(value, list) or not all(type(s) is int and 1 <= s <= 255 for s in value):
        raise ValueError("must be all, or a list of numbers from 1 to 255; 0 is success")
    return sorted(set(value))


def _folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("is not absolute; begin it with '/'")
    return text


def _kind(value: Any) -> str:
    kinds = {bool: "a truth value", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(value), "a mapping")


Duration = Annotated[float, BeforeValidator(_duration)]


class _Closed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BackoffModel(_Closed):
    """How long to wait before later attempts."""

    first: Duration = Backoff().first_s
    factor: Annotated[float, Field(ge=1, le=1000)] = Backoff().factor
    ceiling: Duration = Backoff().ceiling_s
    jitter: Annotated[float, Field(ge=0, le=1)] = Backoff().jitter

    @model_validator(mode="after")
    def _first_is_below_the_ceiling(self) -> Self:
        if self.first > self.ceiling:
            raise ValueError(
                f"begins with {format_duration(self.first)}, above its ceiling of "
                f"{format_duration(self.ceiling)}; raise the ceiling"
            )
        return self

    def record(self) -> Backoff:
        """Return it as a run carries it."""
        return Backoff(
            first_s=self.first, factor=self.factor, ceiling_s=self.ceiling, jitter=self.jitter
        )


class RetryOnModel(_Closed):
    """Which failures are worth a later attempt."""

    exit_statuses: Annotated[list[int] | None, PlainValidator(_exit_statuses)] = None
    timeouts: bool = RetryOn().timeouts

    def record(self) -> RetryOn:
        """Return it as a run carries it."""
        return RetryOn(statuses=self.exit_statuses, timeouts=self.timeouts)


class DefaultsModel(_Closed):
    """What jobs have in common; only what is set counts."""

    cluster: str = ""
    timezone: str = "UTC"
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 1
    backoff: BackoffModel = BackoffModel()
    retry_on: RetryOnModel = RetryOnModel()
    timeout: Annotated[Duration, AfterValidator(_not_zero)] | None = None
    grace: Duration = 10.0
    env: (
        dict[
            Annotated[str, AfterValidator(_variable_name)],
            Annotated[str, BeforeValidator(_variable)],
        ]
        | None
    ) = None
    cwd: Annotated[str, AfterValidator(_folder)] | None = None
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"
    overlap: Literal["allow", "skip", "queue", "replace"] = "allow"
    max_queue: Annotated[int, Field(ge=1, le=10_000)] = 100
    fence: bool = False
    background: Literal["kill", "wait"] = "kill"
    missed_grace: Duration = 300.0
    description: Annotated[str, Field(max_length=4096)] | None = None


class JobModel(DefaultsModel):
    """One job of the list."""

    name: Annotated[str, AfterValidator(_job_name)]
    schedule: str
    command: Annotated[str | list[str], PlainValidator(_command)]


class ClusterModel(_Closed):
    """One cluster's own settings."""

    description: Annotated[str, Field(max_length=4096)] | None = None
