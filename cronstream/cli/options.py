"""Options that several commands share, and the types of their values."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from cronstream.cli.output import say
from cronstream.cli.proposals import clusters, jobs
from cronstream.cli.times import Moment
from cronstream.errors import NotFoundError, nearest
from cronstream.history.jobs import jobs_in_force, known_jobs
from cronstream.history.scope import LogReader
from cronstream.history.scope import clusters as clusters_of
from cronstream.history.story import RunState

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def since_option(default: str, explanation: str) -> Callable[[CommandT], CommandT]:
    """Return the option ``--since``."""
    return click.option(
        "--since",
        type=Moment(),
        default=default,
        show_default=True,
        metavar="WHEN",
        help=f"{explanation} (15m, 1h, 7d, or an ISO time).",
    )


class State(click.ParamType):
    """A state of a run."""

    name = "state"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> RunState:
        """Return the state of that name."""
        try:
            return RunState(value)
        except ValueError:
            hint = nearest(value, RunState) or f"there are: {', '.join(RunState)}"
            self.fail(f"there is no state {value!r}; {hint}", param, ctx)


def states(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose the states of runs."""
    return [CompletionItem(state.value) for state in RunState if state.startswith(incomplete)]


job_option = click.option(
    "--job", metavar="JOB", shell_complete=jobs, help="Only runs of this job."
)
cluster_option = click.option(
    "--cluster", metavar="CLUSTER", shell_complete=clusters, help="Only runs of this cluster."
)
state_option = click.option(
    "--state",
    type=State(),
    metavar="STATE",
    shell_complete=states,
    help=f"Only in this state: {', '.join(RunState)}.",
)


_NOTHING_YET = (
    "nothing has run on this broker yet: it has no cluster's topics; "
    "if it is the wrong one, say where to look with --broker or CRONSTREAM_BROKER"
)


async def chosen_clusters(
    reader: LogReader, wanted: str | None = None, *, is_needed: bool = False
) -> frozenset[str] | None:
    """Return what is to be read for ``--cluster``; None for all.

    Args:
        reader: Connected.
        wanted: The cluster that was asked for; None for all.
        is_needed: Whether there is no answer without any cluster; else people are informed only.

    Raises:
        NotFoundError: If the broker has no such cluster, but others, or none at all and one is
            needed.
    """
    there = await clusters_of(reader)
    if not there and is_needed:
        raise NotFoundError(_NOTHING_YET)
    if not there:
        say(_NOTHING_YET)
    elif wanted is not None and wanted not in there:
        hint = nearest(wanted, there) or f"there are: {', '.join(there)}"
        raise NotFoundError(f"there is no cluster {wanted!r} on this broker; {hint}")
    return None if wanted is None else frozenset({wanted})


async def check_job(reader: LogReader, job: str | None) -> None:
    """See that there is a job of which nothing was found, as far as the schedulers have announced.

    Raises:
        NotFoundError: If no crontab ever had it; the sentence names the nearest.
    """
    if job is None or job in await jobs_in_force(reader):
        return
    known = await known_jobs(reader)
    if known and job not in known:
        hint = nearest(job, sorted(known)) or "list them with 'cronstream jobs'"
        raise NotFoundError(f"there is no job {job!r}, and there never was one; {hint}")
