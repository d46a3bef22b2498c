"""What an installation sets: environment variables ``CRONSTREAM_*``, with their defaults.

This is the only module that reads the environment. Command-line options that set the same thing
write the variable before the settings are first asked for, so that options win.
"""

import errno
import hashlib
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from platformdirs import PlatformDirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from cronstream.core.wire.naming import DEFAULT_PREFIX, Names, prefix_problem
from cronstream.core.wire.variables import SETTINGS
from cronstream.errors import SettingsError
from cronstream.log_settings import LogSettings
from cronstream.running import running_at

#: Seconds between two heartbeats of a worker (`core.timing.Timing`): a fence that is no
#: longer would let nothing start.
_BEAT_S = 1.0


_USER_FOLDERS = PlatformDirs("cronstream", appauthor=False)


def user_data_folder() -> Path:
    """Return where this user's programs keep data, as the system has it (XDG).

    Raises:
        SettingsError: If this user has no home.
    """
    try:
        return _USER_FOLDERS.user_data_path
    except RuntimeError as error:  # no HOME, and a user id that this system does not know
        raise SettingsError(
            "there is no folder to keep data in, since this user has no home: name one with "
            "CRONSTREAM_DATA_DIR"
        ) from error


#: What most programs look at: who runs them, where, in what language and at what local time.
COMMANDS_GET: Final = "PATH,HOME,USER,LOGNAME,SHELL,LANG,LANGUAGE,LC_*,TZ,TMPDIR"
_PASSED: Final = re.compile(r"[^=*\s]+\*?|\*")

#: What must be less than what, and what would happen else.
_IN_ORDER = (
    ("fence_s", "lease_s", "a worker could start what was given to another one"),
    ("lease_s", "look_ahead_s", "what a killed worker had would be made late"),
)


