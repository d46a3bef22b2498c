"""A service that a timer starts: what it runs, as whom, where, and with which variables."""

import re
import shlex
from pathlib import PurePosixPath
from typing import Any, Final

from cronstream.importers.exec_lines import read_exec
from cronstream.importers.found import Draft, Lost, length
from cronstream.importers.ini_lines import Section, Setting, merged, read_sections
from cronstream.importers.spans import parse_span
from cronstream.importers.words import set_words

_EXEC: Final = ("ExecStartPre", "ExecStart", "ExecStartPost")
#: What needs no counterpart: it is so here as well, or is about a service that goes on running.
_QUIET: Final = frozenset(
    (
        *("Type", "RemainAfterExit", "StandardOutput", "StandardError", "StandardInput"),
        *("SyslogIdentifier", "KillMode", "NotifyAccess", "GuessMainPID", "SendSIGKILL", "Slice"),
        *("LogLevelMax", "TimeoutStopFailureMode"),
    )
)
_DONE: Final = frozenset(
    (
        *("User", "WorkingDirectory", "Environment", "UMask", "TimeoutStartSec", "TimeoutSec"),
        *("RuntimeMaxSec", "TimeoutStopSec", "LimitNOFILE"),
    )
)
_REMEDIES: Final = {
    "EnvironmentFile": "have the command read it (set -a; . FILE), or write 'env'",
    "Group": "'user' has that user's own groups",
    "Restart": "write 'max_attempts' and 'backoff'",
    "RestartSec": "write 'max_attempts' and 'backoff'",
    "ExecStop": "nothing runs after a command; put it into the command",
    "ExecStopPost": "nothing runs after a command; put it into the command, behind a trap",
    "ExecCondition": "put it before the command, with || exit 0",
    "SuccessExitStatus": "a success is exit status 0; have the command end with that",
    "Nice": "write it before the command: nice -n …",
    "IOSchedulingClass": "write it before the command: ionice -c …",
    "IOSchedulingPriority": "write it before the command: ionice -n …",
    "DynamicUser": "write 'user', a user that is there",
    "LoadCredential": "write 'env' with {file: PATH}",
}
_UNIT_REMEDIES: Final = {
    "OnFailure": "write 'on_discard' (docs/notifications.md), or a job of its own",
    "OnSuccess": "write 'on_success' (docs/notifications.md), or a job of its own",
}


def fill_service(draft: Draft, path: str, text: str, instance: str) -> None:
    """Set what a service says of a run.

    Args:
        draft: The job.
        path: The file of the service, which notes name.
        text: All of it.
        instance: What ``%i`` stands for.

    Raises:
        Lost: If what it runs cannot be carried over.
    """
    name = PurePosixPath(path).name
    sections = read_sections(text)
    service, unit = merged(sections, "Service"), merged(sections, "Unit")
    lines = [setting.value for key in _EXEC for setting in service.all(key)]
    try:
        found = read_exec(lines, _specifiers(name, instance))
    except Lost as lost:
        raise Lost(f"{name}: {lost}") from None
    about = unit.last("Description")
    if about is not None and "%" not in about.value:
        draft.settings["description"] = about.value
    if isinstance(found, str):
        draft.settings["command"] = found
    else:
        set_words(draft.settings, found)
    # A unit that is active is not started again (systemd.timer(5)).
    draft.settings["overlap"] = "skip"
    _fill_place(draft, service)
    _fill_times(draft, service)
    _note_rest(draft, path, service, unit)


def _specifiers(name: str, instance: str) -> dict[str, str]:
    stem = name.removesuffix(".service")
    places = {"t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"}
    # Whose home it is: the worker's, or that of 'user'.
    places["h"] = "${HOME}"
    names = {"n": name, "N": stem, "p": stem.partition("@")[0], "i": instance, "I": instance}
    return {"%": "%", **names, **places}


def _fill_place(draft: Draft, service: Section) -> None:
    user, folder, umask = (service.last(key) for key in ("User", "WorkingDirectory", "UMask"))
    if user is not None:
        draft.settings["user"] = user.value
    if folder is not None and folder.value.lstrip("-").startswith("/"):
        draft.settings["cwd"] = folder.value.lstrip("-")
    elif folder is not None:
        draft.note(f"WorkingDirectory={folder.value}: write 'cwd', the whole path")
    if umask is not None and re.fullmatch(r"0?[0-7]{3}", umask.value):
        draft.settings["umask"] = umask.value
    env: dict[str, Any] = {}
    for setting in service.all("Environment"):
        for word in _assignments(setting.value):
            key, _, value = word.partition("=")
            env[key] = value.replace("%%", "%")
    if env:
        draft.settings["env"] = env


def _assignments(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return [word for word in words if word.partition("=")[0] and "=" in word]


def _fill_times(draft: Draft, service: Section) -> None:
    for keys, ours in (
        (("RuntimeMaxSec", "TimeoutStartSec", "TimeoutSec"), "timeout"),
        (("TimeoutStopSec",), "grace"),
    ):
        for key in keys:
            setting = service.last(key)
            seconds = None if setting is None else parse_span(setting.value)
            if seconds:
                draft.settings.setdefault(ours, length(round(seconds, 3)))
    files = service.last("LimitNOFILE")
    if files is not None and files.value.partition(":")[0].isdecimal():
        draft.settings["limits"] = {"files": int(files.value.partition(":")[0])}


def _note_rest(draft: Draft, path: str, service: Section, unit: Section) -> None:
    remedies = _REMEDIES | _UNIT_REMEDIES
    others: dict[str, int] = {}
    for setting in (*service.settings, *_telling(unit)):
        if setting.key in remedies:
            remedy = remedies[setting.key]
            draft.note(f"{setting.key}={setting.value}: {remedy}", setting.line, path)
        elif setting.key not in {*_EXEC, *_QUIET, *_DONE}:
            others.setdefault(setting.key, setting.line)
    if others:
        what = f"{', '.join(others)}: give it to the unit or container of the workers"
        draft.note(what, min(others.values()), path)


def _telling(unit: Section) -> list[Setting]:
    """Return what a [Unit] says of its runs, and not of the order of units."""
    begins = ("Condition", "Assert")
    return [s for s in unit.settings if s.key in _UNIT_REMEDIES or s.key.startswith(begins)]
