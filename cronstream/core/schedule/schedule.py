"""When a job is due: the text of its schedule and its time zone to due times.

The text is what is published. It is one expression (`cronstream.core.schedule.expression`), or
several with rules for all of them (`cronstream.core.schedule.rules`).
"""

import difflib
import zoneinfo
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final, TypeAlias

from cronstream.core.schedule.clock import ClockSchedule, EverySchedule
from cronstream.core.schedule.expression import compile_expression
from cronstream.core.schedule.ruled import JitteredSchedule, RuledSchedule, ruled_schedule
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.walls import CronWalls, OneWall
from cronstream.errors import ScheduleError, ZoneError

Schedule: TypeAlias = ClockSchedule | EverySchedule | RuledSchedule | JitteredSchedule

#: From where a schedule is tried once, so that one that can never be due is refused.
_TRIAL: Final = datetime(2024, 1, 1, tzinfo=UTC)
#: And from where one is that may be past by then.
_EARLY_TRIAL: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What the system's data has among its zones, and is the clock of no place.
_NO_PLACES: Final = frozenset({"localtime", "Factory"})
#: What people call the clock of the machine.
_OWN: Final = frozenset({"localtime", "local", "system", "host"})
#: A schedule that is due in each of them is due at some time, whatever clocks skip.
_ALL_MONTHS: Final = 12


@lru_cache(maxsize=2**18)
def compile_schedule(text: str, timezone: str) -> Schedule:
    """Return the schedule that a text means in a zone.

    Raises:
        ScheduleError: If either is not valid, or the schedule can never be due.
    """
    zone = find_zone(timezone)
    if Rules.are_in(text):
        try:
            return _with_rules(Rules.parse(text), zone)
        except OverflowError:
            sentence = "goes beyond the end of the calendar, the year 9999; write an earlier one"
            raise ScheduleError(sentence) from None
    schedule = compile_expression(text.strip(), zone)
    walls = schedule.walls if isinstance(schedule, ClockSchedule) else None
    if isinstance(walls, CronWalls) and len(walls.fields.months) == _ALL_MONTHS:
        return schedule  # Clocks change in two of them at most.
    is_past = isinstance(walls, OneWall)
    if schedule.next_after(_EARLY_TRIAL if is_past else _TRIAL) is None:
        raise ScheduleError(
            f"can never be due: the clocks of {timezone} always skip it; choose another time"
        )
    return schedule


def _with_rules(rules: Rules, zone: zoneinfo.ZoneInfo) -> Schedule:
    schedule = ruled_schedule(rules, zone)
    trials = [_TRIAL]
    if rules.end or any(text.lower().startswith("@at") for text in rules.expressions):
        trials.append(_EARLY_TRIAL)
    if all(schedule.next_after(trial) is None for trial in trials):
        raise ScheduleError(f"can never be due: {rules.blame}")
    return schedule


@cache
def find_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by its IANA name, spelled exactly so, as it must be on every machine.

    Raises:
        ZoneError: If there is none; the sentence says the nearest name.
    """
    known = zoneinfo.available_timezones() - _NO_PLACES
    if name in known:
        return zoneinfo.ZoneInfo(name)
    if name.lower() in _OWN:
        raise ZoneError(
            f"time zone {name!r} is each machine's own, and they may differ; name the place, as "
            "in 'Europe/Berlin'"
        )
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1)
    remedy = f"did you mean {by_lower[near[0]]!r}?" if near else "write one like 'Europe/Berlin'"
    raise ZoneError(f"time zone {name!r} is not known; {remedy}")
