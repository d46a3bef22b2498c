"""Jobs that were found to a crontab: one text, which `cronstream check` takes as it is."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.schema import MODELINE
from cronstream.core.crontab.yaml_scalars import resolve
from cronstream.errors import CrontabError, Problem
from cronstream.importers.found import Found, FoundJob, Note
from cronstream.importers.names import named

#: The keys of a job in the order in which people read them; others follow.
_ORDER: Final = ("description", "enabled", "schedule", "timezone", "exclude", "start", "end")
#: What goes under ``defaults`` where all jobs have the same.
_SHARED: Final = (
    *("timezone", "shell", "env", "cwd", "user", "overlap", "max_attempts", "backoff", "missed"),
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.,+=@%~ -]*")
_PRINTABLE: Final = re.compile(
    "[\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_SHORT: Final = 88
#: No more files are named above it all; each job names its own.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A crontab, and what is to be said of where it came from.

    Attributes:
        text: The crontab; empty if no job is left.
        names: The jobs in it, each with where it came from.
        notes: In the order of files and lines.
    """

    text: str
    names: tuple[tuple[str, FoundJob], ...]
    notes: tuple[Note, ...]


def write(found: Found, *, cluster: str, sources: Sequence[str]) -> Written:
    """Return a crontab of what was found, without what would be a problem in it.

    Args:
        found: The jobs.
        cluster: Which cluster all of them belong to.
        sources: What they came from, for people.
    """
    jobs, notes = list(found.jobs), list(found.notes)
    while True:
        listed = named(jobs)
        text = _crontab(listed, cluster, sources, notes)
        problems = _problems(text)
        if not problems:
            break
        refused = {name: job for name, job in listed if name in problems}
        if not refused:
            raise AssertionError(f"{problems}: {text}")
        for name, job in refused.items():
            what = f"{problems[name].what}; {job.title!r} is left out"
            notes.append(Note(job.file, job.line, what, loses_job=True))
        jobs = [job for job in jobs if job not in refused.values()]
    every = [*notes, *(note for job in jobs for note in job.notes)]
    order = {name: number for number, name in enumerate(sources)}
    every.sort(key=lambda note: (order.get(note.file, len(order)), note.line))
    return Written(text, tuple(listed), tuple(dict.fromkeys(every)))


def _problems(text: str) -> dict[str | int | None, Problem]:
    try:
        parse_crontab(text)
    except CrontabError as error:
        return {problem.part.name if problem.part else None: problem for problem in error.problems}
    return {}


def _crontab(
    listed: Sequence[tuple[str, FoundJob]],
    cluster: str,
    sources: Sequence[str],
    notes: Iterable[Note],
) -> str:
    shared = _shared([job.settings for _, job in listed])
    lines = [
        MODELINE,
        *_comments([f"Made by 'cronstream import' of {_named(sources)}."], ""),
        "version: 1",
        f"clusters: [{_scalar(cluster, in_flow=True)}]",
        "defaults:",
        f"  cluster: {_scalar(cluster)}",
        *(line for key, value in shared.items() for line in _entry(key, value, "  ")),
    ]
    lines += ["jobs:"] if listed else ["jobs: []"]
    lost = [f"left out: {note}" for note in notes if note.loses_job]
    for name, job in listed:
        lines += [""] if lines[-1] != "jobs:" else []
        lines += _comments([f"{job.file}:{job.line}", *_said(job)], "  ")
        lines += _job(name, job, shared)
    if lost:
        lines += ["", *_comments(lost, "")]
    return "\n".join(lines) + "\n"


def _named(sources: Sequence[str]) -> str:
    others = len(sources) - _NAMED
    return ", ".join(sources[:_NAMED]) + (f" and {others} more" if others > 0 else "")


def _said(job: FoundJob) -> list[str]:
    return [note.what for note in sorted(job.notes, key=lambda note: (note.file, note.line))]


def _shared(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all jobs have in common: two at least, or it is said of the one."""
    if len(every) < 2:
        return {}
    first = every[0]
    return {
        key: first[key]
        for key in _SHARED
        if key in first and all(settings.get(key) == first[key] for settings in every)
    }


def _job(name: str, job: FoundJob, shared: Mapping[str, Any]) -> list[str]:
    own = {key: value for key, value in job.settings.items() if key not in shared}
    ordered = [*(key for key in _ORDER if key in own), *(key for key in own if key not in _ORDER)]
    lines = [f"  - name: {_scalar(name)}"]
    for key in ordered:
        lines += _entry(key, own[key], "    ")
    return lines


def _comments(texts: Iterable[str], indent: str) -> list[str]:
    return [f"{indent}# {_one_line(text)}" for text in texts]


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _entry(key: str, value: Any, indent: str) -> list[str]:
    key = _scalar(key)
    match value:
        case dict():
            flow = _flow(value)
            if len(flow) < _SHORT:
                return [f"{indent}{key}: {flow}"]
            below = f"{indent}  "
            return [f"{indent}{key}:", *(e for k, v in value.items() for e in _entry(k, v, below))]
        case list():
            flow = _flow(value)
            if len(flow) < _SHORT:
                return [f"{indent}{key}: {flow}"]
            return [f"{indent}{key}:", *(line for item in value for line in _item(item, indent))]
        case str() if "\n" in value and _fits_block(value):
            mark = "|" if value.endswith("\n") else "|-"
            return [f"{indent}{key}: {mark}", *_block(value, f"{indent}  ")]
        case _:
            return [f"{indent}{key}: {_scalar(value)}"]


def _item(value: Any, indent: str) -> list[str]:
    if isinstance(value, str) and "\n" in value and _fits_block(value):
        mark = "|" if value.endswith("\n") else "|-"
        return [f"{indent}  - {mark}", *_block(value, f"{indent}    ")]
    return [f"{indent}  - {_scalar(value)}"]


def _flow(value: Any) -> str:
    match value:
        case dict():
            inner = ", ".join(f"{_scalar(k, in_flow=True)}: {_flow(v)}" for k, v in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case _:
            return _scalar(value, in_flow=True)


def _fits_block(text: str) -> bool:
    body = text.removesuffix("\n")
    return (
        bool(body and _PRINTABLE.fullmatch(text))
        and not body.startswith((" ", "\n"))
        and not body.endswith("\n")
    )


def _block(text: str, indent: str) -> list[str]:
    return [f"{indent}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]


def _scalar(value: Any, *, in_flow: bool = False) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    is_word = _PLAIN.fullmatch(value) and not value.endswith(" ") and resolve(value) == value
    if is_word and not (in_flow and "," in value):
        return value
    if not _PRINTABLE.fullmatch(value) or "\n" in value:
        return f'"{"".join(map(_escaped, value))}"'
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def _escaped(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign == "\0":  # Which no crontab can have.
        return "\N{REPLACEMENT CHARACTER}"
    return sign if _PRINTABLE.fullmatch(sign) else f"\\U{ord(sign):08x}"
