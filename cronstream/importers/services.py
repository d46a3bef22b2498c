"""A service that a timer starts: what it runs, as whom, where, and with which variables."""

import re
import shlex
from collections.abc import Mapping
from typing import Final, NamedTuple

from cronstream.importers.exec_lines import read_exec
from cronstream.importers.found import Draft, Lost, length
from cronstream.importers.ini_lines import Section, Setting, merged, read_sections
from cronstream.importers.spans import parse_span
from cronstream.importers.specifiers import (
    about_home,
    for_shell,
    has_home,
    specified,
    specifiers,
    whose_is,
)
from cronstream.importers.words import set_words

_EXEC: Final = ("ExecStartPre", "ExecStart", "ExecStartPost")
_YES, _NO = "yes|true|on|1", "no|false|off|0"
_OUTPUT: Final = r"(?:journal|syslog)(?:\+console)?|inherit|null"
#: What needs no counterpart with such a value: it is so here as well, or nothing is lost by it.
_QUIET: Final = {
    "Type": "simple|exec|oneshot|idle|notify|notify-reload|dbus",
    "RemainAfterExit": _NO,
    "StandardInput": "null",
    "StandardOutput": _OUTPUT,
    "StandardError": _OUTPUT,
    "KillMode": "control-group|mixed",
    "KillSignal": "(?:SIG)?TERM|15",
    "SendSIGKILL": _YES,
    "TimeoutStopFailureMode": "terminate",
    **dict.fromkeys(("SyslogIdentifier", "NotifyAccess", "GuessMainPID", "LogLevelMax"), ".*"),
}
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
    "Type": "have the command stay in the foreground until it has ended",
    "RemainAfterExit": "what stays active is not started again; here it runs each time",
    "StandardInput": "a command reads nothing; have it read a file",
    "StandardOutput": "output is kept (cronstream logs); write > or >> behind the command",
    "StandardError": "output is kept (cronstream logs); write 2> or 2>> behind the command",
    "KillMode": "what a command leaves behind is ended with it; see 'background'",
    "KillSignal": "a command is ended with TERM; have it trap that",
    "SendSIGKILL": "what has not ended after 'grace' is killed",
    "TimeoutStopFailureMode": "what has not ended after 'grace' is killed",
}
_UNIT_REMEDIES: Final = {
    "OnFailure": "write 'on_discard' (docs/notifications.md), or a job of its own",
    "OnSuccess": "write 'on_success' (docs/notifications.md), or a job of its own",
}


class Unit(NamedTuple):
    """A service as it is started.

    Attributes:
        path: Its file, which notes name.
        text: All of it.
        name: What it is called: an instance is not called as the file of its template is.
        instance: What ``%i`` stands for.
    """

    path: str
    text: str
    name: str
    instance: str


def fill_service(draft: Draft, service: Unit) -> None:
    """Set what a service says of a run.

    Raises:
        Lost: If what it runs cannot be carried over, with the line of the service.
    """
    try:
        _fill(draft, service)
    except Lost as lost:
        raise Lost(str(lost), lost.line or 1, service.path) from None


def _fill(draft: Draft, given: Unit) -> None:
    sections = read_sections(given.text)
    service, unit = merged(sections, "Service"), merged(sections, "Unit")
    whose = whose_is(given.path, service, merged(sections, "Install"))
    known = specifiers(given.name, given.instance, whose)
    lines = [setting for key in _EXEC for setting in service.all(key)]
    if not lines:
        raise Lost("it has no ExecStart", service.line)
    found = read_exec(lines, known)
    about = unit.last("Description")
    if about is not None and set(re.findall("%(.)", about.value)) <= set(known):
        draft.settings["description"] = specified(about.value, known)
    if isinstance(found, str):
        draft.settings["command"] = found
    else:
        set_words(draft.settings, found)
    # A unit that is active is not started again (systemd.timer(5)).
    draft.settings["overlap"] = "skip"
    notes = _Notes(draft, given.path)
    _fill_place(notes, service, known)
    _fill_env(draft, service, known)
    _fill_times(notes, service)
    _note_home(notes, service, known)
    _note_rest(notes, service, unit)


