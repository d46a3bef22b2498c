"""What is found in a file of another cron program: jobs in our words, and what is lost of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cronstream.core.schedule.duration import format_duration
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.schedule.spread import spread
from cronstream.errors import CronstreamError, ScheduleError

#: What a crontab says of a job, under its keys, but for its name.
Settings: TypeAlias = dict[str, Any]


class ForeignError(CronstreamError):
    """A file cannot be read as what it is said to be; nothing comes of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is imported.

    Attributes:
        name: What it is called in what is said of it.
        text: All of it.
        beside: Other files by their paths, which it may speak of: services of timers.
    """

    name: str
    text: str
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """What could not be carried over as it was, at its line.

    Attributes:
        what: What it is, and what to do.
        loses_job: Whether the job as a whole was left out for it.
        jobs: How many, if it were several.
    """

    file: str
    line: int
    what: str
    loses_job: bool = False
    jobs: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job of another program, in our words.

    Attributes:
        line: Where it stands, from 1.
        title: What it is called there, or what its name is to be made of.
        longer: What its name is made of if others have the same title; empty for nothing.
        settings: All that a crontab says of it but its name, checked by nobody yet.
    """

    file: str
    line: int
    title: str
    longer: str
    settings: Settings
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a file: its jobs, and what is to be said of it as a whole."""

    jobs: tuple[FoundJob, ...] = ()
    notes: tuple[Note, ...] = ()

    def __add__(self, other: "Found") -> "Found":
        return Found(self.jobs + other.jobs, self.notes + other.notes)


class Lost(Exception):  # noqa: N818 - a way out of a reader, and no error
    """A job cannot be carried over at all.

    Attributes:
        line: The line that says why; None for that of the job.
        file: The file that the line is in; empty for that of the job.
    """

    def __init__(self, what: str, line: int | None = None, file: str = "") -> None:
        super().__init__(what)
        self.line = line
        self.file = file


@dataclass(slots=True)
class Draft:
    """A job while it is read: what is set, and what is noted on the way."""

    file: str
    line: int
    title: str
    longer: str = ""
    settings: Settings = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def note(self, what: str, line: int | None = None, file: str = "") -> None:
        """Note what is not carried over as it was; in another file if one is named."""
        place = self.line if line is None else line
        self.notes.append(Note(file or self.file, place, what))

    def due(self, schedules: Iterable[str], zone: str | None = None) -> None:
        """Set when it is due.

        Raises:
            Lost: If a schedule is none, or can never be due, or there is no such zone.
        """
        texts = list(dict.fromkeys(schedules))
        for text in texts:
            problem = schedule_problem(text, zone or "UTC")
            if problem is not None:
                raise Lost(f"schedule {text!r} {problem}")
        self.settings["schedule"] = texts[0] if len(texts) == 1 else texts
        if zone is not None:
            self.settings["timezone"] = zone

    def finished(self) -> FoundJob:
        """Return the job."""
        notes = tuple(self.notes)
        return FoundJob(self.file, self.line, self.title, self.longer, self.settings, notes)

    def lost(self, why: Lost) -> Found:
        """Return that it is left out, with the reason in place of all other notes."""
        line = self.line if why.line is None else why.line
        what = f"{why}; {self.title!r} is left out"
        return Found((), (Note(why.file or self.file, line, what, loses_job=True),))


def zone_problem(zone: str) -> str | None:
    """Return why a text is no time zone; None if it is one."""
    try:
        find_zone(zone)
    except ScheduleError as error:
        return str(error)
    return None


def schedule_problem(text: str, zone: str) -> str | None:
    """Return why a text is no schedule in a zone; None if it is one."""
    try:
        find_zone(zone)
        compile_schedule(spread(text, ""), zone)
    except ScheduleError as error:
        return str(error)
    return None


def length(seconds: float) -> str:
    """Return seconds as a crontab has them."""
    return format_duration(seconds)
