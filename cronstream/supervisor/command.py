"""What a part is started with."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cronstream.core.wire.naming import Role


@dataclass(frozen=True, slots=True)
class Command:
    """What to start.

    Attributes:
        argv: The program with its arguments.
        variables: What its environment has besides ours.
        folder: Where it is started; None for where we are.
    """

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What all parts have in common.

    Attributes:
        broker: Where Kafka is, as ``kafka://host:port``.
        crontab: The crontab, as an absolute path.
        data_dir: Where the parts keep their files.
        slots: Commands that each worker runs at a time; None for the default.
        is_verbose: Whether each part logs details too, and each attempt of a run.
        metrics_host: Where each serves metrics, at a port that it chooses; None for nowhere.
    """

    broker: str
    crontab: Path
    data_dir: Path
    slots: int | None = None
    is_verbose: bool = False
    metrics_host: str | None = None


def worker_command(installation: Installation, role: Role, web_port: int = 0) -> Command:
    """Return the command that a person would type for this role, with what it has to know.

    Args:
        installation: What all parts have in common.
        role: What it is to be.
        web_port: Where it serves its pages; 0 for a port that it chooses itself.
    """
    options = [] if role.cluster is None else ["--cluster", role.cluster]
    if role.retry:
        options.append("--retry")
    if installation.is_verbose:
        options += ["--loglevel", "debug"]
    variables = _variables(installation, web_port)
    if installation.slots is not None:
        variables["CRONSTREAM_SLOTS"] = str(installation.slots)
    # Unbuffered (-u): lines are to come when they are written, also those of a part that dies. A
    # variable would go on to the commands. Quiet only about its banner, 18 lines for each part.
    faust = (sys.executable, "-u", "-m", "faust", "--quiet", "-A", "cronstream")
    return Command((*faust, "worker", *options), variables)


def console_command(installation: Installation, port: int) -> Command:
    """Return the command that starts a console, with what it has to know.

    Args:
        installation: What all parts have in common.
        port: Where it serves its pages.
    """
    # Nice, since whoever looks on is not to take time from what starts, or runs on the instant.
    main = "import os; os.nice(5); from cronstream.cli.main import main; main()"
    return Command((sys.executable, "-u", "-c", main, "console"), _variables(installation, port))


def _variables(installation: Installation, web_port: int) -> dict[str, str]:
    found = {
        "CRONSTREAM_BROKER": installation.broker,
        "CRONSTREAM_CRONTAB": str(installation.crontab),
        "CRONSTREAM_DATA_DIR": str(installation.data_dir),
        "CRONSTREAM_LOG_FORMAT": "plain" if installation.is_verbose else "brief",
        "CRONSTREAM_WEB_PORT": str(web_port),
        # Roles are given by options; what a shell has set must not make a worker of the scheduler.
        "CRONSTREAM_CLUSTER": "",
        "CRONSTREAM_RETRY": "",
    }
    if (host := installation.metrics_host) is not None:  # A port that was given is for one of them.
        found["CRONSTREAM_METRICS_BIND"] = f"[{host}]" if ":" in host else host
    return found