class _Notes(NamedTuple):
    """A job, whose notes name the file of its service."""

    draft: Draft
    path: str

    def note(self, setting: Setting, remedy: str) -> None:
        self.draft.note(f"{setting.key}={setting.value}: {remedy}", setting.line, self.path)


def _fill_place(notes: _Notes, service: Section, known: Mapping[str, str]) -> None:
    settings = notes.draft.settings
    user, folder, umask = (service.last(key) for key in ("User", "WorkingDirectory", "UMask"))
    if user is not None:
        settings["user"] = specified(user.value, known, user.line)
    if folder is not None:
        path = specified(folder.value.lstrip("-"), known, folder.line)
        if path.startswith("/"):
            settings["cwd"] = path
        else:
            notes.note(folder, "write 'cwd', the whole path")
    if umask is not None and re.fullmatch(r"0?[0-7]{3}", umask.value):
        settings["umask"] = umask.value
    elif umask is not None:
        notes.note(umask, "write 'umask', three octal digits")


def _fill_env(draft: Draft, service: Section, known: Mapping[str, str]) -> None:
    """Set the variables; those with a home in them are the shell's business."""
    env: dict[str, str] = {}
    exported: dict[str, str] = {}
    for setting in service.all("Environment"):
        for word in _assignments(setting.value):
            key, _, value = word.partition("=")
            env[key] = specified(value, known, setting.line)
            exported[key] = for_shell(value, known) or ""
    exported = {key: value for key, value in exported.items() if value and key.isidentifier()}
    env = {key: value for key, value in env.items() if key not in exported}
    if env:
        draft.settings["env"] = env
    if exported:
        command = draft.settings["command"]
        text = command if isinstance(command, str) else shlex.join(command)
        begin = " ".join(f"{key}={value}" for key, value in exported.items())
        draft.settings["command"] = f"export {begin}\n{text}"


def _assignments(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return [word for word in words if word.partition("=")[0] and "=" in word]


def _fill_times(notes: _Notes, service: Section) -> None:
    settings = notes.draft.settings
    for keys, ours in (
        (("RuntimeMaxSec", "TimeoutStartSec", "TimeoutSec"), "timeout"),
        (("TimeoutStopSec",), "grace"),
    ):
        for setting in filter(None, map(service.last, keys)):
            seconds = parse_span(setting.value)
            if seconds:
                settings.setdefault(ours, length(round(seconds, 3)))
            elif setting.value not in ("infinity", "0"):  # No limit.
                notes.note(setting, f"write {ours!r}")
    files = service.last("LimitNOFILE")
    if files is not None and files.value.partition(":")[0].isdecimal():
        settings["limits"] = {"files": int(files.value.partition(":")[0])}
    elif files is not None:
        notes.note(files, "give it to the unit or container of the workers")


def _note_home(notes: _Notes, service: Section, known: Mapping[str, str]) -> None:
    """Note once whose home ``%h`` is taken for."""
    for setting in service.settings:
        is_read = setting.key in (*_EXEC, "Environment", "WorkingDirectory", "User")
        if is_read and has_home(setting.value):
            notes.draft.note(about_home(known), setting.line, notes.path)
            return


def _note_rest(notes: _Notes, service: Section, unit: Section) -> None:
    remedies = _REMEDIES | _UNIT_REMEDIES
    others: dict[str, int] = {}
    counting = [s for s in service.settings if s in service.all(s.key)]
    for setting in (*counting, *_telling(unit)):
        key = setting.key
        if re.fullmatch(_QUIET.get(key, "(?!)"), setting.value, re.IGNORECASE):
            continue
        if key in remedies:
            notes.note(setting, remedies[key])
        elif key not in {*_EXEC, *_DONE}:
            others.setdefault(key, setting.line)
    if others:
        what = f"{', '.join(others)}: give it to the unit or container of the workers"
        notes.draft.note(what, min(others.values()), notes.path)


def _telling(unit: Section) -> list[Setting]:
    """Return what a [Unit] says of its runs, and not of the order of units."""
    begins = ("Condition", "Assert")
    return [s for s in unit.settings if s.key in _UNIT_REMEDIES or s.key.startswith(begins)]
