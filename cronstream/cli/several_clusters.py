"""The option ``--cluster`` of commands that need no broker to know what clusters there are."""

from collections.abc import Iterable

import click

from cronstream.cli.proposals import clusters
from cronstream.core.wire.naming import cluster_problem
from cronstream.crontab_file import read_crontab
from cronstream.settings import settings


def _checked_names(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no cluster's name; it need not be in the crontab, nor on the broker."""
    for value in values:
        if problem := cluster_problem(value):
            raise click.BadParameter(problem, ctx, param)
    return values


def clusters_or_all(chosen: Iterable[str]) -> list[str]:
    """Return the clusters that were named, or else all of the crontab.

    Raises:
        CrontabError: If none was named, and there is no good crontab.
    """
    named = sorted(set(chosen))
    return named or sorted(one.name for one in read_crontab(settings().crontab).clusters)


clusters_option = click.option(
    "--cluster",
    multiple=True,
    metavar="CLUSTER",
    callback=_checked_names,
    shell_complete=clusters,
    help="Only for this cluster; may be given again.",
)
