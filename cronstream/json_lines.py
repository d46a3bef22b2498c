"""Lines of JSON, one object each, whoever writes them: log lines, and whatever comes on stderr.

Libraries print, Python warns, and what nobody has caught ends a process with a stack trace. Once
`keep_stderr` was called all of that is lines of the same kind, to the last one of the process.
"""

import atexit
import io
import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Any, Final, TextIO

import orjson
from typing_extensions import override

from cronstream.core.wire.naming import Role
from cronstream.core.wire.times import format_time
from cronstream.escaping import safe_json

#: The action of the line by which a process, or a thread of it, ends that nobody has caught.
CRASHED: Final = "crashed"
#: What a process that was started from here is given, so that it writes lines of JSON as well.
OPTION: Final = "--json-lines"
#: What sees to stderr of this process, if anything does.
_kept: "list[JsonStderr]" = []
#: What is named as the logger of lines that no logger has written.
_STRAY: Final = "stderr"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields that it has.

    Args:
        role: What this process does, which all of its lines say.
    """

    def __init__(self, role: Role | None = None) -> None:
        super().__init__()
        self._common = {} if role is None else {"role": role.kind.value}
        if role is not None and role.cluster is not None:
            self._common["cluster"] = role.cluster

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._common,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return safe_json(_encode(line))


def _encode(line: dict[str, Any]) -> str:
    """Return a line as JSON that every reader takes, whatever stands in it."""
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:  # Half a character, as a file's name may have; or a number beyond all bounds.
        return json.dumps({key: _sound(value) for key, value in line.items()})


def _sound(value: Any) -> Any:
    if isinstance(value, int | None) or (isinstance(value, float) and isfinite(value)):
        return value
    return str(value).encode(errors="backslashreplace").decode()


class JsonStderr(io.TextIOBase):
    """What takes the place of stderr: each line that is no JSON object becomes one.

    Args:
        raw: Where lines go.
    """

    #: click asks for it, and lines are ASCII or UTF-8.
    encoding = "utf-8"

    def __init__(self, raw: TextIO) -> None:
        super().__init__()
        self._raw, self._rest = raw, ""
        self._lock = threading.RLock()
        self.formatter = JsonFormatter()

    @override
    def write(self, text: str) -> int:
        """Write the lines that `text` completes; what has no end yet waits for it."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._write_line(line)
        return len(text)

    def end(self) -> None:
        """Write what has no end of its line: no more is to come."""
        with self._lock:
            line, self._rest = self._rest, ""
            self._write_line(line)

    def log(self, record: logging.LogRecord) -> None:
        """Write a record, whatever has become of logging."""
        with self._lock:
            self._raw.write(f"{self.formatter.format(record)}\n")
            self._raw.flush()

    @override
    def flush(self) -> None:
        """Hand on what was written."""
        self._raw.flush()

    @override
    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    @override
    def isatty(self) -> bool:
        """Say that nobody looks at it who would like colours."""
        return False

    @override
    def fileno(self) -> int:
        """Return the descriptor, for what is started from here."""
        return self._raw.fileno()

    def _write_line(self, line: str) -> None:
        if is_object(line):
            self._raw.write(f"{line}\n")
        elif line.strip():
            self.log(_record(logging.WARNING, line, _STRAY))


def is_object(line: str) -> bool:
    """Whether a line is a JSON object."""
    if not line.startswith("{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def keep_stderr() -> JsonStderr:
    """From now on have nothing but lines of JSON on stderr; return what sees to it.

    Left out is what the interpreter, or a library in C, writes to the descriptor itself.
    """
    if _kept:
        return _kept[0]
    stream = JsonStderr(sys.stderr)
    _kept.append(stream)
    # Whoever puts another stream in its place, as mode does, puts back what stands beside it.
    sys.stderr = vars(sys)["__stderr__"] = stream
    sys.excepthook = partial(_uncaught, stream)
    threading.excepthook = partial(_uncaught_in_thread, stream)
    sys.unraisablehook = partial(_unraisable, stream)
    warnings.showwarning = partial(_warned, stream)
    atexit.register(stream.end)
    return stream


def describe(role: Role) -> None:
    """Have what comes on stderr say which process it is of."""
    for stream in _kept:
        stream.formatter = JsonFormatter(role)


def options() -> list[str]:
    """Return what a process that is started from here has to be given, to do as this one."""
    return [OPTION] * len(_kept)


def _uncaught(stream: JsonStderr, kind: Any, error: Any, trace: Any) -> None:
    """What nobody has caught ends the process."""
    text = f"this process ends: {kind.__name__}: {error}"
    stream.log(_record(logging.CRITICAL, text, _STRAY, (kind, error, trace), CRASHED))


def _uncaught_in_thread(stream: JsonStderr, args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "?"
    text = f"thread {name} ends: {args.exc_type.__name__}: {args.exc_value}"
    what = args.exc_type, args.exc_value, args.exc_traceback
    stream.log(_record(logging.ERROR, text, _STRAY, what, CRASHED))


def _unraisable(stream: JsonStderr, args: Any) -> None:
    """What was raised where nothing can be raised, as where an object is thrown away."""
    text = f"{args.err_msg or 'Exception ignored in'}: {args.object!r}"
    what = args.exc_type, args.exc_value, args.exc_traceback
    stream.log(_record(logging.ERROR, text, _STRAY, what))


def _warned(
    stream: JsonStderr, message: Warning | str, category: type[Warning], *place: Any
) -> None:
    text = f"{place[0]}:{place[1]}: {category.__name__}: {message}"
    stream.log(_record(logging.WARNING, text, "py.warnings"))


def _record(
    level: int, text: str, logger: str, what: Any = None, action: str | None = None
) -> logging.LogRecord:
    record = logging.LogRecord(logger, level, "", 0, text, None, what)
    if action is not None:
        vars(record)["fields"] = {"action": action}
    return record
