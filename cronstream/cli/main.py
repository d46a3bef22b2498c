"""The ``cronstream`` command: one group, whose commands are loaded only when they are used.

Exit status: 0 done; 1 failed, or problems found; 2 wrong usage; 3 nothing of that name; 130 Ctrl-C.
Nothing here imports Faust, aiokafka or pydantic, so that ``--help`` and completion answer at once.
"""

import importlib
import logging
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from cronstream.cli.examples import epilog
from cronstream.cli.failures import reporting_errors
from cronstream.cli.given import hand_on
from cronstream.cli.lean import load
from cronstream.cli.sections import SECTIONS
from cronstream.cli.shells import offer
from cronstream.errors import SettingsError
from cronstream.system import need_linux

#: What completion scripts set when they ask for proposals (click's own naming).
_COMPLETE_VAR = "_CRONSTREAM_COMPLETE"
#: Whether stack traces are wanted, as the contexts of one command line know it.
_TRACES = "cronstream.traces"


offer()
_ENTRIES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}


def _dressed(command: click.Command, name: str) -> click.Command:
    """Give a command what all have: ``--debug``, and examples in its help."""
    if not any("--debug" in parameter.opts for parameter in command.params):
        command.epilog = epilog(name)
        command.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_debug,
                help="Show stack traces, and what libraries log.",
            )
        )
    return command


def _debug(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Remember that stack traces are wanted, wherever that was said."""
    if wanted:
        ctx.meta[_TRACES] = True
        logging.basicConfig(level=logging.INFO)
    # Kafka's client logs each failed connection; a command says it once, in one line of its own.
    elif _TRACES not in ctx.meta:
        for library in ("aiokafka", "kafka"):
            logging.getLogger(library).setLevel(logging.CRITICAL)


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one when it is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(_ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; one that needs another system is refused before that."""
        entry = _ENTRIES.get(cmd_name)
        if entry is None:
            return None
        if entry.needs_linux and not ctx.resilient_parsing:
            need_linux()
        module, _, attribute = entry.place.partition(":")
        command: click.Command = getattr(load(module), attribute)
        return _dressed(command, cmd_name)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, from the table alone."""
        width = max(map(len, _ENTRIES))
        for heading, entries in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(entry.name.ljust(width), entry.summary) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Propose commands and options, without importing a command."""
        names = [
            CompletionItem(entry.name, help=entry.summary)
            for entry in _ENTRIES.values()
            if entry.name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the error for one that is not there names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # Only a wrong command pays for the import.
            near = importlib.import_module("difflib").get_close_matches(args[0], _ENTRIES, n=1)
            if near:
                error.message += f" Did you mean {near[0]!r}?"
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error ends it with a line and an exit status."""
        with reporting_errors(with_trace=lambda: _TRACES in ctx.meta):
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line and run the command; nothing leaves it as a stack trace."""
        with reporting_errors(with_trace=lambda: False):
            return super().main(*args, **kwargs)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    # Only this option pays for the import.
    metadata = importlib.import_module("importlib.metadata")
    try:
        version = metadata.version("cronstream")
    except metadata.PackageNotFoundError:
        version = "(not installed: run from its source)"
    click.echo(f"cronstream {version}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--broker",
    envvar="CRONSTREAM_BROKER",
    metavar="URL",
    help="Where Kafka is (CRONSTREAM_BROKER).",
)
@click.option(
    "--crontab",
    envvar="CRONSTREAM_CRONTAB",
    metavar="FILE",
    help="The crontab file (CRONSTREAM_CRONTAB).",
)
@click.option(
    "--data-dir",
    envvar="CRONSTREAM_DATA_DIR",
    metavar="DIR",
    help="Where data is kept (CRONSTREAM_DATA_DIR).",
)
@click.option(
    *("-v", "--debug"),
    is_flag=True,
    expose_value=False,
    callback=_debug,
    help="Show stack traces, and what libraries log.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def main(broker: str | None, crontab: str | None, data_dir: str | None) -> None:
    """Distributed cron on Kafka: as easy as crontab, as trustworthy as a ledger."""
    try:
        Path.cwd()
    except OSError as error:
        raise SettingsError(
            "the folder that this was started in is gone: cd to another one"
        ) from error
    hand_on({"broker": broker, "crontab": crontab, "data_dir": data_dir})
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(cronstream completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc;
    fish: cronstream completion fish > ~/.config/fish/completions/cronstream.fish
    """
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion is known for {shell}")
    click.echo(complete(main, {}, "cronstream", _COMPLETE_VAR).source())


@click.command("help")
@click.argument(
    "command",
    required=False,
    shell_complete=lambda ctx, _, typed: main.shell_complete(ctx, typed),
)
@click.pass_context
def help_(ctx: click.Context, command: str | None) -> None:
    """Show what there is, or the help of COMMAND."""
    root = ctx.find_root()
    if command is None:
        click.echo(root.get_help())
        return
    name, found, _ = main.resolve_command(root, [command])
    if found is not None:
        click.echo(found.get_help(click.Context(found, info_name=name, parent=root)))
