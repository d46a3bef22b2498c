"""What shells propose for jobs, clusters and runs: quickly, or not at all.

Names come from the crontab file as it stands, faults and all; runs from the ledgers, if a broker
answers soon. Nothing here raises, or says a word: somebody is in the midst of a line.
"""

import importlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
from click.shell_completion import CompletionItem

from cronstream.cli.given import hand_on

Proposals: TypeAlias = list[CompletionItem]

#: A larger file would take too long to read.
_MAX_BYTES: Final = 1_000_000


def jobs(ctx: click.Context, _: click.Parameter, incomplete: str) -> Proposals:
    """Propose the jobs of the crontab."""
    return _starting(incomplete, _names(ctx, "jobs"))


def clusters(ctx: click.Context, _: click.Parameter, incomplete: str) -> Proposals:
    """Propose the clusters of the crontab."""
    return _starting(incomplete, _names(ctx, "clusters"))


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> Proposals:
    """Propose the last run of each job; once a job is named, its last runs, newest first."""
    job, at, _rest = incomplete.partition("@")
    if not at:
        return _starting(incomplete, (f"{name}@latest" for name in _names(ctx, "jobs")))
    latest = f"{job}@latest"
    return _starting(incomplete, [latest, *_soon(ctx, "runs_of", job)])


def live(ctx: click.Context, _: click.Parameter, incomplete: str) -> Proposals:
    """Propose the runs that have no verdict, the newest first."""
    job = incomplete.partition("@")[0] if "@" in incomplete else None
    return _starting(incomplete, _soon(ctx, "live_of", job))


def discarded(ctx: click.Context, _: click.Parameter, incomplete: str) -> Proposals:
    """Propose the runs that were discarded in the last week, the newest first."""
    job = incomplete.partition("@")[0] if "@" in incomplete else None
    return _starting(incomplete, _soon(ctx, "discarded_of", job))


def _starting(incomplete: str, words: Iterable[str]) -> Proposals:
    return [CompletionItem(str(word)) for word in words if word.startswith(incomplete)]


def _names(ctx: click.Context, key: str) -> list[str]:
    """Return the names of jobs or clusters in the crontab, whatever else is wrong with it."""
    path = Path(ctx.find_root().params.get("crontab") or "crontab.yaml")
    found: Any = []
    with suppress(Exception):  # See the module: whatever is wrong, nothing is proposed.
        if path.stat().st_size <= _MAX_BYTES:
            yaml = importlib.import_module("ruamel.yaml").YAML(typ="safe")
            found = yaml.load(path.read_text())[key]
    if key == "jobs" and isinstance(found, list):
        found = [job["name"] for job in found if isinstance(job, dict) and "name" in job]
    return [str(name) for name in found] if isinstance(found, dict | list) else []


def _soon(ctx: click.Context, question: str, job: str | None) -> list[str]:
    """Return what the ledgers say, if they can be read at once.

    Args:
        ctx: Of the line that is typed.
        question: A function of `cronstream.cli.recent`; only lines that need it pay for its import.
        job: Only runs of this job.
    """
    hand_on(ctx.find_root().params)
    found: list[str] = []
    with suppress(Exception), ctx.scope(cleanup=False):
        found = importlib.import_module("cronstream.cli.recent").soon(question, job)
    return found