class Settings(LogSettings):
    """Everything that can be set; one value each for the whole installation, or for a process.

    What keeps a broker's failover from costing anything, and the loss of a worker from making
    the next runs late, is ``broker failover < fence_s < lease_s < look_ahead_s`` (rule 8 in
    docs/design).
    """

    #: The crontab that a scheduler reads, and from which workers learn the clusters' names.
    crontab: Path = Path("crontab.yaml")
    #: Where processes keep what they need between starts, if it was said; see `data_dir`.
    given_data_dir: Path | None = Field(default=None, validation_alias="CRONSTREAM_DATA_DIR")

    #: Where Kafka's jars are kept once they are downloaded, if it was said; see `jars`.
    jar_cache: Path | None = None
    #: The Java to prefer for the embedded Kafka, as every Java tool takes it.
    java_home: Path | None = Field(default=None, validation_alias="JAVA_HOME")
    #: If it is not empty, nothing is coloured (no-color.org).
    no_color: str = Field(default="", validation_alias="NO_COLOR")

    #: What the names of all its topics and consumer groups begin with, for the whole installation.
    prefix: str = DEFAULT_PREFIX
    #: Partitions of each log, for the whole installation: never changed once there are runs.
    partitions: Annotated[int, Field(ge=1, le=1024)] = 12
    #: Scheduler shards, for the whole installation: never changed once there are jobs.
    shards: Annotated[int, Field(ge=1, le=256)] = 1
    #: Copies of each topic; 3 on a cluster of brokers.
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    #: Copies that must have a message before it is acknowledged.
    min_insync_replicas: Annotated[int, Field(ge=1, le=9)] = 1

    #: Seconds before its due time that a run is published and claimed; with the reach of edits
    #: (``core.planning.due.REACH``) it has to stay within the window in which due times are known.
    look_ahead_s: Annotated[float, Field(ge=5, le=60)] = 30.0
    #: Commands that one worker runs at a time.
    slots: Annotated[int, Field(ge=1, le=10_000)] = 64
    #: Processes of a worker that start commands, side by side; 0: one for each core, 4 at most.
    executors: Annotated[int, Field(ge=0, le=64)] = 0
    #: Seconds without a heartbeat after which a worker is lost; less than the look-ahead.
    lease_s: Annotated[float, Field(gt=_BEAT_S)] = 6.0
    #: Seconds that a read-back heartbeat lets a worker start attempts; less than the lease.
    fence_s: Annotated[float, Field(gt=_BEAT_S)] = 4.5
    #: Seconds that running commands have to end when their worker is asked to stop.
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = 20.0
    #: Variables of a worker's that its commands get: names, with ``*`` for whatever follows.
    pass_env: str = COMMANDS_GET
    #: Bytes of a command's output that are kept from its beginning, and as many from its end.
    output_bytes: Annotated[int, Field(ge=0, le=262_144)] = 4096

    #: The file of the keys that are trusted, a line for each; None: no signature is looked at.
    trusted_keys: Path | None = None
    #: Whether what is not signed is taken, or refused.
    signatures: Literal["accept", "require"] = "accept"
    #: The private key (PEM) by which this process signs what it asks for; None: it signs nothing.
    signing_key: Path | None = None

    #: Whether a scheduler's crontab may take the place of jobs that it has nothing to do with.
    adopt: bool = False
    #: A topic in the old layout whose messages are to be made into runs; see docs/migration.md.
    legacy_topic: str | None = None
    #: The consumer group of the old workers: what it has not yet read is moved.
    legacy_group: str | None = None
    #: Seconds after which a process that is unhealthy, and cannot mend it, ends itself; 0: never.
    health_patience_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0

    @field_validator("pass_env")
    @classmethod
    def _check_names(cls, value: str) -> str:
        """Refuse what can be no variable's name, and names of settings, which no command gets."""
        names = [name.strip() for name in value.split(",") if name.strip()]
        for name in names:
            if not _PASSED.fullmatch(name):
                raise ValueError(
                    f"{name!r} is not a variable's name; write names with ',' between, such as "
                    f"{COMMANDS_GET}"
                )
            if name.startswith(SETTINGS):
                raise ValueError(
                    f"{name} sets the worker itself, and no command gets it; write what a job "
                    "needs of it under its own 'env'"
                )
        return ",".join(names)

    @field_validator("prefix")
    @classmethod
    def _check_prefix(cls, value: str) -> str:
        """Refuse what is no prefix of topics and groups."""
        problem = prefix_problem(value)
        if problem:
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse what does not fit: `The times that must fit` in docs/guarantees.md, and copies."""
        faults = [
            f"CRONSTREAM_{shorter.upper()} ({less:g}) must be less than "
            f"CRONSTREAM_{longer.upper()} ({more:g}): {why}"
            for shorter, longer, why in _IN_ORDER
            if (less := getattr(self, shorter)) >= (more := getattr(self, longer))
        ]
        if self.min_insync_replicas > self.replication_factor:
            faults.append(
                f"CRONSTREAM_MIN_INSYNC_REPLICAS ({self.min_insync_replicas}) must not be more "
                f"than CRONSTREAM_REPLICATION_FACTOR ({self.replication_factor}): "
                "nothing could ever be written"
            )
        if self.signatures == "require" and self.trusted_keys is None:
            faults.append(
                "CRONSTREAM_SIGNATURES=require needs CRONSTREAM_TRUSTED_KEYS: nothing could ever "
                "be run"
            )
        if self.signing_key is not None and self.trusted_keys is None:
            faults.append(
                "CRONSTREAM_SIGNING_KEY needs CRONSTREAM_TRUSTED_KEYS: what is signed was read "
                "from Kafka, and is checked by them before"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def passed_variables(self) -> list[str]:
        """The names in `pass_env`."""
        return self.pass_env.split(",")

    @property
    def names(self) -> Names:
        """What the topics and consumer groups of this installation are called."""
        return Names(self.prefix)

    @property
    def data_dir(self) -> Path:
        """Where the installation of this crontab keeps what it needs between starts.

        If it was not said, each crontab and each prefix has a folder of its own among the user's
        data: two installations of one user share nothing.

        Raises:
            SettingsError: If it was not said, and the user has no home.
        """
        return self.given_data_dir or user_data_folder() / self._installation

    @property
    def _installation(self) -> str:
        crontab = self.crontab.absolute()
        place = crontab.parent.resolve() / crontab.name
        fingerprint = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
        name = f"{place.parent.name or 'root'}-{fingerprint}"
        return name if self.prefix == DEFAULT_PREFIX else f"{name}-{self.prefix}"

    @property
    def jars(self) -> Path:
        """Where Kafka's jars are kept: once for all installations of this user.

        Raises:
            SettingsError: If it was not said, and the user has no home.
        """
        if self.jar_cache is not None:
            return self.jar_cache
        try:
            return _USER_FOLDERS.user_cache_path / "jars"
        except RuntimeError:  # without a home, what was said of data will do
            return self.data_dir / "jars"

    @property
    def executor_processes(self) -> int:
        """How many executors a worker has."""
        return self.executors or min(len(os.sched_getaffinity(0)), 4)


def make_data_folder(path: Path) -> Path:
    """Make a folder that processes keep data in, with those above it, and return it.

    Raises:
        SettingsError: If this user may not write there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "it may not be written to")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(
            f"data cannot be kept in {path} ({reason}): name a folder that this user may write "
            "to with CRONSTREAM_DATA_DIR"
        ) from error
    return path


def child_environment(**changes: str) -> dict[str, str]:
    """Return the environment for a child process: this one's, with `changes`."""
    return {**os.environ, **changes}


def asks_for_json() -> bool:
    """Whether log lines are to be JSON; known before, and whether or not, the settings can be."""
    return os.environ.get("CRONSTREAM_LOG_FORMAT") == "json"


@cache
def settings() -> Settings:
    """Return this process's settings, read once.

    Raises:
        SettingsError: If a variable's value cannot be used; the sentence names each.
    """
    found = _read()
    if "broker" not in found.model_fields_set:
        # What runs with this folder's crontab is meant, wherever its Kafka found a port.
        with suppress(SettingsError):
            found.broker = running_at(found.data_dir) or found.broker
    return found


def given_broker() -> str | None:
    """Return where Kafka is if that was said; neither the default counts nor what runs here.

    Raises:
        SettingsError: As `settings`.
    """
    found = _read()
    return found.broker if "broker" in found.model_fields_set else None


def _read() -> Settings:
    variables = {str(field.validation_alias) for field in Settings.model_fields.values()}
    given = {name: os.environ[name] for name in variables & os.environ.keys()}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_sentence, error.errors()))) from error


def _sentence(fault: ErrorDetails) -> str:
    """Return what is wrong with one value, behind the variable's name if it is about one."""
    # Our own sentence, or else pydantic's.
    sentence = str(fault.get("ctx", {}).get("error", fault["msg"]))
    return f"{fault['loc'][0]}: {sentence}" if fault["loc"] else sentence
