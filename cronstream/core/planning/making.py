"""From a job to a run of it."""

from datetime import datetime
from typing import Any

from cronstream.core.planning.chain import chained
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Following, Job, Run, Then


def run_of(job: Job, revision: int | None, scheduled_at: datetime, **of: Any) -> Run:
    """Return a run of a job, ready for its first attempt: the only place where one becomes it.

    Args:
        job: Its definition.
        revision: Which one that is; None for a run with a cause.
        scheduled_at: When it is due.
        of: What else is known of it: its `cause`, and the `number` that goes with that.
    """
    run = Run(
        job=job.name,
        cluster=job.cluster,
        scheduled_at=scheduled_at,
        not_before=scheduled_at,
        command=job.command,
        revision=revision,
        attempts_left=job.max_attempts,
        max_attempts=job.max_attempts,
        backoff=job.backoff,
        retry_on=job.retry_on,
        timeout_s=job.timeout_s,
        grace_s=job.grace_s,
        drain_s=job.drain_s,
        env=job.env,
        secrets=job.secrets,
        cwd=job.cwd,
        confinement=job.confinement,
        delivery=job.delivery,
        overlap=job.overlap,
        max_queue=job.max_queue,
        max_running=job.max_running,
        fence=job.fence,
        background=job.background,
        # A person who asks for a run wants it whenever it can be made.
        start_within_s=None if revision is None else job.start_within_s,
        expect_within_s=job.expect_within_s,
        ping=job.ping,
        on_success=job.on_success,
        on_discard=job.on_discard,
        pause_after=None if revision is None else job.pause_after,
        **of,
    )
    return run if job.then is None else _with_following(run, job.then)


def _with_following(run: Run, then: list[Then]) -> Run:
    following = [
        Following(on=one.on, run=run_of(one.job, None, run.scheduled_at, cause=Cause.CHAIN))
        for one in then
    ]
    return chained(run.derive(then=following))


def made_up(run: Run, start_at: datetime, now: datetime) -> Run:
    """Return the run of a due time that was missed, as it is made up for."""
    if (within_s := run.start_within_s) is not None:
        # It has as long as any other, from when it may start.
        within_s += (start_at - run.scheduled_at).total_seconds()
    return run.derive(not_before=start_at, as_of=now, start_within_s=within_s)
