"""What a person gives to one run of a job, where its crontab lets them: arguments and variables."""

from cronstream.core.wire.runs import Job
from cronstream.core.wire.sizes import MAX_JOB_BYTES, json_bytes
from cronstream.errors import AskedError

#: What runs a command that is text; an argument is never part of that text.
_SHELL = ["/bin/sh", "-c"]


def with_given(job: Job, arguments: tuple[str, ...], variables: tuple[str, ...]) -> Job:
    """Return a job with arguments behind its command, and variables in the place of its own.

    Args:
        job: As it is in force.
        arguments: The shell of a command in text has them as ``$1`` and so on.
        variables: Each as ``NAME=VALUE``.

    Raises:
        AskedError: If the job does not allow them; the sentence says what to write.
    """
    given = dict(_pair(text) for text in variables)
    _see_that_it_may(job, arguments, given)
    if sum(json_bytes(text) for text in (*arguments, *given, *given.values())) > MAX_JOB_BYTES // 2:
        raise AskedError("what is given is too large; put it in a file, and give its name")
    if arguments:
        job = job.derive(command=[*_words(job), *arguments])
    return job.derive(env={**(job.env or {}), **given}) if given else job


def _words(job: Job) -> list[str]:
    """Return a command to which arguments can be added; `crontab.shell` has seen to others."""
    if isinstance(job.command, list):
        return job.command
    return [*_SHELL, job.command, _SHELL[0]]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise AskedError(f"--env {text!r} is not a variable; write it like NAME=VALUE")
    return name, value


def _see_that_it_may(job: Job, arguments: tuple[str, ...], given: dict[str, str]) -> None:
    if arguments and not job.allow_args:
        raise AskedError(
            f"job {job.name!r} takes no arguments: its crontab has to say 'allow_args: true'"
        )
    allowed = job.allow_env or []
    for name in given:
        if name not in allowed:
            remedy = f"'allow_env: [{', '.join([*allowed, name])}]'"
            raise AskedError(
                f"job {job.name!r} takes no variable {name}: its crontab has to say {remedy}"
            )
    for text in (*arguments, *given, *given.values()):
        if "\0" in text:
            raise AskedError("a NUL can be in no argument and no variable; remove it")
