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

from cronstream.executor.confining import UnconfinedError, confine
from cronstream.executor.masking import Masker
from cronstream.executor.protocol import Hold
from cronstream.executor.secrets import SecretReader, UnavailableError

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
        masker: Takes what it was given as secrets out of its output; None if there are none.
    """

    pid: int
    pipe: int
    starter: int | None = None
    masker: Masker | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The command could not be started; ``note`` says why, in plain words."""

    exit_status: int
    note: str


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a command is started in, and the words by which it is confined."""

    environment: dict[bytes, bytes]
    confined_by: tuple[str, ...] = ()
    umask: int | None = None


class Spawner:
    """Starts commands in this process's environment and directory, and what they ask for.

    Args:
        environment: What every command gets, under its own variables.
        may_hang: Says whether a file system is mounted that may hang.
        ours: The worker's own environment, where secrets may be.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        may_hang: Callable[[], bool],
        ours: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = _encoded(environment)
        self._may_hang = may_hang
        self._secrets = SecretReader(ours or {}, may_hang)
        self._null = os.open(os.devnull, os.O_RDONLY)

    def start(self, hold: Hold) -> Launched | Refused:
        """Start the command of ``hold``; whatever stands against it is a ``Refused``."""
        words = words_of(hold.command)
        if not words:
            return Refused(CANNOT_EXECUTE, "cannot start: the command is empty")
        try:
            return self._start(hold, words)
        except (UnavailableError, UnconfinedError) as error:
            return Refused(CANNOT_EXECUTE, str(error))
        except (TypeError, ValueError) as error:  # a NUL in it, or a variable's name with a =
            return Refused(CANNOT_EXECUTE, f"cannot start {words[0]!r}: {error}")
        except OSError as error:
            return Refused(CANNOT_EXECUTE, f"cannot start {words[0]!r}: {_reason(error)}")

    def _start(self, hold: Hold, words: list[str]) -> Launched | Refused:
        # A shell would say where it is; what is started without one has to be reported here.
        place = {} if hold.cwd is None else {"PWD": os.path.abspath(hold.cwd)}
        own = _encoded({**place, **hold.env, MARK: hold.key})
        if hold.secrets is None and hold.user is None and hold.umask is None and not hold.limits:
            return self._place(hold, words, _Setting(self._environment | own))
        secrets = self._secrets.read(hold.secrets or {})
        confinement = confine(hold.user, hold.limits or {})
        login = _encoded(confinement.environment)
        environment = self._environment | login | secrets | own
        setting = _Setting(environment, confinement.words, hold.umask)
        launched = self._place(hold, words, setting)
        if secrets and isinstance(launched, Launched):
            return replace(launched, masker=Masker(secrets.values()))
        return launched

    def _place(self, hold: Hold, words: list[str], setting: _Setting) -> Launched | Refused:
        """Start a command where it is to be: by a shell, if this process may not look there."""
        if hold.cwd is not None:
            place = os.path.abspath(hold.cwd)
            return self._start_by([_GO_AND_BECOME, _SHELL, place], words, setting)
        if words[0] != _SHELL and self._may_hang():
            return self._start_by([_BECOME, _SHELL], words, setting)
        try:
            return self._spawn(words, setting)
        except OSError as error:
            if error.errno != errno.ENOEXEC or not isinstance(hold.command, str):
                raise
            # To a shell it is a script though it does not say so.
            return self._spawn([_SHELL, "-c", hold.command], setting)

    def _start_by(
        self, script: list[str], words: list[str], setting: _Setting
    ) -> Launched | Refused:
        """Start a shell that becomes the command by itself."""
        arguments = [_SHELL, "-c", *script, *words]
        launched = self._spawn(arguments, setting)
        if isinstance(launched, Launched):
            size = sum(len(os.fsencode(word)) + 1 for word in arguments)
            return replace(launched, starter=size)
        return launched

    def _spawn(self, arguments: list[str], setting: _Setting) -> Launched | Refused:
        path = setting.environment.get(b"PATH", _DEFAULT_PATH)
        program = find_program(arguments[0], os.fsdecode(path))
        if program is None:
            return Refused(NOT_FOUND, f"cannot start {arguments[0]!r}: no such program in PATH")
        if setting.confined_by:
            arguments = [*setting.confined_by, program, *arguments[1:]]
            program = arguments[0]
        pipe, theirs = os.pipe()
        umask = None if setting.umask is None else os.umask(setting.umask)
        try:
            pid = os.posix_spawn(
                program,
                arguments,
                setting.environment,
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
            if umask is not None:
                os.umask(umask)
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
