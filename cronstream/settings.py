"""What an installation sets: environment variables ``CRONSTREAM_*``, with their defaults.

This is the only module that reads the environment. Command-line options that set the same thing
write the variable before the settings are first asked for, so that options win.
"""

import errno
import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import PlatformDirs
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from cronstream.access import Access
from cronstream.errors import SettingsError
from cronstream.running import running_broker

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
    except RuntimeError as error:  # no HOME, and a user id that nobody has told this system of
        raise SettingsError(
            "there is no folder to keep data in, since this user has no home: name one with "
            "CRONSTREAM_DATA_DIR"
        ) from error


#: What must be less than what, and what would happen else.
_IN_ORDER = (
    ("fence_s", "lease_s", "a worker could start what was given to another one"),
    ("lease_s", "look_ahead_s", "what a killed worker had would be made late"),
)


class Settings(Access):
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
    #: Seconds that running commands have to end when their worker is told to stop.
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = 20.0
    #: Bytes of a command's output that are kept from its beginning, and as many from its end.
    output_bytes: Annotated[int, Field(ge=0, le=262_144)] = 4096

    #: Whether a scheduler's crontab may take the place of jobs that it has nothing to do with.
    adopt: bool = False
    #: A topic in the old layout whose messages are to be made into runs; see docs/migration.md.
    legacy_topic: str | None = None
    #: The consumer group of the old workers: what it has not yet read is moved.
    legacy_group: str | None = None
    #: Seconds after which a process that is unhealthy, and cannot mend it, ends itself; 0: never.
    health_patience_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    #: Where Faust's web server listens.
    web_bind: str = "127.0.0.1"
    #: Its port; 0 takes a free one.
    web_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    #: ``plain`` for a person or a supervisor, or ``json``.
    log_format: Literal["plain", "json"] = "plain"

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
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def data_dir(self) -> Path:
        """Where the installation of this crontab keeps what it needs between starts.

        If it was not said, each crontab has a folder of its own among the user's data: two
        installations of one user share nothing.

        Raises:
            SettingsError: If it was not said, and the user has no home.
        """
        return self.given_data_dir or user_data_folder() / self._installation

    @property
    def _installation(self) -> str:
        crontab = self.crontab.absolute()
        place = crontab.parent.resolve() / crontab.name
        fingerprint = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
        return f"{place.parent.name or 'root'}-{fingerprint}"

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
            found.broker = running_broker(found.data_dir) or found.broker
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
