"""One command that runs, and what becomes known about it."""

import array
import fcntl
import os
import signal
import termios
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from cronstream.executor import tree
from cronstream.executor.output import Kept, Output
from cronstream.executor.protocol import Finished, Hold, Outcome
from cronstream.executor.spawn import CANNOT_EXECUTE, SAYS, Refused

_CHUNK = 1 << 16
#: Chunks that are read after the end: a pipe holds 1 MiB at most (pipe(7), pipe-max-size).
_MOST_CHUNKS = 16


class Phase(Enum):
    """How far the ending of a command has gone."""

    #: Nobody has asked it to end.
    RUNNING = auto()
    #: Its processes have been sent TERM.
    TERMINATED = auto()
    #: They have been sent KILL.
    KILLED = auto()


@dataclass(slots=True, eq=False)
class Execution:
    """One command that was started, until nothing of it is left.

    Attributes:
        hold: What was to be started.
        pid: Its main process, which leads its session.
        pipe: Where its output comes from; -1 once it is closed.
        started_at: Seconds since the epoch.
        starter: See `cronstream.executor.spawn.Launched`.
        output: What is kept of its output.
        phase: How far its ending has gone.
        deadline: When the next step of ``phase`` is due (monotonic seconds).
        told: The processes that have been sent TERM: each gets it once.
        sweeps: How often KILL has been sent.
        status: The main process's wait status; None while it runs.
        ended_at: When the main process ended, or the last one, if that is waited for.
        has_left: Whether it has left processes in the background, which are ended.
        outcome: What it was ended as; None if it ended, or will, by itself.
        note: What people should know.
    """

    hold: Hold
    pid: int
    pipe: int
    started_at: float
    output: Output
    starter: int | None = None
    phase: Phase = Phase.RUNNING
    deadline: float = inf
    told: set[int] = field(default_factory=set)
    sweeps: int = 0
    status: int | None = None
    ended_at: float | None = None
    has_left: bool = False
    outcome: Outcome | None = None
    note: str | None = None

    @property
    def key(self) -> str:
        """The key of its hold."""
        return self.hold.key

    def hangs(self) -> str | None:
        """Return what it still waits for, if it has not come to its directory or its program."""
        if self.status is not None or self.starter is None:
            return None
        if tree.size_of_arguments(self.pid) != self.starter:
            return None
        place = "its program" if self.hold.cwd is None else f"its directory {self.hold.cwd!r}"
        return f"{place} does not answer (a file system that hangs?)"

    @property
    def waits(self) -> bool:
        """Whether it goes on for as long as it has processes in the background."""
        return self.hold.background == "wait"

    @property
    def is_over(self) -> bool:
        """Whether it has ended by itself, whatever becomes of what it has left."""
        return self.status is not None and not (self.waits and self.phase is Phase.RUNNING)

    def read(self) -> bool:
        """Take the output that is there, after a poll said so; say whether more may come."""
        data = os.read(self.pipe, _CHUNK)
        self.output.feed(data)
        return bool(data)

    def drain(self) -> None:
        """Take what is in the pipe now, though others may have its other end and write on."""
        for _ in range(_MOST_CHUNKS):
            if not _bytes_in(self.pipe):
                return
            self.read()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.pipe)
        self.pipe = -1

    def finished(self, now: float) -> Finished:
        """Return the report that it has ended; ``now`` stands in if no end of it was seen."""
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        kept, note = self.output.kept(), self.note
        if self.starter is not None and code == CANNOT_EXECUTE and kept.head.startswith(SAYS):
            kept, note = Kept("", "", 0), note or kept.head.removeprefix(SAYS).rstrip("\n")
        note = note or _limit_note(self.hold, code)
        if self.has_left:
            note = note or _ended_in_background(max(len(self.told), 1))
        return Finished(
            key=self.key,
            outcome=self.outcome or ("succeeded" if code == 0 else "failed"),
            started_at=self.started_at,
            ended_at=self.ended_at or now,
            exit_status=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            head=kept.head,
            tail=kept.tail,
            omitted=kept.omitted,
            note=note,
        )


def not_started(key: str, refused: Refused, now: float) -> Finished:
    """Return the report that a command could not be started at all."""
    return Finished(
        key=key,
        outcome="failed",
        started_at=None,
        ended_at=now,
        exit_status=refused.exit_status,
        signal=None,
        head="",
        tail="",
        omitted=0,
        note=refused.note,
    )


def _limit_note(hold: Hold, code: int | None) -> str | None:
    """Return what limit a command has met, if the kernel has ended it for that."""
    limits = hold.limits or {}
    if code == -signal.SIGXCPU and "cpu" in limits:
        return f"it used more than its limit of {limits['cpu']} s of processor time"
    if code == -signal.SIGXFSZ and "fsize" in limits:
        return f"it wrote a file of more than its limit of {limits['fsize']:,} bytes"
    return None


def _ended_in_background(number: int) -> str:
    what = "1 process in the background was" if number == 1 else f"{number} processes"
    return f"{what} ended" if number == 1 else f"{what} in the background were ended"


def _bytes_in(pipe: int) -> int:
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]
