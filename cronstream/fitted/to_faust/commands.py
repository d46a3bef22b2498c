"""The options ``--cluster`` and ``--retry`` on Faust's own commands.

``faust -A cronstream worker --cluster cluster-a --retry`` starts a retry worker of cluster-a;
without options it is a scheduler. Faust's other commands (agents, tables, models, …) look at the
same roles, by the same options or by ``CRONSTREAM_CLUSTER`` and ``CRONSTREAM_RETRY``.

Faust replaces a command when a class of the same name is defined, and only what is defined
before click parses counts: so the application calls `give_commands_a_role` as it is loaded.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from faust.cli import agents, clean_versions, model, models, reset, send, tables
from faust.cli import worker as worker_module
from faust.cli.base import AppCommand, option
from faust.exceptions import AlreadyConfiguredWarning
from faust.models.base import registry

from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.errors import KeysError, SettingsError
from cronstream.fitted.to_faust.clusters_there import has_logs, known_clusters


class ClusterName(click.ParamType):
    """A cluster of the crontab."""

    name = "cluster"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name if the crontab has it, or Kafka has its logs.

        A worker also starts where there is no crontab, or a broken one: it needs only the name. And
        a cluster that was taken out of the crontab may have runs that wait for their retries.
        """
        problem = naming.cluster_problem(value)
        if problem:
            self.fail(problem, param, ctx)
        known = known_clusters()
        if known is not None and value not in known and not has_logs(value):
            names = ", ".join(sorted(known)) or "none"
            self.fail(f"unknown cluster {value!r}; known: {names}", param, ctx)
        return str(value)


ROLE_OPTIONS = [
    option(
        "--cluster",
        type=ClusterName(),
        envvar="CRONSTREAM_CLUSTER",
        show_envvar=True,
        help="Be a worker of this cluster; without it, a scheduler.",
    ),
    option(
        "--retry",
        is_flag=True,
        envvar="CRONSTREAM_RETRY",
        show_envvar=True,
        help="Make later attempts instead of first ones; needs --cluster.",
    ),
]


LEGACY_OPTIONS = [
    option(
        "--legacy-topic",
        metavar="TOPIC",
        envvar="CRONSTREAM_LEGACY_TOPIC",
        show_envvar=True,
        help="Move what is on this topic of the old layout (docs/migration.md); for a scheduler.",
    ),
    option(
        "--legacy-group",
        metavar="GROUP",
        envvar="CRONSTREAM_LEGACY_GROUP",
        show_envvar=True,
        help="The consumer group of the old workers: what it has not read is moved.",
    ),
]


#: Options that are settings, by their names there.
_CHOSEN = ("slots", "log_output", "adopt", "legacy_topic", "legacy_group")


class _TakesRole(AppCommand):
    """Mixed into a Faust command: has the app take the role before anything else."""

    abstract = True
    app: Any

    def __init__(
        self,
        ctx: click.Context,
        *args: Any,
        cluster: str | None = None,
        retry: bool = False,
        **kwargs: Any,
    ) -> None:
        if retry and cluster is None:
            raise click.UsageError(
                "--retry needs --cluster, to say whose later attempts it makes", ctx
            )
        self.role = Role.of(cluster, retry=retry)
        chosen = {name: value for name in _CHOSEN if (value := kwargs.pop(name, None))}
        super().__init__(ctx, *args, **kwargs)
        try:
            self.app.configure_for(self.role, **chosen)
        except (KeysError, SettingsError) as error:
            raise click.UsageError(str(error), ctx) from error


#: The options of `worker`.
_OF_WORKER = [
    *ROLE_OPTIONS,
    option(
        "--slots",
        type=click.IntRange(1, 10_000),
        envvar="CRONSTREAM_SLOTS",
        show_envvar=True,
        help="Commands that run at a time (default 64).",
    ),
    option(
        "--log-output",
        is_flag=True,
        envvar="CRONSTREAM_LOG_OUTPUT",
        show_envvar=True,
        help="Log what commands write, line by line as it comes.",
    ),
    option(
        "--adopt",
        is_flag=True,
        envvar="CRONSTREAM_ADOPT",
        show_envvar=True,
        help="Replace the jobs that are in force, though the crontab has none of them; for a "
        "scheduler.",
    ),
    *LEGACY_OPTIONS,
    *worker_module.worker.options,
]


