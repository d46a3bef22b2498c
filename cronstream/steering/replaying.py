"""Discarded runs, once more: each as a new run, with all its attempts."""

from collections.abc import Iterable
from datetime import datetime

from cronstream import clock
from cronstream.core.planning.chain import chained
from cronstream.core.trust.judging import Judgement, Standing
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Run
from cronstream.errors import KeysError, NotFoundError
from cronstream.history.discards import DiscardedRun, discarded_runs
from cronstream.history.scope import LogReader, Scope
from cronstream.settings import settings
from cronstream.steering.connecting import Publishing
from cronstream.steering.jobs import homes
from cronstream.steering.publishing import publish_runs
from cronstream.trust.keyring import judge_for_command


async def discarded_by_id(reader: LogReader, run_ids: Iterable[str]) -> list[DiscardedRun]:
    """Return the discarded runs with these ids.

    Raises:
        NotFoundError: If one of them is not among the discarded.
    """
    asked = list(dict.fromkeys(run_ids))
    jobs = {run_id.partition("@")[0] for run_id in asked}
    scope = Scope(job=jobs.pop() if len(jobs) == 1 else None)
    found = await discarded_runs(reader, scope, run_ids=frozenset(asked))
    there = {one.run.id for one in found}
    if missing := [run_id for run_id in asked if run_id not in there]:
        raise NotFoundError(
            f"not among the discarded runs: {', '.join(missing)}; nothing was replayed "
            "(list them with 'cronstream discarded')"
        )
    return found


def judged(chosen: Iterable[DiscardedRun]) -> list[tuple[DiscardedRun, Judgement]]:
    """Return what is thought of each: a replay is signed as the person's own."""
    judge = judge_for_command(settings())
    return [(one, judge(one.run)) for one in chosen]


def see_that_all_are_trusted(chosen: Iterable[DiscardedRun]) -> None:
    """See that runs were asked for by who may.

    Raises:
        KeysError: If one was not.
    """
    for one, found in judged(chosen):
        if found.standing is not Standing.TRUSTED:
            raise KeysError(
                f"run {one.run.id}: {found.why}, so it may be anybody's: nothing was replayed; "
                "look at its command with 'cronstream show', and if it is yours replay it with "
                "'cronstream replay --distrusted'"
            )


async def fresh_runs(reader: LogReader, chosen: Iterable[DiscardedRun], by: str) -> list[Run]:
    """Return the runs that are to be made in the place of discarded ones.

    Args:
        reader: Connected.
        chosen: The discarded.
        by: Who asks for them.
    """
    home = await homes(reader)
    return [_fresh(one.run, home, clock.now(), by) for one in chosen]


async def replay(
    reader: LogReader, publishing: Publishing, run_ids: Iterable[str], by: str
) -> list[tuple[str, Run]]:
    """Publish discarded runs once more; return each id with the run in its place.

    Raises:
        NotFoundError: If one of them is not among the discarded: then none is replayed.
        KeysError: If one was not asked for by who may.
        CronstreamError: If they cannot be published (see `publish_runs`).
    """
    chosen = await discarded_by_id(reader, run_ids)
    see_that_all_are_trusted(chosen)
    fresh = await fresh_runs(reader, chosen, by)
    async with publishing() as publisher:
        await publish_runs(publisher, reader, fresh)
    return [(one.run.id, run) for one, run in zip(chosen, fresh, strict=True)]


def _fresh(run: Run, homes: dict[str, str], now: datetime, by: str) -> Run:
    """Return the discarded run as a new one, with all its attempts before it.

    It goes to the cluster where its job is now: the one where it was discarded may have no workers.
    Its number is the time in milliseconds, so that it is no other replay's: two of the same run in
    the same millisecond would be one, since the log drops the second of an id.
    """
    replayed = run.derive(
        cluster=homes.get(run.job, run.cluster),
        cause=Cause.REPLAY,
        number=int(now.timestamp() * 1000),
        revision=None,
        not_before=now,
        as_of=now,
        attempt=1,
        attempts_left=run.max_attempts,
        attempts=None,
        signature=None,
        retry_as_of=None,
        by=by,
    )
    return chained(replayed, run.cluster)
