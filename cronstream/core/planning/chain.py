"""What follows a run: the same due time, the cause `chain`, and a number made from its parent's id.

So a run that follows is known before its parent has begun: it is signed with it, carried by it,
and published whole when the parent has its verdict. A message that comes twice is the same run, and
two parents, or a replay, are two.
"""

import hashlib
from typing import Final

from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Following, Run

#: Whole numbers that any reader of JSON takes are below 2 ** 53.
_DIGEST_BYTES: Final = 6


def number_after(parent: str) -> int:
    """Return the number of the runs that follow a run."""
    digest = hashlib.blake2b(parent.encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big")


def chained(run: Run, moved_from: str | None = None) -> Run:
    """Return a run with what follows it made to follow this very run.

    To be called wherever a run gets its id or its cluster. What follows is not signed then.

    Args:
        run: With what follows it, each in its own cluster.
        moved_from: The cluster that it is not in any more: what follows there goes along.
    """
    if not run.then:
        return run
    return run.derive(then=[_behind(run, one, moved_from, run.cluster) for one in run.then])


def _behind(parent: Run, one: Following, moved_from: str | None, moved_to: str) -> Following:
    run = one.run.derive(
        cluster=moved_to if one.run.cluster == moved_from else one.run.cluster,
        scheduled_at=parent.scheduled_at,
        not_before=parent.scheduled_at,
        number=number_after(parent.id),
        signature=None,
    )
    if run.then:
        run = run.derive(then=[_behind(run, two, moved_from, moved_to) for two in run.then])
    return one.derive(run=run)


def is_handed_over(run: Run) -> bool:
    """Whether a run follows one of another cluster: a scheduler puts it on its log."""
    home = run.previous.cluster if run.previous is not None else None
    return run.cause is Cause.CHAIN and home not in (None, run.cluster)
