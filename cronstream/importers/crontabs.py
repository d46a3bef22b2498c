"""Classic crontabs, of users and of systems, and supercronic's: entries to jobs."""

import re
import shlex
from dataclasses import dataclass, field, replace
from typing import Final

from cronstream.importers.crontab_lines import (
    Entry,
    Odd,
    Variable,
    read_lines,
    split_flags,
    split_input,
    split_user,
)
from cronstream.importers.dialect import Dialect, Expression, split_zone, translate
from cronstream.importers.found import Draft, Found, Lost, Note, Source, zone_problem
from cronstream.importers.names import titles_of

#: What cron programs read themselves, and commands need not find.
_MAIL: Final = frozenset({"MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"})
_ZONES: Final = frozenset({"CRON_TZ", "CRONTZ"})
_REMARK_LINES: Final = re.compile(
    r"[-=*#_ ]{3,}|\bm\s+h\s+dom|minute.*hour|^[\d*/,-]+\s+[\d*/,-]+\s"
)
_LONGEST_REMARK: Final = 200


@dataclass(slots=True)
class _NoZone:
    """A line that names a time zone that is none, and the jobs that are lost for it."""

    line: int
    what: str
    titles: list[str] = field(default_factory=list)

    def note(self, file: str) -> Note:
        what = self.what
        if self.titles:
            is_or_are = "is" if len(self.titles) == 1 else "are"
            what += f"; {', '.join(map(repr, self.titles))} {is_or_are} left out"
        return Note(file, self.line, what, bool(self.titles), max(1, len(self.titles)))


@dataclass(slots=True)
class _State:
    """What holds where a line stands."""

    source: Source
    zone: str | None
    env: dict[str, str] = field(default_factory=dict)
    shell: str = "/bin/sh"
    delay_minutes: int = 0
    #: The zone that holds, if there is none of that name.
    no_zone: "_NoZone | None" = None
    notes: list[Note] = field(default_factory=list)

    def note(self, line: int, what: str) -> None:
        self.notes.append(Note(self.source.name, line, what))


@dataclass(frozen=True, slots=True)
class Kind:
    """Which kind of crontab it is.

    Attributes:
        has_users: Whether a user stands before each command.
        is_supercronic: Whether it is read as supercronic does.
    """

    has_users: bool = False
    is_supercronic: bool = False


def read_crontab(source: Source, kind: Kind, zone: str | None) -> Found:
    """Return the jobs of a crontab.

    Args:
        source: The file.
        kind: Which of them it is.
        zone: By whose clock its machine goes; None if nobody said.
    """
    state = _State(source, zone)
    found = Found()
    lines = list(read_lines(source.text, fields=(7, 6, 5) if kind.is_supercronic else (5,)))
    if kind.is_supercronic:  # Its variables hold for the whole file.
        for line in lines:
            if isinstance(line, Variable):
                _set(state, line)
    for line in lines:
        match line:
            case Variable() if not kind.is_supercronic:
                _set(state, line)
            case Entry():
                found += _job(state, line, kind)
            case Odd():
                what = f"{line.text[:60]!r} is no entry; it is left out"
                state.notes.append(Note(source.name, line.line, what, loses_job=True))
            case _:
                pass
    _end_of_zone(state)
    return found + Found((), tuple(state.notes))


def _set_zone(state: _State, line: int, zone: str) -> None:
    _end_of_zone(state)
    problem = zone_problem(zone)
    if problem is None:
        state.zone = zone
    else:
        state.no_zone = _NoZone(line, problem)


def _end_of_zone(state: _State) -> None:
    """Note once what a line has cost that named no time zone."""
    if state.no_zone is not None:
        state.notes.append(state.no_zone.note(state.source.name))
    state.no_zone = None


def _set(state: _State, variable: Variable) -> None:
    name, value = variable.name, variable.value
    if name in _ZONES:
        if value:
            _set_zone(state, variable.line, value)
    elif name in _MAIL:
        _note_mail(state, variable)
    elif name == "RANDOM_DELAY" and value.isdecimal():
        state.delay_minutes = int(value)
    elif name == "START_HOURS_RANGE":
        state.note(variable.line, f"{name} is anacron's; write the hours into the schedules")
    elif name == "LOGNAME":
        state.note(variable.line, "LOGNAME is whom commands run as; write 'user' instead")
    else:
        _set_for_commands(state, variable)


