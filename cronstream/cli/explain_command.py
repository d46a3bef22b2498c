"""``cronstream explain``: when a job is due, in words, and what changes of the clocks do to it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli import proposals
from cronstream.cli.crontab_commands import find_job, local_words
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.core.schedule.changes import ClockChange, Effect, clock_changes, effect_of
from cronstream.core.schedule.schedule import Schedule, compile_schedule, find_zone
from cronstream.core.schedule.sentence import sentence
from cronstream.core.schedule.spread import spread
from cronstream.core.wire.times import format_time
from cronstream.crontab_file import read_crontab
from cronstream.errors import ScheduleError
from cronstream.settings import settings

_DUES: Final = 10
_CHANGES: Final = 2
#: So many times on the clock are named of what a change does.
_NAMED: Final = 3
_EFFECTS: Final = {
    "skipped": "not due",
    "moved": "due right after the change instead",
    "doubled": "due both times",
    "once": "due once",
}


@click.command
@click.argument("what", metavar="WHAT", shell_complete=proposals.jobs)
@click.option("--tz", "timezone", metavar="ZONE", help="The time zone, in place of the job's.")
@click.option("--name", metavar="NAME", help="The name of a job that picks what H is.")
@json_option
def explain(what: str, timezone: str | None, name: str | None, *, as_json: bool) -> None:
    """Say in words when WHAT is due: a job of the crontab, or a schedule.

    With the next ten due times, and the next two changes of the zone's clocks: what they skip,
    move or repeat. A schedule is one of several words, or begins with '@'; it is in UTC unless
    --tz says otherwise.
    """
    schedule, zone, is_paused = _schedule_of(what, timezone, name)
    try:
        compiled, words = compile_schedule(schedule, zone), sentence(schedule, zone)
    except ScheduleError as error:
        raise click.UsageError(f"schedule {schedule!r}: {error}") from error
    now = clock.now()
    dues = list(islice(_after(compiled, now), _DUES))
    changes = list(islice(clock_changes(find_zone(zone), now), _CHANGES))
    effects = [(change, effect_of(change, compiled)) for change in changes]
    if as_json:
        emit_json(
            {"schedule": schedule, "timezone": zone, "sentence": words, "enabled": not is_paused}
            | {"due": dues, "clock_changes": [_change_json(*each) for each in effects]}
        )
        return
    emit(f"{schedule}: {words}.")
    _show_dues(dues, zone)
    _show_changes(effects, zone)
    if is_paused:
        say(f"job {what} is paused by the crontab (enabled: false): it is not due until that goes")


def _schedule_of(what: str, timezone: str | None, name: str | None) -> tuple[str, str, bool]:
    """Return the schedule and the time zone of a job, or those that were given.

    And whether the crontab has paused the job.
    """
    if what.startswith("@") or " " in what.strip():
        try:
            return spread(what.strip(), name) if name else what.strip(), timezone or "UTC", False
        except ScheduleError as error:
            raise click.UsageError(f"schedule {what!r}: {error}") from error
    job = find_job(read_crontab(settings().crontab).jobs, what)
    return job.schedule, timezone or job.timezone, not job.enabled


def _after(schedule: Schedule, moment: datetime) -> Any:
    due = schedule.next_after(moment)
    while due is not None:
        yield due
        due = schedule.next_after(due)


def _show_dues(dues: Sequence[datetime], zone: str) -> None:
    emit("")
    if not dues:
        emit("It is not due any more.")
        return
    emit_table(
        [Column("due"), Column("local time")],
        [(format_time(due), local_words(due, zone)) for due in dues],
    )


def _show_changes(effects: Sequence[tuple[ClockChange, Effect]], zone: str) -> None:
    emit("")
    if not effects:
        emit(f"The clocks of {zone} do not change in the next three years.")
    for change, effect in effects:
        way = "forward" if change.is_forward else "back"
        emit(
            f"On {change.before:%Y-%m-%d} clocks go {way}, from {change.before:%H:%M} to "
            f"{change.after:%H:%M}: {_effect_words(effect)}."
        )


def _effect_words(effect: Effect) -> str:
    parts = [
        f"{_named(walls)} {'is' if len(walls) == 1 else 'are'} {words}"
        for kind, words in _EFFECTS.items()
        if (walls := getattr(effect, kind))
    ]
    return "; ".join(parts) or "that touches none of its due times"


def _named(walls: Sequence[datetime]) -> str:
    more = len(walls) - _NAMED
    times = [f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}" for wall in walls[:_NAMED]]
    return ", ".join(times) + (f" and {more} more" if more > 0 else "")


def _change_json(change: ClockChange, effect: Effect) -> dict[str, Any]:
    about = {"at": change.at, "from": change.before.isoformat(), "to": change.after.isoformat()}
    return about | {kind: [wall.isoformat() for wall in getattr(effect, kind)] for kind in _EFFECTS}