class worker(_TakesRole, worker_module.worker):  # noqa: N801 - the class's name is the command's
    """Start a scheduler, or with --cluster a worker, or with --retry too a retry worker."""

    options = _OF_WORKER

    def __init__(self, ctx: click.Context, *args: Any, **kwargs: Any) -> None:
        _check_scheduler_options(ctx)
        super().__init__(ctx, *args, **kwargs)
        # Its banner is no line of JSON; it goes to stdout, which a container's log has as well.
        self.quiet = self.quiet or self.app.settings.log_format == "json"
        if not _is_given(ctx, "loglevel"):
            self._loglevel = "INFO"  # one line for each state change; Faust's own default is WARN
        else:
            self._loglevel = _LEVELS.get(self.loglevel.upper(), self.loglevel.upper())

    def as_service(self, loop: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what is to run: the app, in its role."""
        with _settings_told():
            self.app.make_data_folder()
        self.app.log_to(self.loglevel, self.logfile)
        with warnings.catch_warnings():
            # What Faust sets here, such as --web-port, replaces what the role had chosen.
            warnings.simplefilter("ignore", AlreadyConfiguredWarning)
            service = super().as_service(loop, *args, **kwargs)
            with _settings_told(_WRONG_USAGE):
                self.app.open_web(kwargs.get("web_port"), kwargs.get("web_host"))
                self.app.open_metrics()
        return service

    def run_using_worker(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the app; the exit status is 1 if it has decided itself to end."""
        try:
            super().run_using_worker(*args, **kwargs)
        except click.ClickException as error:  # Faust would show where it was raised
            error.show()
            raise SystemExit(error.exit_code) from None
        except SystemExit:
            if self.app.has_failed:
                raise SystemExit(1) from None
            raise

    def _banner_data(self, worker: Any) -> Any:
        first, *others = super()._banner_data(worker)
        return [first, ("role", str(self.role)), *others]


@contextmanager
def _settings_told(status: int = 1) -> Iterator[None]:
    """Say in one line, before anything has begun, what was set so that it cannot be used."""
    try:
        yield
    except SettingsError as error:
        told = click.ClickException(str(error))
        told.exit_code = status
        raise told from error


_WRONG_USAGE = 2
#: Faust's own word for a level, with logging's, which knows no other: it would end without a word.
_LEVELS = {"CRIT": "CRITICAL"}
#: What Faust says of its options where ours is another default.
_HELP = {
    "web_port": "Port of the pages that this process serves (CRONSTREAM_WEB_PORT; default: "
    "one that is free, from 6066 on).",
    "web_bind": "Address of these pages (CRONSTREAM_WEB_BIND; default: 127.0.0.1).",
    "web_host": "Canonical host name for the web server (default: the address of --web-bind).",
    "loglevel": "Lower levels are not logged (default: INFO).",
}


def _explain(command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name in _HELP:
            parameter.help, parameter.show_default = _HELP[parameter.name], False


_explain(worker._click)


def _is_given(ctx: click.Context, name: str) -> bool:
    """Whether an option was typed, behind the command or before it, or is in the environment."""
    places = (ctx, ctx.parent) if ctx.parent else (ctx,)
    return any(
        place.get_parameter_source(name) not in (None, ParameterSource.DEFAULT) for place in places
    )


def _check_scheduler_options(ctx: click.Context) -> None:
    """Refuse what moves an installation where it means nothing; a worker's environment may."""
    for name in ("adopt", "legacy_topic", "legacy_group"):
        is_given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and ctx.params.get("cluster"):
            raise click.UsageError(f"--{name.replace('_', '-')} is for a scheduler", ctx)
    if ctx.params.get("legacy_group") and not ctx.params.get("legacy_topic"):
        raise click.UsageError("--legacy-group needs --legacy-topic, to say what it read", ctx)


def _rows_of_fields(command: Any, kind: Any) -> list[list[str]]:
    """Return a row for each field: Faust looks for descriptors, which our records have not."""
    options = kind._options
    return [
        [
            name,
            command._type(hint),
            repr(options.defaults[name]) if name in options.defaults else "*",
        ]
        for name, hint in options.fields.items()
    ]


def _with_role(command: Any) -> None:
    """Replace one of Faust's commands by itself with the role's options."""
    options = [*ROLE_OPTIONS, *(command.options or [])]
    members = {"options": options, "__doc__": command.__doc__}
    type(command.__name__, (_TakesRole, command), members)


class _KnownModel(model.model):
    """Faust's command, which refuses a name before it starts: later it would be a traceback."""

    abstract = True

    def __init__(self, ctx: click.Context, *args: Any, **kwargs: Any) -> None:
        super().__init__(ctx, *args, **kwargs)
        name = ctx.params["name"]
        if name not in registry and f"{self.app.conf.origin}.{name}" not in registry:
            raise self._unknown_model(name)


_KnownModel.__name__, _KnownModel.__doc__ = "model", model.model.__doc__

#: Faust's commands that get the role's options.
_OTHERS = (
    agents.agents,
    clean_versions.clean_versions,
    _KnownModel,
    models.models,
    reset.reset,
    send.send,
    tables.tables,
)


def give_commands_a_role() -> None:
    """Replace Faust's commands by ours; `worker` is replaced since it is defined here."""
    command_of_faust: Any = model.model
    command_of_faust.model_fields = _rows_of_fields
    for command in _OTHERS:
        _with_role(command)
