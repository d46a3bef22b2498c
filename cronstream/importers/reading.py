"""Which kind of file one is, and what came of it."""

import re
from collections.abc import Callable
from typing import Final

from cronstream.importers.crontab_lines import Entry, has_users, read_lines
from cronstream.importers.crontabs import Kind, read_crontab
from cronstream.importers.found import Found, Note, Source
from cronstream.importers.kubernetes import read_kubernetes
from cronstream.importers.ofelia import read_ofelia
from cronstream.importers.systemd import read_timer

#: What files there are, each with how it is read; the machine's zone is only some kinds' business.
FORMATS: Final[dict[str, Callable[[Source, str | None], Found]]] = {
    "crontab": lambda source, zone: read_crontab(source, Kind(), zone),
    "system-crontab": lambda source, zone: read_crontab(source, Kind(has_users=True), zone),
    "supercronic": lambda source, zone: read_crontab(source, Kind(is_supercronic=True), zone),
    "kubernetes": lambda source, _: read_kubernetes(source),
    "ofelia": read_ofelia,
    "systemd": read_timer,
}
#: Whose times are by the clock of a machine.
_LOCAL: Final = ("crontab", "system-crontab", "supercronic", "ofelia", "systemd")


def read(source: Source, kind: str | None = None, zone: str | None = None) -> Found:
    """Return what came of a file.

    Args:
        source: The file.
        kind: Which of `FORMATS` it is; None for what it looks like.
        zone: By whose clock its machine goes; None if nobody said.

    Raises:
        ForeignError: If it cannot be read as that.
    """
    kind = kind or recognize(source)
    found = FORMATS[kind](source, zone)
    is_open = any("timezone" not in job.settings for job in found.jobs)
    if zone is None and kind in _LOCAL and is_open:
        what = (
            "its times are by its machine's clock, and are taken for UTC; name it with --timezone"
        )
        return found + Found((), (Note(source.name, 1, what),))
    return found


def recognize(source: Source) -> str:
    """Return which of `FORMATS` a file looks like."""
    name, text = source.name, source.text
    if name.endswith(".timer") or re.search(r"^\[Timer\]", text, re.MULTILINE):
        return "systemd"
    if re.search(r"(?i)^\s*\[job-(?:exec|run|local|service-run)\b", text, re.MULTILINE):
        return "ofelia"
    if "ofelia." in text and re.search(r"^services:", text, re.MULTILINE):
        return "ofelia"
    is_object = text.lstrip().startswith("{") and '"kind"' in text
    if is_object or re.search(r"^\s*(?:- )?(?:apiVersion|kind):", text, re.MULTILINE):
        return "kubernetes"
    if "supercronic" in name or _has_seconds(text):
        return "supercronic"
    is_system = name.endswith("etc/crontab") or "cron.d/" in name or has_users(text)
    return "system-crontab" if is_system else "crontab"


def _has_seconds(text: str) -> bool:
    """Whether an entry has seven fields: a star, and nothing a command could begin with."""
    entries = [line for line in read_lines(text, fields=(7, 5)) if isinstance(line, Entry)]
    return any(
        len(fields) == 7 and all(re.fullmatch(r"[\d*?,/-]+", field) for field in fields[5:])
        for fields in (entry.schedule.split() for entry in entries)
    )