def _note_mail(state: _State, variable: Variable) -> None:
    if variable.name == "MAILTO" and variable.value:
        state.note(
            variable.line,
            f"no mail goes to {variable.value!r}; output is kept (cronstream logs), and "
            "'on_discard' sends a mail of what fails (docs/notifications.md)",
        )
    elif variable.name != "MAILTO":
        state.note(variable.line, f"{variable.name} is about cron's mails; it is left out")


def _set_for_commands(state: _State, variable: Variable) -> None:
    name, value, line = variable.name, variable.value, variable.line
    if name == "SHELL" and value:
        state.shell = value
    if "$" in value:
        state.note(line, f"{name} has a $, which cron leaves as it is, and so does cronstream")
    if name == "TZ":
        state.note(
            line,
            "TZ is for the commands, and most crons do not go by it; if the schedules are meant by "
            f"it, write 'timezone: {value}'",
        )
    state.env[name] = value


def _job(state: _State, entry: Entry, kind: Kind) -> Found:
    user, command = split_user(entry.command) if kind.has_users else (None, entry.command)
    if user is not None:  # OpenBSD has its flags behind it.
        flags, command = split_flags(command)
        entry = replace(entry, flags=entry.flags + flags)
    stdin = None
    if not kind.is_supercronic:
        command, stdin = split_input(command)
    command = command.strip()
    draft = Draft(state.source.name, entry.line, *titles_of(command))
    if state.no_zone is not None:
        state.no_zone.titles.append(draft.title)
        return Found()
    try:
        _fill(draft, state, entry, kind)
        _fill_command(draft, state, command, stdin)
    except Lost as lost:
        return draft.lost(lost)
    if kind.has_users and user is None:
        draft.note("no user stands before the command; it runs as the worker's")
    elif user is not None:
        draft.settings["user"] = user
    return Found((draft.finished(),))


def _fill(draft: Draft, state: _State, entry: Entry, kind: Kind) -> None:
    is_telling = entry.above and not _REMARK_LINES.search(entry.above)
    if is_telling and len(entry.above) <= _LONGEST_REMARK:
        draft.settings["description"] = entry.above
    zone, text = split_zone(entry.schedule)
    dialect = Dialect.CRONEXPR if kind.is_supercronic else Dialect.CRON
    expression = translate(text, dialect)
    for remark in expression.remarks:
        draft.note(remark)
    draft.due([expression.text], zone or state.zone)
    bound_year(draft, expression)
    if state.delay_minutes:
        draft.settings["jitter"] = f"{state.delay_minutes}m"
    if kind.is_supercronic or "s" in entry.flags:
        draft.settings["overlap"] = "skip"


def bound_year(draft: Draft, expression: Expression) -> None:
    """Set that a job is due in some years only.

    Raises:
        Lost: If these are not one after another.
    """
    if not expression.year:
        return
    years = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", expression.year)
    if years is None:
        raise Lost(f"year {expression.year!r} is not one range; write a job for each")
    draft.settings["start"] = f"{years[1]}-01-01"
    draft.settings["end"] = f"{years[2] or years[1]}-12-31"


def _fill_command(draft: Draft, state: _State, command: str, stdin: str | None) -> None:
    if not command:
        raise Lost("it has no command")
    if re.match(r"[*\d][\d*,/-]*\s", command):
        draft.note(
            "its command begins like a field of a schedule; if there are seconds or years in it, "
            "say --from supercronic, or write six fields with the second first"
        )
    is_plain = state.shell in ("/bin/sh", "sh")
    if stdin is None:
        draft.settings["command"] = command
        if not is_plain:
            draft.settings["shell"] = f"{shlex.quote(state.shell)} -c"
    else:
        lines = stdin.removesuffix("\n").split("\n")
        fed = f"printf '%s\\n' {' '.join(map(shlex.quote, lines))}"
        draft.settings["command"] = f"{fed} | {shlex.join([state.shell, '-c', command])}"
    if state.env:
        draft.settings["env"] = dict(state.env)
    home = state.env.get("HOME", "")
    if home.startswith("/"):
        draft.settings["cwd"] = home
