"""When jobs are due: their schedules, what is left out of them, and the calendars that name that.

Each mistake is found where it stands. What a job has of all this becomes one text, which is what
schedulers read (`cronstream.core.schedule.rules`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import Mapping as MappingNode
from cronstream.core.crontab.yaml_nodes import Node, Plain, Scalar, Sequence, find_place, plain
from cronstream.core.schedule.clock import Dst
from cronstream.core.schedule.duration import format_duration
from cronstream.core.schedule.exclusions import Exclusions
from cronstream.core.schedule.expression import NEVER
from cronstream.core.schedule.ruled import bounds
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.schedule.spread import spread
from cronstream.core.wire.runs import Job
from cronstream.errors import Part, Place, ScheduleError, ZoneError

#: The keys of a job that say, beside ``schedule``, when it is due.
RULES: Final = ("exclude", "start", "end", "dst", "jitter")
_TYPOGRAPHIC: Final = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}")


class ScheduleReader:
    """Reads ``calendars``, and what jobs say of when they are due."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._calendars: dict[str, tuple[str, ...]] = {}
        self._is_whole = self._has_all_names = True
        #: Expressions that are good in a zone, whatever job has them.
        self._good: set[tuple[str, str]] = set()

    # -- calendars ---------------------------------------------------------------------------------

    def read_calendars(self, node: Node | None) -> None:
        """Read what stands under ``calendars``; None if it is not there."""
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return
        if not isinstance(node, MappingNode):
            self._has_all_names = False
            self._fail(
                node.place,
                "'calendars' must be a mapping of names, each with a list of dates; write "
                "'holidays: [2026-12-25, 2026-12-26]' below it",
            )
            return
        for name, item in node.items.items():
            if not _NAME.fullmatch(name):
                self._has_all_names = False
                sentence = f"{name!r} is not a name for a calendar; begin it with a letter"
                self._fail(node.keys[name], sentence)
            self._calendars[name] = self._calendar(name, item)

    def _calendar(self, name: str, node: Node) -> tuple[str, ...]:
        if not isinstance(node, Sequence):
            sentence = f"calendar {name!r} must be a list of dates, ranges and schedules"
            self._fail(node.place, f"{sentence}; write [2026-12-25]")
            return ()
        texts = []
        for item in node.items:
            text = plain(item)
            problem = _exclusion_problem(text)
            if problem is not None:
                self._fail(item.place, f"calendar {name!r}: {_joined(repr(text), problem)}")
            texts.append(str(text))
        return tuple(texts)

    def _fail(self, place: Place, sentence: str) -> None:
        self._is_whole = False
        self._problems.add(place, sentence, key="calendars")

    # -- jobs --------------------------------------------------------------------------------------

    def check_rules(self, values: Mapping[str, Plain], node: Node, part: Part) -> bool:
        """Return whether the rules of a job, or of the defaults, are fine; note what is not.

        What is not even text is noted by others.
        """
        noted = [
            *self._exclusion_faults(values.get("exclude"), node),
            *_bound_faults(values, node),
        ]
        for place, key, sentence in noted:
            self._problems.add(place, sentence, part, key=key)
        return not noted

    def check_schedule(
        self, values: Mapping[str, Plain], node: Node, part: Part, zone: str
    ) -> bool:
        """Return whether each schedule of a job is fine; note what is not."""
        said = values.get("schedule")
        is_fine = True
        for text, place in _placed(said, node, "schedule"):
            if not isinstance(text, str):
                continue
            problem = _schedule_problem(text, str(part.name), zone)
            if problem is not None:
                is_fine = False
                sentence = f"schedule {text!r}: {problem}"
                self._problems.add(place, sentence, part, key="schedule")
        return is_fine

    def plain_text(self, text: str, name: str, zone: str) -> str | None:
        """Return what one expression without rules is published as; None if it is not good."""
        stripped = text.strip()
        if (stripped, zone) in self._good:
            return stripped
        written = _written_out(text, name)
        if (written, zone) not in self._good:
            if _schedule_problem(written, name, zone) is not None:
                return None
            self._good.add((written, zone))
        return written

    def check_whole(self, job: Job, place: Place, part: Part) -> None:
        """Note if a job can never be due by all that it says together, its parts being fine."""
        if not self._is_whole or not Rules.are_in(job.schedule):
            return
        try:
            compile_schedule(job.schedule, job.timezone)
        except ZoneError:
            pass  # Which is reported by itself.
        except ScheduleError as error:
            self._problems.add(place, f"schedule {error}", part, key="schedule")

    def composed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings of a job with all that says when it is due as the text in `schedule`."""
        rest = {name: value for name, value in settings.items() if name not in RULES}
        said = settings["schedule"]
        expressions = [said] if isinstance(said, str) else said
        rest["schedule"] = ""
        if expressions == [""]:
            return rest  # Of no job, but of the defaults.
        if expressions == [NEVER]:
            return rest | {"schedule": NEVER}  # No rule of the defaults makes it due, or less so.
        name, jitter, dst = settings["name"], settings.get("jitter"), settings.get("dst")
        rules = Rules(
            tuple(_written_out(text, name) for text in expressions),
            self._inlined(_listed(settings.get("exclude"))),
            settings.get("start") or "",
            settings.get("end") or "",
            dst and Dst(dst),
            format_duration(jitter) if jitter else "",
            name if jitter else "",
        )
        rest["schedule"] = rules.text()
        return rest

    def _inlined(self, exclude: Iterable[str]) -> tuple[str, ...]:
        """Return exclusions with what calendars have in place of their names."""
        texts = (text for each in exclude for text in self._calendars.get(each, (each,)))
        return tuple(dict.fromkeys(texts))

    def _exclusion_faults(self, said: Plain, node: Node) -> list[tuple[Place, str, str]]:
        faults = []
        for text, place in _placed(said, node, "exclude"):
            if not isinstance(text, str) or text in self._calendars:
                continue
            problem = _exclusion_problem(text)
            if problem is None or (_NAME.fullmatch(text) and not self._has_all_names):
                continue
            if _NAME.fullmatch(text):
                names = ", ".join(self._calendars) or "none"
                problem = f"is no calendar, and no date; 'calendars' names {names}"
            faults.append((place, "exclude", _joined(f"exclude {text!r}", problem)))
        return faults


def _placed(said: Plain, node: Node, key: str) -> list[tuple[Plain, Place]]:
    """Return what a key says, one or several, each with its place."""
    if isinstance(said, list):
        return [(text, find_place(node, (key, n))) for n, text in enumerate(said)]
    return [] if said is None else [(said, find_place(node, (key,)))]


def _listed(said: str | list[str] | None) -> list[str]:
    return [said] if isinstance(said, str) else said or []


def _bound_faults(values: Mapping[str, Plain], node: Node) -> list[tuple[Place, str, str]]:
    start, end = (
        value if isinstance(value := values.get(key), str) else "" for key in ("start", "end")
    )
    try:
        bounds(start, end)
    except ScheduleError as error:
        key = str(error).partition(" ")[0]
        return [(find_place(node, (key,)), key, str(error))]
    return []


def _exclusion_problem(text: Plain) -> str | None:
    if not isinstance(text, str):
        return "must be text; quote it"
    try:
        Exclusions.parse([text])
    except ScheduleError as error:
        return str(error)
    return None


def _joined(what: str, problem: str) -> str:
    """Return a sentence of what is wrong with something, which may begin with a part of it."""
    is_of_it = problem.startswith(("is ", "has ", "does ", "must ", "runs "))
    return f"{what} {problem}" if is_of_it else f"{what}: {problem}"


def _schedule_problem(text: str, name: str, zone: str) -> str | None:
    try:
        if Rules.are_in(text):
            return "is not a schedule; write several as a list, and rules under keys of their own"
        compile_schedule(spread(text, name), zone)
    except ScheduleError as error:
        is_quote = text.startswith(tuple(_TYPOGRAPHIC))
        return f"{text[0]} is not a quote to YAML; write \" or '" if is_quote else str(error)
    return None


def _written_out(text: str, name: str) -> str:
    """Return an expression as every process reads it, whatever picks the numbers for ``H`` here."""
    try:
        return spread(text.strip(), name)
    except ScheduleError:
        return text  # Which is reported by itself.
