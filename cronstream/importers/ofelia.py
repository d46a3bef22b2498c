"""Ofelia's jobs: sections of its configuration, or labels of services in a compose file.

What they do is what its documentation says (docs/jobs.md there): `docker exec` in a container that
runs, `docker run` of an image, or a command on Ofelia's own machine. The first two are written out.
"""

import json
import re
import shlex
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from cronstream.importers.compose import Service, read_services
from cronstream.importers.dialect import Dialect, split_zone, translate
from cronstream.importers.found import Draft, Found, Lost, Note, Source
from cronstream.importers.ini_lines import Section, read_sections
from cronstream.importers.words import set_words
from cronstream.importers.yaml_lines import text_of

_SECTION: Final = re.compile(
    r"(job-(?:exec|run|local|service-run))\s*\"?([^\"]*)\"?", re.IGNORECASE
)
_LABEL: Final = re.compile(r"ofelia\.(job-(?:exec|run|local|service-run))\.([^.]+)\.([^.]+)")
_MESSAGES: Final = re.compile(r"slack|smtp|email|mail|save|teams|ntfy|gotify|pushover")
_TRUE: Final = ("true", "1", "yes")
_KNOWN: Final = frozenset(
    (
        *("schedule", "command", "container", "image", "user", "network", "hostname", "volume"),
        *("delete", "environment", "env", "dir", "tty", "no-overlap"),
    )
)
_LISTS: Final = ("environment", "env", "volume", "volumes-from")


@dataclass(slots=True)
class _Job:
    """What is said of one job, with the line of each."""

    line: int
    kind: str
    name: str
    said: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    #: How to run something in the container that the labels stand at.
    inside: tuple[str, ...] = ()
    #: Why Ofelia does not run it, and the line that says so; None if it does.
    idle: tuple[str, int | None] | None = None

    def get(self, key: str, default: str = "") -> str:
        return self.said[key][-1][1] if key in self.said else default

    def every(self, *keys: str) -> list[str]:
        return [value for key in keys if key in self.said for _, value in self.said[key]]

    def is_on(self, key: str) -> bool:
        return self.get(key).lower() in _TRUE

    def line_of(self, key: str) -> int:
        return self.said[key][-1][0] if key in self.said else self.line


def read_ofelia(source: Source, zone: str | None) -> Found:
    """Return the jobs of a configuration of Ofelia's, or of a compose file with its labels."""
    is_compose = not re.search(r"^\s*\[(?:job-|global)", source.text, re.MULTILINE | re.IGNORECASE)
    jobs, notes = _of_labels(source) if is_compose else _of_sections(source)
    found = Found((), tuple(notes))
    for job in jobs:
        found += _found(source, job, zone)
    if not jobs:
        found += Found((), (Note(source.name, 1, "there is no job of Ofelia's in it"),))
    return found


def _of_sections(source: Source) -> tuple[list[_Job], list[Note]]:
    jobs, notes = [], []
    for section in read_sections(source.text):
        title = _SECTION.fullmatch(section.title)
        if title is None:
            notes += _of_no_job(source, section)
            continue
        job = _Job(section.line, title[1].lower(), title[2])
        for setting in section.settings:
            job.said[setting.key.lower()].append((setting.line, _bare(setting.value)))
            if setting.key == "command" and re.search(r'[^\\"]"[^"]', f"{setting.value} "):
                what = "the file's own syntax takes double quotes away; write single ones there"
                notes.append(Note(source.name, setting.line, f"command: {what}"))
        jobs.append(job)
    return jobs, notes


def _of_no_job(source: Source, section: Section) -> list[Note]:
    """Return what is lost of a section that is no job's."""
    if section.title.lower() != "global":
        what = f"[{section.title}] is no job that Ofelia knows; it is left out"
        return [Note(source.name, section.line, what, section.title.lower().startswith("job"))]
    return [
        Note(source.name, setting.line, _about_messages(setting.key))
        for setting in section.settings
        if _MESSAGES.match(setting.key)
    ]


def _bare(value: str) -> str:
    """Return a value without quotes and comments, as gcfg reads it (git-config(1))."""
    text, is_quoted, is_escaped = "", False, False
    for sign in value:
        if is_escaped or sign not in '\\";#' or (is_quoted and sign in ";#"):
            text += sign
        elif sign == '"':
            is_quoted = not is_quoted
        elif sign != "\\":
            break
        is_escaped = sign == "\\" and not is_escaped
    return text.strip()


def _of_labels(source: Source) -> tuple[list[_Job], list[Note]]:
    jobs: dict[tuple[str, str, str], _Job] = {}
    notes = []
    every = ((service, *label) for service in read_services(source) for label in service.labels)
    for service, line, key, value in every:
        label = _LABEL.fullmatch(key)
        if label is None:
            notes += _of_no_label(source, line, key)
            continue
        kind, name, parameter = label.groups()
        job = jobs.setdefault((service.name, kind, name), _Job(line, kind, name))
        job.inside = _inside(service)
        job.idle = _idle(service, kind)
        job.said[parameter].extend((line, text) for text in _several(parameter, value))
    return list(jobs.values()), notes


