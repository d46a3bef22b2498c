"""An executor as a process: what it is started with, and what its worker has of it."""

import contextlib
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass

from cronstream import json_lines
from cronstream.core.wire.variables import without_settings
from cronstream.errors import LaunchError
from cronstream.executor.slots import Slots
from cronstream.settings import COMMANDS_GET, child_environment


@dataclass(frozen=True, slots=True)
class Options:
    """What all executors of a worker are given when they start.

    Attributes:
        output_bytes: Bytes kept of the beginning of each output, and as many of its end.
        pass_env: Names of variables of the worker's that commands get, as the setting has them.
        shows_all: Whether all output is handed on as it comes.
    """

    output_bytes: int
    pass_env: str = COMMANDS_GET
    shows_all: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """An executor that was started.

    Attributes:
        mark: What it marks whatever it starts with.
        socket: The worker's end of its socket.
        slots: What it takes one of for each command that runs.
        taken: Those that it has now.
    """

    process: subprocess.Popen[bytes]
    mark: str
    socket: socket.socket
    slots: Slots
    taken: Slots


def start(slots: Slots, options: Options) -> Child:
    """Start an executor; for the arguments see `ExecutorHandle.launch`.

    Raises:
        LaunchError: If anything of it is not to be had; nothing is left behind then.
    """
    mark = secrets.token_hex(16)
    try:
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                taken = Slots.make(0)
                undo.callback(taken.close)
                process = _start(theirs.fileno(), mark, slots, taken, options)
            undo.pop_all()
            return Child(process, mark, ours, slots, taken)
    except OSError as error:
        raise LaunchError(f"the executor cannot be started: {error}") from error


def _start(
    descriptor: int, mark: str, slots: Slots, taken: Slots, options: Options
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cronstream.executor",
            f"--socket={descriptor}",
            f"--id={mark}",
            "--slots={},{}".format(*slots.descriptors),
            "--taken={},{}".format(*taken.descriptors),
            f"--output-bytes={options.output_bytes}",
            *(["--shows-all"] if options.shows_all else []),
            f"--pass-env={options.pass_env}",
            *json_lines.options(),
        ],
        env=without_settings(child_environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(descriptor, *slots.descriptors, *taken.descriptors),
        start_new_session=True,
    )
