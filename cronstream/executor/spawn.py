"""Starts one command, with the least that stands between its due time and its first instruction.

``posix_spawn`` is glibc's ``clone(CLONE_VM | CLONE_VFORK)``: nothing of this process is copied, and
an error of ``exec`` comes back as an error here.

Until the child has reached its program, this process stands still. So what may never answer is not
touched by it, nor by such a child: a shell is started, which goes to the command's directory,
becomes its program, and may hang there by itself. It is needed for every command with a directory,
and for a program that no shell looks for, where a file system is mounted that may hang.

A command has a session of its own, and so a process group: no signal meant for others reaches it,
and what it leaves behind is known by its session.

A text without anything in it that a shell would act on is started without one, as make(1) does: a
shell costs as much as the command itself.
"""

import errno
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cronstream.executor.protocol import Hold

#: The variable that marks every process of a command, unless it clears its environment.
MARK = "CRONSTREAM_EXECUTION"
#: Likewise for every process that an executor started.
EXECUTOR_MARK = "CRONSTREAM_EXECUTOR"

#: What a shell exits with for a program that it cannot find, and one that it cannot start.
NOT_FOUND, CANNOT_EXECUTE = 127, 126

#: What ``execvp`` searches where no PATH is set (``confstr(_CS_PATH)`` in glibc).
_DEFAULT_PATH = b"/bin:/usr/bin"
#: Ignored in this process (by Python, and by ``__main__``), and no business of a command.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SHELL = "/bin/sh"
#: Becomes what follows.
_BECOME = 'exec "$@"'
#: What a starter says of itself begins so.
SAYS = "cronstream: "
#: Goes to the directory that follows, and becomes what follows then.
_GO_AND_BECOME = f"""cd -- "$1" 2>/dev/null || {{
  if [ ! -e "$1" ]; then why='it does not exist'
  elif [ ! -d "$1" ]; then why='it is not a directory'
  else why='permission denied'; fi
  printf '{SAYS}cannot start in directory %s: %s\\n' "'$1'" "$why"
  exit {CANNOT_EXECUTE}
}}
unset OLDPWD
shift
{_BECOME}"""
#: An absolute path with plain words: to a shell it is that program with those arguments, no more.
_PLAIN = re.compile(r"/[\w./+:@%,-]+(?: +[\w./+:@%,=-]+)* *", re.ASCII)

_REASONS = {
    errno.EAGAIN: "too many processes on this machine or of this user",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.ENOENT: "it does not exist",
    errno.EACCES: "permission denied",
    errno.E2BIG: "its arguments and environment are too long",
    errno.ENOEXEC: "it is neither a program nor a script with a first line that names one",
}


@dataclass(frozen=True, slots=True)
class Launched:
    """The command runs as ``pid``, which leads its session; ``pipe`` has its output.

    Attributes:
        starter: How many bytes of arguments ``pid`` has while it is the shell that goes to the
            command's directory or to its program; None if no such is needed.
    """

    pid: int
    pipe: int
    starter: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The command could not be started; ``note`` says why, in plain words."""

    exit_status: int
    note: str


class Spawner:
    """Starts commands in this process's environment and directory, and what they ask for.

    Args:
        environment: What every command gets, under its own variables.
        may_hang: Says whether a file system is mounted that may hang.
    """

    def __init__(self, environment: Mapping[str, str], may_hang: Callable[[], bool]) -> None:
        self._environment = _encoded(environment)
        self._may_hang = may_hang
        self._null = os.open(os.devnull, os.O_RDONLY)

    def start(self, hold: Hold) -> Launched | Refused:
        """Start the command of ``hold``; whatever stands against it is a ``Refused``."""
        words = words_of(hold.command)
        if not words:
            return Refused(CANNOT_EXECUTE, "cannot start: the command is empty")
        try:
            return self._start(hold, words)
        except (TypeError, ValueError) as error:  # a NUL in it, or a variable's name with a =
            return Refused(CANNOT_EXECUTE, f"cannot start {words[0]!r}: {error}")
        except OSError as error:
            return Refused(CANNOT_EXECUTE, f"cannot start {words[0]!r}: {_reason(error)}")

    def _start(self, hold: Hold, words: list[str]) -> Launched | Refused:
        # A shell would say where it is; what is started without one has to be told.
        place = {} if hold.cwd is None else {"PWD": os.path.abspath(hold.cwd)}
        environment = self._environment | _encoded({**place, **hold.env, MARK: hold.key})
        if hold.cwd is not None:
            return self._start_by([_GO_AND_BECOME, _SHELL, place["PWD"]], words, environment)
        if words[0] != _SHELL and self._may_hang():
            return self._start_by([_BECOME, _SHELL], words, environment)
        try:
            return self._spawn(words, environment)
        except OSError as error:
            if error.errno != errno.ENOEXEC or not isinstance(hold.command, str):
                raise
            # To a shell it is a script though it does not say so.
            return self._spawn([_SHELL, "-c", hold.command], environment)

    def _start_by(
        self, script: list[str], words: list[str], environment: dict[bytes, bytes]
    ) -> Launched | Refused:
        """Start a shell that becomes the command by itself."""
        arguments = [_SHELL, "-c", *script, *words]
        launched = self._spawn(arguments, environment)
        if isinstance(launched, Launched):
            size = sum(len(os.fsencode(word)) + 1 for word in arguments)
            return replace(launched, starter=size)
        return launched

    def _spawn(self, arguments: list[str], environment: dict[bytes, bytes]) -> Launched | Refused:
        program = find_program(arguments[0], os.fsdecode(environment.get(b"PATH", _DEFAULT_PATH)))
        if program is None:
            return Refused(NOT_FOUND, f"cannot start {arguments[0]!r}: no such program in PATH")
        pipe, theirs = os.pipe()
        try:
            pid = os.posix_spawn(
                program,
                arguments,
                environment,
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, self._null, 0),
                    (os.POSIX_SPAWN_DUP2, theirs, 1),
                    (os.POSIX_SPAWN_DUP2, theirs, 2),
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=_RESTORED,
            )
        except FileNotFoundError:
            os.close(pipe)
            return Refused(NOT_FOUND, f"cannot start {arguments[0]!r}: {_missing(program)}")
        except BaseException:
            os.close(pipe)
            raise
        finally:
            os.close(theirs)
        return Launched(pid, pipe)


def words_of(command: str | Sequence[str]) -> list[str]:
    """Return the program and its arguments: those of a shell, if the command needs one."""
    if not isinstance(command, str):
        return list(command)
    return command.split() if _PLAIN.fullmatch(command) else [_SHELL, "-c", command]


def find_program(name: str, path: str) -> str | None:
    """Return the file that ``execvp`` would start for ``name``; None if no directory has it.

    A file that may not be executed is found if there is no other, so that the error says so.
    """
    if "/" in name:
        return name
    forbidden = None
    for directory in path.split(":"):
        file = os.path.join(directory, name)
        if os.access(file, os.X_OK) and not os.path.isdir(file):
            return file
        if forbidden is None and os.path.isfile(file):
            forbidden = file
    return forbidden


def _encoded(variables: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return what ``posix_spawn`` would make of it at each start."""
    return {os.fsencode(name): os.fsencode(text) for name, text in variables.items()}


def _missing(program: str) -> str:
    if os.path.exists(program):
        return "its interpreter (the first line of the script, or its loader) does not exist"
    return "no such file"


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
