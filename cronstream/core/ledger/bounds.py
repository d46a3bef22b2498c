"""Refuses a run with numbers that no crontab can have given it: somebody else has written it.

A run that may fail 2 ** 53 times would be made for ever. What a crontab may say has had the same
limits (`cronstream.core.limits`) for as long as there are logs, and runs, replays and later
attempts have their numbers from one: so what a scheduler, a worker or a command of any version has
put on a log is within them, and folds as it always did. Only what was forged is refused.

A refusal changes what a log says, and processes of level 2 do not refuse: so it is refused once
level 3 is announced there, by every process alike (`cronstream.core.wire.levels`). What came before
that on the same log goes on as it was.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from cronstream.core.ledger.book import Book
from cronstream.core.limits import LONGEST_S, MAX_ATTEMPTS, MAX_FACTOR, MAX_QUEUE, MAX_RUNNING
from cronstream.core.wire.runs import Run

_SINCE: Final = 3
#: Fields of a run, each with what reads it, and the most that it may be. No default is beyond it.
_BOUNDS: Final[tuple[tuple[str, str, Callable[[Run], Any], float], ...]] = tuple(
    (name.partition(".")[0], name, attrgetter(name), most)
    for name, most in (
        ("max_attempts", MAX_ATTEMPTS),
        ("timeout_s", LONGEST_S),
        ("grace_s", LONGEST_S),
        ("max_queue", MAX_QUEUE),
        ("max_running", MAX_RUNNING),
        ("backoff.ceiling_s", LONGEST_S),
        ("backoff.factor", MAX_FACTOR),
    )
)


def beyond(book: Book, run: Run) -> str:
    """Return which number of a run is beyond all bounds; empty if none is."""
    if book.level < _SINCE:
        return ""
    given = vars(run)
    for field, name, read, most in _BOUNDS:
        if field not in given:
            continue
        value = read(run)
        if value is not None and value > most:
            found = f"{name} is {value:,}, and {most:,} is the most"
            return f"a run of {run.job!r} that no crontab can ask for: {found}"
    return ""
