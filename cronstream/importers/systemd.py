"""Timers of systemd, each with its service, to jobs (systemd.timer(5), systemd.service(5))."""

from pathlib import PurePosixPath
from typing import Final

from cronstream.importers.calendar import Calendar, parse_calendar
from cronstream.importers.found import Draft, Found, Lost, Note, Source, length
from cronstream.importers.ini_lines import Section, merged, read_sections
from cronstream.importers.services import Unit, fill_service
from cronstream.importers.spans import parse_span

_EVERY: Final = ("OnUnitActiveSec", "OnUnitInactiveSec")
_ONCE: Final = ("OnBootSec", "OnStartupSec", "OnActiveSec")
_OTHERS: Final = {
    "WakeSystem": "no machine is woken for a run",
    "OnClockChange": "a change of the clock starts nothing",
    "OnTimezoneChange": "a change of the zone starts nothing",
    "FixedRandomDelay": "jitter is another while each time; H in the schedule is one for all",
}


def read_timer(source: Source, zone: str | None) -> Found:
    """Return the job of a timer; its service is looked for among what lies beside it."""
    unit = PurePosixPath(source.name).name
    stem = unit.removesuffix(".timer")
    sections = read_sections(source.text)
    timer = merged(sections, "Timer")
    draft = Draft(source.name, timer.line, stem)
    if not timer.settings:
        return Found((), (Note(source.name, 1, "there is no [Timer] in it"),))
    try:
        _refuse_template(stem)
        _fill_due(draft, timer, zone)
        _fill_service(draft, source, timer, f"{stem}.service")
    except Lost as lost:
        return draft.lost(lost)
    about = merged(sections, "Unit").last("Description")
    if about is not None:
        draft.settings.setdefault("description", about.value)
    for key, remedy in _OTHERS.items():
        setting = timer.last(key)
        if setting is not None and setting.value.lower() in ("yes", "true", "on", "1"):
            draft.note(f"{key}: {remedy}", setting.line)
    return Found((draft.finished(),))


def _refuse_template(stem: str) -> None:
    if stem.endswith("@"):
        raise Lost(f"it is a template; import it under the name of an instance, {stem}NAME.timer")


def _fill_due(draft: Draft, timer: Section, zone: str | None) -> None:
    calendars = [_calendar(setting.value, setting.line) for setting in timer.all("OnCalendar")]
    schedules = [calendar.schedule for calendar in calendars]
    for key in _EVERY:
        setting = timer.last(key)
        seconds = None if setting is None else parse_span(setting.value)
        if setting is not None and seconds is not None and seconds >= 1:
            schedules.append(f"@every {length(int(seconds))}")
            draft.note(f"{key} counts from run to run; @every counts from 1970", setting.line)
    first = next((found for key in _ONCE if (found := timer.last(key))), None)
    if not schedules:
        what = f"{first.key}={first.value} is once after a start; " if first else ""
        raise Lost(f"{what}it is due by no calendar; have a service manager start it")
    if first is not None:
        draft.note(f"{first.key}: a start of a machine is no due time", first.line)
    common = _in_common(calendars)
    draft.due(schedules, common.zone or zone)
    for key, value in (("exclude", common.exclude), ("start", common.start), ("end", common.end)):
        if value:
            draft.settings[key] = value
    _fill_delays(draft, timer)


def _calendar(text: str, line: int) -> Calendar:
    try:
        return parse_calendar(text)
    except Lost as lost:
        raise Lost(str(lost), line) from None


def _in_common(calendars: list[Calendar]) -> Calendar:
    """Return what holds for all events: a job says it once.

    Raises:
        Lost: If they differ in that.
    """
    rest = {(each.exclude, each.start, each.end, each.zone) for each in calendars}
    if len(rest) > 1:
        raise Lost(
            "its calendar events differ in zone, year or days left out; write a job for each"
        )
    return calendars[0] if calendars else Calendar("")


def _fill_delays(draft: Draft, timer: Section) -> None:
    delay = timer.last("RandomizedDelaySec")
    seconds = None if delay is None else parse_span(delay.value)
    if seconds and seconds >= 1:
        draft.settings["jitter"] = length(int(seconds))
    persistent = timer.last("Persistent")
    if persistent is not None and persistent.value.lower() in ("yes", "true", "on", "1"):
        draft.settings["missed"] = "once"


def _fill_service(draft: Draft, source: Source, timer: Section, default: str) -> None:
    setting = timer.last("Unit")
    name = default if setting is None else setting.value
    stem, at, rest = name.partition("@")
    instance = rest.removesuffix(".service") if at else ""
    found = _beside(source, name) or (_beside(source, f"{stem}@.service") if at else None)
    if found is None:
        line = timer.line if setting is None else setting.line
        raise Lost(f"{name} is not beside it; put it there, or give both files", line)
    fill_service(draft, Unit(found, source.beside[found], name, instance))


def _beside(source: Source, name: str) -> str | None:
    """Return the path of a unit; the last of several."""
    found = [path for path in source.beside if PurePosixPath(path).name == name]
    return found[-1] if found else None
