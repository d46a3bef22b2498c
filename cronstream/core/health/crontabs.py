"""Crontabs that are not in force as they stand, by what their schedulers announce."""

from collections.abc import Iterable, Iterator

from cronstream.core.health.presence import MOST_PROBLEMS, Presence


def faults(there: Iterable[Presence]) -> Iterator[str]:
    """Yield a sentence for each crontab that is broken, and for each that is held up."""
    for who in there:
        if problem := broken(who):
            yield f"{who}: {problem}"
        if who.crontab_held:  # It names the remedy itself.
            yield f"{who}: {who.crontab_held}"


def broken(who: Presence) -> str:
    """Return what is wrong with the crontab that a scheduler reads; empty if nothing is."""
    if not who.crontab_problems:
        return ""
    file, count = who.crontab_file or "its crontab", len(who.crontab_problems)
    more = " or more" if count >= MOST_PROBLEMS else ""
    problems = "a problem" if count == 1 else f"{count}{more} problems, the first of them"
    meanwhile = "what was last good stays in force" if who.crontab else "it waits for a good one"
    return (
        f"{file} has {problems}: {who.crontab_problems[0]}; mend it ('cronstream check' there "
        f"names all), until then {meanwhile}"
    )