def _of_no_label(source: Source, line: int, key: str) -> list[Note]:
    """Return what is lost of a label that is no job's."""
    if re.match(rf"ofelia\.(?:{_MESSAGES.pattern})", key):
        return [Note(source.name, line, _about_messages(key))]
    is_odd = key.startswith("ofelia.job")
    what = f"{key} is no label of a job that Ofelia knows; it is left out"
    return [Note(source.name, line, what)] if is_odd else []


def _inside(service: Service) -> tuple[str, ...]:
    name = service.said("container_name")
    return ("docker", "exec", name) if name else ("docker", "compose", "exec", "-T", service.name)


def _idle(service: Service, kind: str) -> tuple[str, int | None] | None:
    """Return why Ofelia runs no job of a kind that stands at a service, and where that is said.

    It looks at containers with ``ofelia.enabled=true`` alone, and all but a ``job-exec`` has to
    stand at its own, which has ``ofelia.service=true`` (`docker_handler.go`). Its image brings
    both (its Dockerfile).
    """
    names = (service.name, service.said("image"), service.said("container_name"))
    brought = "true" if any("ofelia" in name for name in names) else ""
    enabled, line = service.label("ofelia.enabled", brought)
    if enabled != "true":
        return f"the labels of {service.name!r} do not have ofelia.enabled=true", line
    own, line = service.label("ofelia.service", brought)
    if kind != "job-exec" and own != "true":
        return f"a {kind} has to stand at Ofelia's own service, and not at {service.name!r}", line
    return None


def _several(parameter: str, value: str) -> list[str]:
    if parameter in _LISTS and value.lstrip().startswith("["):
        try:
            return [text_of(item) for item in json.loads(value)]
        except ValueError:
            pass
    return [value]


def _about_messages(key: str) -> str:
    return f"{key} is about messages; see 'on_discard' and 'on_success' (docs/notifications.md)"


def _found(source: Source, job: _Job, zone: str | None) -> Found:
    draft = Draft(source.name, job.line, job.name)
    try:
        _fill_due(draft, job, zone)
        set_words(draft.settings, _words(job))
    except Lost as lost:
        return draft.lost(Lost(str(lost), lost.line or job.line_of("schedule")))
    if job.idle is not None:
        why, line = job.idle
        draft.settings["enabled"] = False
        draft.note(f"{why}, so Ofelia does not run it; it is carried over as paused", line)
    if job.is_on("no-overlap"):
        draft.settings["overlap"] = "skip"
    if job.kind == "job-local":
        _fill_local(draft, job)
    else:
        _note_docker(draft, job)
    for key in job.said:
        if _MESSAGES.match(key):
            draft.note(_about_messages(key), job.line_of(key))
        elif key not in _KNOWN:
            draft.note(f"{key} is not carried over", job.line_of(key))
    return Found((draft.finished(),))


def _fill_due(draft: Draft, job: _Job, zone: str | None) -> None:
    own, text = split_zone(job.get("schedule"))
    if not text:
        raise Lost("it has no schedule")
    expression = translate(text, Dialect.ROBFIG)
    draft.due([expression.text], own or zone)
    for remark in expression.remarks:
        draft.note(remark, job.line_of("schedule"))


def _words(job: _Job) -> list[str]:
    try:
        words = shlex.split(job.get("command"))
    except ValueError as error:
        raise Lost(f"its command has {str(error).lower()}", job.line_of("command")) from error
    match job.kind:
        case "job-local" if words:
            return words
        case "job-exec" if words and (job.get("container") or job.inside):
            return _executed(job, words)
        case "job-run" if job.get("image"):
            return _run(job, words)
        case "job-run" if job.get("container"):
            return ["docker", "start", "--attach", job.get("container")]
        case "job-service-run":
            raise Lost(
                "a service of a swarm is started and watched by Ofelia; run it with a script"
            )
    raise Lost("it has no command, or no container or image to run it in")


def _executed(job: _Job, words: list[str]) -> list[str]:
    container = job.get("container")
    *start, place = ("docker", "exec", container) if container else job.inside
    options = ["--user", job.get("user", "root"), *_variables(job)]
    return [*start, *options, *(["--tty"] if job.is_on("tty") else []), place, *words]


def _run(job: _Job, words: list[str]) -> list[str]:
    options = ["--user", job.get("user", "root"), *_variables(job)]
    for key, option in (("network", "--network"), ("hostname", "--hostname")):
        options += [option, job.get(key)] if job.get(key) else []
    for volume in job.every("volume"):
        options += ["--volume", volume]
    if job.get("delete", "true").lower() in _TRUE:
        options = ["--rm", *options]
    return ["docker", "run", *options, job.get("image"), *words]


def _variables(job: _Job) -> list[str]:
    return [word for each in job.every("environment", "env") for word in ("--env", each)]


def _fill_local(draft: Draft, job: _Job) -> None:
    if job.get("dir").startswith("/"):
        draft.settings["cwd"] = job.get("dir")
    pairs = [each.partition("=") for each in job.every("environment", "env")]
    if pairs:
        draft.settings["env"] = {name: value for name, _, value in pairs}


def _note_docker(draft: Draft, job: _Job) -> None:
    where = "docker, and the right to use it"
    if draft.settings["command"][:2] == ["docker", "compose"]:
        where += ", and 'cwd', the folder of the compose file"
    draft.note(f"it needs {where}, on its workers", job.line)
    if any("${" in each for each in job.every("command", "schedule")):
        draft.note("it has a variable of compose's (${…}), which is left as it is", job.line)
