"""What is in force, for commands that compare a crontab with it: only they ask the broker."""

from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.output import say
from cronstream.core.wire.runs import Job
from cronstream.history.jobs import jobs_in_force
from cronstream.settings import settings
from cronstream.trust.keyring import Keyring


def jobs_now() -> list[Job]:
    """Return the jobs in force; none, and say so, where no scheduler has published any.

    Raises:
        BrokerError: If no broker answers.
    """
    return coroutine.run(_jobs_now())


async def _jobs_now() -> list[Job]:
    async with reading() as reader:
        found = await jobs_in_force(reader, Keyring(settings()).judge)
    if not found:
        say("no job is in force on this broker")
    return list(found.values())
