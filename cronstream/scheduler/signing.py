"""Which definitions a scheduler says again, so that all of them are signed (rule 21)."""

import logging
from collections.abc import Callable, Collection, Iterable

from cronstream.core.wire.runs import Job
from cronstream.errors import KeysError
from cronstream.logs import fields
from cronstream.scheduler.foreign import in_force_of
from cronstream.topology.jobs import JobsLog

logger = logging.getLogger(__name__)


def see_that_they_count(jobs: Iterable[Job], doubt: Callable[[Job], str]) -> None:
    """See that this process will believe what it publishes; else it would publish it without end.

    Args:
        jobs: One of each cluster is looked at.
        doubt: Returns why a job that this process publishes would not count; empty if it will.

    Raises:
        KeysError: If it will not.
    """
    for job in {job.cluster: job for job in jobs}.values():
        if why := doubt(job):
            raise KeysError(
                f"what this scheduler publishes for cluster {job.cluster} would not count: {why}; "
                "see to its CRONSTREAM_SIGNING_KEY and CRONSTREAM_TRUSTED_KEYS"
            )


def to_sign(
    log: JobsLog, key: str | None, done: Collection[str], doubt: Callable[[Job], str]
) -> list[Job]:
    """Return definitions that are to be said again, signed by this process.

    Those that nobody or another key has signed, and those that a message contests which is not
    believed: whoever believes all is to read the right one after it.

    Args:
        log: The jobs topic, read to its end.
        key: The id of the key that this process signs with; None if it does not sign.
        done: Names of jobs that are said again anyway.
        doubt: As in `see_that_they_count`: what would not count contradicts nothing.
    """
    if key is None and not log.disbelieved:
        return []
    jobs = {job.name: job for job in in_force_of(log.known)}
    contested = {
        name: jobs.get(name) or job.derive(removed=True) for name, job in log.disbelieved.items()
    }
    contested = {name: job for name, job in contested.items() if not doubt(job)}
    unsigned = {} if key is None else {n: job for n, job in jobs.items() if _signer(job) != key}
    found = [job for name, job in {**unsigned, **contested}.items() if name not in done]
    if found:
        text = "%d definitions are said again: another key, or none, has signed them"
        logger.info(text, len(found), extra=fields("definitions-signed"))
    return found


def _signer(job: Job) -> str | None:
    """Return the id of the key that has signed a job; None if none has."""
    return job.signature and job.signature.partition(":")[0]
