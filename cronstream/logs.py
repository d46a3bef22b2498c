"""Log lines: one for each state change, for people or, as JSON, for machines.

What a line is about stands in its fields (`fields`), which `docs/logs.md` describes; nobody has to
read its sentence for that.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

import orjson
from typing_extensions import override

from cronstream.core.wire.naming import Role
from cronstream.core.wire.times import format_time
from cronstream.escaping import safe
from cronstream.json_lines import JsonFormatter, keep_stderr
from cronstream.settings import Settings, asks_for_json

#: Loggers whose chatter says nothing to an operator; what they warn of is logged.
_CHATTY = (
    "faust",
    "mode",
    "asyncio",
    "aiohttp",
    # The services of these modules log their life as Faust's own do.
    "cronstream.application",
    "cronstream.fitted",
)
#: aiokafka logs some hundred ERROR lines a second while a broker is away, and Faust's driver of it
#: a line for each partition after it; we say it once. What they did not expect themselves, they
#: report with a traceback.
_NOISY = ("aiokafka", "faust.transport.drivers.aiokafka")
#: The action of the line that says that this process ends by its own decision.
OWN_END = "own-end"
#: The action of a line that a command has written.
OUTPUT = "output"
#: The packages whose services go down with a process that ends itself.
_SERVICES = (
    "faust",
    "mode",
    "cronstream.application",
    "cronstream.fitted",
)


class Fields(TypedDict, total=False):
    """What a line may be about, besides its action."""

    job: str
    run: str
    attempt: int
    #: How an attempt has ended: a word of `Outcome`; and how long it took.
    outcome: str
    seconds: float
    #: Where a command has written a line.
    stream: str
    #: How many lines, or bytes, there are not.
    lines: int
    bytes: int
    #: Why: a word of the product's, such as a verdict's reason.
    reason: str
    cluster: str
    topic: str
    partition: int
    offset: int
    shard: int
    #: Who asked for something.
    by: str
    #: A worker's name in the ledger.
    worker: str
    #: A broker's address.
    broker: str
    #: The id of a key that signs.
    key: str
    #: The process of an executor.
    executor: int
    #: How many jobs there are, and how many of them were edited in which way.
    jobs: int
    added: int
    changed: int
    removed: int
    #: How many due times are another time's; then `added` and `removed` are of due times, too.
    moved: int


def fields(action: str, **about: Unpack[Fields]) -> dict[str, dict[str, Any]]:
    """Return what a line says of itself, as ``extra`` of a logger's methods.

    Args:
        action: What has happened, in words with hyphens; each has a row in `docs/logs.md`.
        about: What it has happened to.
    """
    return {"fields": {"action": action, **about}}


class PlainFormatter(logging.Formatter):
    """``2026-01-01T12:00:01Z run backup@…: attempt 1 started``; above INFO, the level is said."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s")
        self._second, self._time = -1, ""

    @override
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the date and the time (UTC), to the second, as a run's id has them."""
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, format_time(datetime.fromtimestamp(second, UTC))
        return self._time

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without what was raised; what it quotes can neither end nor hide it."""
        record.message = safe(record.message)
        about = getattr(record, "fields", {})
        if about.get("action") == OUTPUT:
            record.message = f"run {about.get('run')} | {record.message}"
        if record.levelno > logging.INFO:
            record.message = f"{record.levelname}: {record.message}"
        return super().formatMessage(record)

    @override
    def formatException(self, ei: Any) -> str:
        """Return what was raised, on lines of its own."""
        return safe(super().formatException(ei), keep="\n")


def read_line(line: str) -> dict[str, Any]:
    """Return what a line of JSON says; of any other, as a library may write, only its text."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        said = None
    return said if isinstance(said, dict) else {"message": line}


class OwnEndFilter(logging.Filter):
    """Leaves out what Faust says of an end that this process has decided on, and logged.

    Stopping a service that has crashed makes others crash, each with a stack trace: they are
    consequences, and would hide the one line that says why.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ends = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        if getattr(record, "fields", {}).get("action") == OWN_END:
            self._ends = True
            return True
        return not (self._ends and record.name.startswith(_SERVICES))


class NoiseFilter(logging.Filter):
    """Leaves out what is said of brokers that are away, but not what nobody has expected."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        return bool(record.exc_info) or not record.name.startswith(_NOISY)


class BriefFilter(logging.Filter):
    """Leaves at most three lines of a run: its start, its end, and what became of it.

    Of its first attempt the start, and the end if something follows; then the verdict. What later
    attempts do until then is left out.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        about = getattr(record, "fields", {})
        action = about.get("action")
        if action in _STEPS:
            return bool(about.get("attempt") == 1)
        return action != _GIVES_WAY


#: What becomes of a run before its verdict, as far as its lines are not for debugging; and how it
#: leaves its place to another of the same name.
_STEPS = ("running", "finished", "lost", "interrupted")
_GIVES_WAY = "withdrawn"


def begin() -> None:
    """See that a process that was asked for lines of JSON writes none but those, from now on.

    Of Faust's commands that is the one that runs a scheduler or a worker: others are typed by
    people, also where a container's environment asks for JSON.
    """
    if asks_for_json() and "worker" in sys.argv[1:]:
        keep_stderr()


def logging_config(
    settings: Settings,
    level: str | int = "INFO",
    logfile: str | None = None,
    role: Role | None = None,
) -> dict[str, Any]:
    """Return the configuration, as ``logging.config.dictConfig`` takes it.

    Args:
        settings: Says the form of the lines.
        level: What is below it is not logged.
        logfile: Where lines go; None for stderr.
        role: What this process does.
    """
    # No line says where in the code it was written, or by which thread: that is not looked up.
    logging._srcfile = None  # noqa: SLF001 - so says the HOWTO of logging (Optimization)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    line: dict[str, Any] = {"()": PlainFormatter}
    if settings.log_format == "json":
        line = {"()": JsonFormatter, "role": role}
    handler: dict[str, Any] = {"class": "logging.StreamHandler"}
    if logfile:
        handler = {"class": "logging.FileHandler", "filename": logfile}
    handler["filters"] = ["own end", "noise"]
    if settings.log_format == "brief":
        handler["filters"].append("brief")
    quiet = {name: {"level": "WARNING"} for name in _CHATTY}
    silent = {name: {"level": "ERROR"} for name in _NOISY}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "filters": {
            "own end": {"()": OwnEndFilter},
            "noise": {"()": NoiseFilter},
            "brief": {"()": BriefFilter},
        },
        "handlers": {"lines": {**handler, "formatter": "line", "level": level}},
        "root": {"handlers": ["lines"], "level": "INFO"},
        "loggers": {**quiet, **silent, "cronstream": {"level": "DEBUG"}},
    }
