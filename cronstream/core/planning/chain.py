"""What follows a run: the same due time, the cause `chain`, and a number made from its parent's id.

So a run that follows is known before its parent has begun: it is signed with it, carried by it,
and published whole when the parent has its verdict. A message that comes twice is the same run, and
two parents, or a replay, are two.
"""

import hashlib
from typing import Final

from cronstream.core.wire.runs import Following, Run

#: Whole numbers that any reader of JSON takes are below 2 ** 53.
_DIGEST_BYTES: Final = 6


def number_after(parent: str) -> int:
    """Return the number of the runs that follow a run."""
    digest = hashlib.blake2b(parent.encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big")


def chained(run: Run) -> Run:
    """Return a run with what follows it made to follow this very run.

    To be called wherever a run gets its id or its cluster. What follows is not signed then.
    """
    if not run.then:
        return run
    return run.derive(then=[_behind(run, one) for one in run.then])


def _behind(parent: Run, one: Following) -> Following:
    following = one.run.derive(
        cluster=parent.cluster,
        scheduled_at=parent.scheduled_at,
        not_before=parent.scheduled_at,
        number=number_after(parent.id),
        signature=None,
    )
    return one.derive(run=chained(following))
