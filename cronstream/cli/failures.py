"""How a command ends that could not do what it was asked: with a line, never with a stack trace.

The one place that reports errors, whatever they come from: what is wrong outside (no broker,
a full disk, a reader that went away, Ctrl-C), what was not found, and faults of our own.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import click

from cronstream.errors import AskedError, CronstreamError, CrontabError, NotFoundError
from cronstream.escaping import safe

FAILED: Final = 1
#: What was typed cannot be had in this way; click's own.
WRONG_USAGE: Final = 2
#: There is no run, job or cluster of the name that was given.
NOT_FOUND: Final = 3
INTERRUPTED: Final = 130
#: What a shell gives a command that wrote to a pipe without a reader (128 + SIGPIPE).
PIPE_CLOSED: Final = 141

#: What a write says to a disk that is full, or to a terminal that is gone.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

_OUR_FAULT: Final = (
    "a fault in cronstream itself; please report it with the trace that --debug shows"
)


@contextmanager
def reporting_errors(*, with_trace: Callable[[], bool]) -> Iterator[None]:
    """Have any error leave the block as an exit status, once a line has said what it is."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise  # click reports these: they are about how the command was typed
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a process boundary
        raise SystemExit(_print_failure(error, with_trace=with_trace())) from None


def _print_failure(error: BaseException, *, with_trace: bool) -> int:
    """Say what is wrong on standard error, if there still is one, and return the exit status."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    _let_go(sys.stdout)
    with suppress(OSError, ValueError):
        if with_trace:
            click.echo(
                safe("".join(traceback.format_exception(error)), keep="\n"), err=True, nl=False
            )
        for line in _lines(error):
            click.echo(safe(line), err=True)
    _let_go(sys.stderr)
    return _status(error)


def _status(error: BaseException) -> int:
    match error:
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case OSError(errno=errno.EPIPE):
            return PIPE_CLOSED
        case NotFoundError():
            return NOT_FOUND
        case AskedError():
            return WRONG_USAGE
        case _:
            return FAILED


def _lines(error: BaseException) -> list[str]:
    match error:
        case KeyboardInterrupt() | click.Abort():
            return [""]
        case CrontabError():
            return [f"cronstream: {error.source}: {problem}" for problem in error.problems]
        case CronstreamError():
            return [f"cronstream: {error}"]
        case OSError():
            return _about_the_system(error)
        case _:
            return [f"cronstream: {_OUR_FAULT} ({type(error).__name__}: {error})"]


def _about_the_system(error: OSError) -> list[str]:
    if error.errno == errno.EPIPE:
        return []
    where = f"{error.filename}: " if error.filename else ""
    if not where and error.errno in _NO_ROOM:
        where = "the output cannot be written: "
    return [f"cronstream: {where}{error.strerror or error}"]


def _let_go(stream: Any) -> None:
    """Let go what a stream still has, if it takes no more.

    Else Python would try once more at its end, and complain in its own way.
    """
    if stream is None:  # The process was started without it.
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
