"""What of the old topic counts as moved already."""

from cronstream.core.ledger.state import STALE
from cronstream.core.wire.codec import encode
from cronstream.core.wire.enumerations import Cause
from cronstream.legacy.known import _ids
from tests.builders import a_run, at


def test_what_came_too_late_for_the_fold_does_not_count_as_moved() -> None:
    run = a_run(revision=None, cause=Cause.LEGACY, number=5, as_of=at(0))
    value, last = encode(run), STALE.total_seconds()

    assert _ids(value, at(last), {0: 0}) == {run.id}
    assert _ids(value, at(last + 1), {0: 0}) == set()
