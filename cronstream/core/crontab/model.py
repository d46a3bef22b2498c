"""What may stand in a crontab of version 1, as closed and strict models.

Every value is checked here; what concerns several of them (names that are there twice, schedules)
in `cronstream.core.crontab.parser`. A validator's sentence goes behind a name: "is …; remedy".
"""

import re
from math import ceil
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

from cronstream.core.crontab.confining import bytes_of, secret_of, umask_of, user_of
from cronstream.core.crontab.following import Names, names_of
from cronstream.core.crontab.shell import MAX_ARGUMENT_BYTES, command_of, shell_of
from cronstream.core.limits import (
    LONGEST_EXPECTED_S,
    LONGEST_S,
    MAX_ATTEMPTS,
    MAX_FACTOR,
    MAX_PAUSE_AFTER,
    MAX_QUEUE,
    MAX_RUNNING,
)
from cronstream.core.schedule.duration import format_duration, parse_duration
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.runs import Backoff, Ping, RetryOn
from cronstream.core.wire.variables import Secret

#: '@', '!', '#' and '/' are left out: they are parts of run ids and of addresses.
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


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


def _whole_seconds(seconds: float) -> float:
    if seconds < 1 or seconds != int(seconds):
        raise ValueError("must be at least 1s, in whole seconds")
    return seconds


def _expectable(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_EXPECTED_S:
        raise ValueError("is out of range; it goes from 1s to 40d, or leave its value empty")
    return seconds


def is_job_name(text: str) -> bool:
    """Whether a job may be called so."""
    return _JOB_NAME.fullmatch(text) is not None


def _job_name(text: str) -> str:
    if not is_job_name(text):
        raise ValueError(
            "is not a name for a job; use letters, digits, '.', '_' and '-', at most 128, "
            "and begin with a letter or digit"
        )
    return text


def _texts(value: Any) -> str | list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be text, or a list of texts; quote it")
    if not texts:
        raise ValueError("is an empty list; write a text, or several")
    return value if isinstance(value, str) else texts


def _exclusions(value: Any) -> str | list[str]:
    return [] if value == [] else _texts(value)


def _variable(value: Any) -> str | Secret:
    match value:
        case dict():
            return secret_of(value)
        case str() if len(value.encode(errors="replace")) <= MAX_ARGUMENT_BYTES:
            return value
        case str():
            raise ValueError("is longer than 128 KiB; put it in a file")
    raise ValueError(f"is {_kind(value)}, and a variable must be text; quote it")


def _place(value: Any) -> Secret:
    """Return where an address is: who knows one may use it, so it stands in no crontab."""
    match value:
        case {"file": _} | {"from": _} if len(value) == 1:
            return secret_of(value)
    raise ValueError(
        "is not where an address is, and an address is a secret: put it in a file and write "
        "{file: /run/secrets/address}, or {from: NAME} for a variable of the worker's"
    )


def _text_of(secret: Secret | None) -> str | None:
    return None if secret is None else str(secret)


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
    return {bool: "a truth value", int: "a number", float: "a number"}.get(type(value), "a list")


Duration = Annotated[float, BeforeValidator(_duration)]
Size = Annotated[int, PlainValidator(bytes_of)]
Place = Annotated[Secret, PlainValidator(_place)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Variable = Annotated[str | Secret, PlainValidator(_variable)]


class _Closed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BackoffModel(_Closed):
    """How long to wait before later attempts."""

    first: Duration = Backoff().first_s
    factor: Annotated[float, Field(ge=1, le=MAX_FACTOR)] = Backoff().factor
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


class LimitsModel(_Closed):
    """How much a command may use at most."""

    cpu: Annotated[Duration, AfterValidator(_not_zero)] | None = None
    memory: Size | None = None
    files: Annotated[int, Field(ge=8, le=1_048_576)] | None = None
    file_size: Size | None = None
    processes: Annotated[int, Field(ge=1, le=4_194_304)] | None = None

    def record(self, user: str | None, umask: int | None) -> Confinement | None:
        """Return it as a run carries it, with as whom it runs; None if nothing is said."""
        confinement = Confinement(
            user=user,
            umask=umask,
            cpu_s=None if self.cpu is None else ceil(self.cpu),
            memory_bytes=self.memory,
            files=self.files,
            file_bytes=self.file_size,
            processes=self.processes,
        )
        return None if confinement == Confinement() else confinement


class PingModel(_Closed):
    """Which monitors hear of each run, and where their addresses are."""

    healthchecks: Place | None = None
    sentry: Place | None = None

    def record(self) -> Ping | None:
        """Return it as a run carries it; None if nobody hears of it."""
        ping = Ping(healthchecks=_text_of(self.healthchecks), sentry=_text_of(self.sentry))
        return None if ping == Ping() else ping


class DefaultsModel(_Closed):
    """What jobs have in common; only what is set counts."""

    cluster: str = ""
    timezone: str = "UTC"
    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = 1
    backoff: BackoffModel = BackoffModel()
    retry_on: RetryOnModel = RetryOnModel()
    timeout: Annotated[Duration, AfterValidator(_not_zero)] | None = None
    grace: Duration = 10.0
    env: dict[VariableName, Variable] | None = None
    cwd: Annotated[str, AfterValidator(_folder)] | None = None
    shell: Annotated[list[str], PlainValidator(shell_of)] | None = None
    user: Annotated[str, PlainValidator(user_of)] | None = None
    umask: Annotated[int, PlainValidator(umask_of)] | None = None
    limits: LimitsModel = LimitsModel()
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"
    overlap: Literal["allow", "skip", "queue", "replace"] = "allow"
    max_queue: Annotated[int, Field(ge=1, le=MAX_QUEUE)] = 100
    max_running: Annotated[int, Field(ge=1, le=MAX_RUNNING)] = 1
    fence: bool = False
    allow_args: bool = False
    allow_env: list[VariableName] | None = None
    background: Literal["kill", "wait"] = "kill"
    on_stop: Literal["drain", "interrupt"] = "drain"
    drain: Annotated[Duration, AfterValidator(_not_zero)] | None = None
    exclude: Annotated[str | list[str], PlainValidator(_exclusions)] | None = None
    start: str | None = None
    end: str | None = None
    dst: Literal["once", "skip", "twice"] | None = None
    jitter: Annotated[Duration, AfterValidator(_whole_seconds)] | None = None
    missed_grace: Duration = 300.0
    missed: Literal["skip", "once", "all"] = "skip"
    start_within: Annotated[Duration, AfterValidator(_not_zero)] | None = None
    expect_within: Annotated[Duration, AfterValidator(_expectable)] | None = None
    ping: PingModel = PingModel()
    on_success: Place | None = None
    on_discard: Place | None = None
    then: Annotated[Names, PlainValidator(names_of)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    enabled: bool = True
    pause_after: Annotated[int, Field(ge=1, le=MAX_PAUSE_AFTER)] | None = None


class JobModel(DefaultsModel):
    """One job of the list."""

    name: Annotated[str, AfterValidator(_job_name)]
    schedule: Annotated[str | list[str], PlainValidator(_texts)]
    command: Annotated[str | list[str], PlainValidator(command_of)]


class ClusterModel(_Closed):
    """One cluster's own settings."""

    description: Annotated[str, Field(max_length=4096)] | None = None
