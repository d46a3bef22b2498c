"""What a worker and its executor send each other: one JSON line for each value.

A line is ``["Kind", {fields}]``. Times ``at``, ``started_at`` and ``ended_at`` are seconds since
the epoch; ``until`` is on the monotonic clock, which both processes share. All floats are finite.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, get_args

import orjson

T = TypeVar("T")

#: How an attempt ended, as far as an executor can see (``Outcome`` in the core has ``lost`` too).
Outcome: TypeAlias = Literal["succeeded", "failed", "timed_out", "interrupted"]
Background: TypeAlias = Literal["kill", "wait"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Take this claim, and start its command when it is due.

    Attributes:
        key: ``<run id>#<claim>``; each is taken once, however often it is sent.
        partition: Whose lease the start needs.
        at: When to start.
        go: False to wait for ``Go`` as well: once it is due and has a slot, ``Ready`` asks for it.
        command: Text for ``/bin/sh -c``, or a program with its arguments.
        env: Added to the executor's own environment.
        cwd: Where to start it; None for the executor's own directory.
        timeout_s: Seconds after which the command is ended as ``timed_out``; None for never.
        grace_s: Seconds from TERM to KILL whenever it has to be ended.
        ends_before_s: It is ended, as ``interrupted``, so many seconds before its partition's
            lease is over, and not started then; None for never.
        background: What becomes of the processes that the command leaves when it ends: they are
            ended, or the attempt goes on until they have.
        alone: Whether it is to be made in an executor that has nothing else.
        secrets: Where the values of further variables are (`variables.Secret`).
        user: As whom it runs; None for as this worker.
        umask: Rights that its files get from nobody; None for the worker's own.
        limits: How much it may use, by the names of ``prlimit``.
    """

    key: str
    partition: str
    at: float
    go: bool
    command: str | Sequence[str]
    env: dict[str, str]
    cwd: str | None
    timeout_s: float | None
    grace_s: float
    ends_before_s: float | None = None
    background: Background = "kill"
    alone: bool = False
    secrets: dict[str, str] | None = None
    user: str | None = None
    umask: int | None = None
    limits: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """A hold sent with ``go=False`` may start when it is due."""

    key: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop this hold if it has not started; answered by ``Cancelled`` or ``Kept``."""

    key: str


@dataclass(frozen=True, slots=True)
class End:
    """End this command: TERM, its grace, KILL; like ``Cancel`` if it is not running.

    Its ``Finished`` says that it was interrupted, unless it has ended by itself already.

    Attributes:
        key: The hold's.
        note: Why, for people.
    """

    key: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """Holds of ``partition`` may start before ``until``; the last one sent is in force.

    Those that are fenced are ended some time before it.
    """

    partition: str
    until: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Go by this clock from now on: the monotonic one, and so many seconds.

    The machine's own may step, and only a worker knows when it was right.
    """

    offset: float


@dataclass(frozen=True, slots=True)
class Show:
    """Report what this command writes, until then; ignored if it does not run.

    Attributes:
        key: The hold's.
        until: On the monotonic clock; the latest one counts.
        from_start: Whether ``SoFar`` is to come first.
    """

    key: str
    until: float
    from_start: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer with ``Pong``: a worker wants to know whether its executor still turns."""


@dataclass(frozen=True, slots=True)
class Ready:
    """This hold is due, and has a slot, which it keeps until its ``Go`` or ``Cancel`` comes."""

    key: str


@dataclass(frozen=True, slots=True)
class Started:
    """The command runs; ``pid`` is its process, process group and session."""

    key: str
    at: float
    pid: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The command has ended, and nothing of its process tree is left (or it could not start).

    Attributes:
        key: The hold's.
        outcome: How it ended.
        started_at: None if it could not be started at all.
        ended_at: When its main process ended, or, with ``background: wait``, the last of all.
        exit_status: None if a signal ended it; 126 or 127 if it could not be started.
        signal: The number of the signal that ended it.
        head: The beginning of its output.
        tail: The end of its output, where the head is not all of it.
        omitted: Bytes of output between the two that were not kept.
        note: What else people should know, such as why it was ended.
    """

    key: str
    outcome: Outcome
    started_at: float | None
    ended_at: float
    exit_status: int | None
    signal: int | None
    head: str
    tail: str
    omitted: int
    note: str | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """This hold has never started, and never will."""

    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """This hold was not cancelled: it has started, and may have ended."""

    key: str


@dataclass(frozen=True, slots=True)
class Hanging:
    """The command has not come to its directory, or to its program, though it is on its way."""

    key: str
    note: str


@dataclass(frozen=True, slots=True)
class SoFar:
    """What is kept of this command's output now, as in ``Finished``; ``Wrote`` goes on from it."""

    key: str
    head: str
    tail: str
    omitted: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """What this command has written since the last of these, without its secrets.

    Attributes:
        key: The hold's.
        text: Bytes that are no UTF-8 are U+FFFD; no character is cut in two.
        left_out: Bytes that came behind it and were too many for a second.
    """

    key: str
    text: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Pong:
    """This executor turns."""


#: What a worker sends.
Order: TypeAlias = Hold | Go | Cancel | End | Lease | Clock | Show
#: What an executor answers.
Report: TypeAlias = Ready | Started | Finished | Cancelled | Kept | Hanging | SoFar | Wrote
#: All that a worker says, and all that an executor says.
Down: TypeAlias = Order | Ping
Up: TypeAlias = Report | Pong

_DOWN: dict[str, type[Down]] = {kind.__name__: kind for kind in get_args(Down)}
_UP: dict[str, type[Up]] = {kind.__name__: kind for kind in get_args(Up)}


def encode(values: Iterable[Down | Up]) -> bytes:
    """Return one line for each value, in their order.

    Raises:
        TypeError: If a text has a lone surrogate, which no JSON that was read can have.
    """
    return b"".join(
        orjson.dumps([type(value).__name__, value], option=orjson.OPT_APPEND_NEWLINE)
        for value in values
    )


def decode_order(line: bytes) -> Down:
    """Return what a worker sent.

    Raises:
        ValueError: If ``line`` is no such value.
    """
    return _decode(_DOWN, line)


def decode_report(line: bytes) -> Up:
    """Return what an executor answered.

    Raises:
        ValueError: If ``line`` is no such value.
    """
    return _decode(_UP, line)


def _decode(kinds: dict[str, type[T]], line: bytes) -> T:
    try:
        kind, fields = orjson.loads(line)
        return kinds[kind](**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a line of this protocol: {line[:200]!r}") from error


class Lines:
    """Cuts a stream of bytes into lines; what has no end yet waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
