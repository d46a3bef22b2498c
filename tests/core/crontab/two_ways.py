"""A crontab that is read job by job, and as a whole: what comes of either, to be held together."""

from typing import TypeAlias

from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.crontab.pairs import DEFAULT_LEASE_S
from cronstream.core.crontab.parser import read_whole
from cronstream.core.crontab.piecemeal import read_piecemeal
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.root import Root
from cronstream.errors import CrontabError, Problem

#: What a text says, or all that is wrong with it.
Found: TypeAlias = Crontab | list[Problem]


def piecemeal(
    text: str, before: Crontab | Recalled | None = None, root: Root | None = None
) -> Found | None:
    """Return what comes of reading it job by job; None if it is left to the whole."""
    found = read_piecemeal(text, DEFAULT_LEASE_S, before, root)
    return found.in_order() if isinstance(found, Problems) else found


def read(text: str, before: Crontab | None = None, root: Root | None = None) -> Crontab:
    """Return what a good crontab says, read job by job."""
    found = piecemeal(text, before, root)
    assert isinstance(found, Crontab), found
    return found


def whole(text: str, root: Root | None = None) -> Found:
    """Return what comes of reading it as one document."""
    try:
        return read_whole(text, "<string>", DEFAULT_LEASE_S, root)
    except CrontabError as error:
        return list(error.problems)


def told(found: Found | None) -> object:
    """Return all that has to be the same both ways."""
    if isinstance(found, Crontab):
        return found, dict(found.places), found.allow_removals
    return found and [(problem, str(problem)) for problem in found]
