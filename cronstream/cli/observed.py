"""How long attempts took, as the ledgers have it."""

from datetime import timedelta

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.progress import READING, progress
from cronstream.core.forecast.lasting import Sample
from cronstream.core.wire.enumerations import Outcome
from cronstream.history.loading import load
from cronstream.history.scope import Scope

#: What says how long a job takes: not that it was ended from outside.
_TELLING = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT)


def attempts(within: timedelta) -> list[tuple[str, Sample]]:
    """Return whose attempts there were, and what each was like, the oldest first.

    Raises:
        BrokerError: If no broker answers.
    """
    return coroutine.run(_attempts(within))


async def _attempts(within: timedelta) -> list[tuple[str, Sample]]:
    scope = Scope(since=clock.now() - within, keep_output=False)
    async with progress(READING) as update, reading() as reader:
        history = await load(reader, scope, update)
    return [
        (story.job, Sample(attempt.duration_s, attempt.outcome is Outcome.SUCCEEDED))
        for story in history.runs()
        for attempt in story.attempts
        if attempt.duration_s is not None and attempt.outcome in _TELLING
    ]
