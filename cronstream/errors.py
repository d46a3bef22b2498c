"""Every error that cronstream raises on purpose.

CronstreamError
├── CrontabError      the crontab cannot be used; ``problems`` has every reason
├── ScheduleError     one cron expression or time zone is not valid
│   └── ZoneError         the time zones of this machine have no such one; another's may
├── MessageError      a message on a topic cannot be used; it goes to quarantine
├── LevelError        a log has been raised to a level that this process does not know
├── TopologyError     a topic is not as this installation needs it, or cannot be had
├── BrokerError       Kafka cannot be started, reached, or did not take a message in time
│   ├── SetupError        Kafka answers, but not all of it is there that is needed
│   │   └── AccessError       Kafka does not take this client as it comes, and has said why
│   ├── TruncatedError    a topic has lost messages that it had, or was recreated
│   └── TooLargeError     a record is larger than a message may be
├── LegacyError       the topic of the old layout cannot be moved from as it was asked
├── StoreError        the console's file cannot be read or written
├── HouseError        nobody may work in this installation, or it cannot be moved as it was asked
├── KeysError         a file of keys cannot be used
├── PlatformError     this operating system cannot do what was asked
├── NotFoundError     there is no run, job or cluster of the name that a person gave
├── AskedError        what a person asks for cannot be had in this way
└── LaunchError       a command could not be started at all
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple


class Place(NamedTuple):
    """Where something begins in a text; line and column are counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a crontab that a problem is in.

    Attributes:
        kind: One job or cluster, or what holds for all jobs.
        name: As the file has it; a job without a name has its number there, from 1.
    """

    kind: Literal["job", "cluster", "defaults"]
    name: str | int | None = None

    def __str__(self) -> str:
        match self.name:
            case None:
                return self.kind
            case int():
                return f"{self.kind} number {self.name}"
            case _:
                return f"{self.kind} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a crontab.

    Attributes:
        what: What is wrong, and what to do about it, without saying where.
        place: Where; None if it is the file itself.
        part: The part of the crontab that it is in, if it is in one.
        key: The key that it is about, as it stands there; one below another behind a dot.
        file: The file that it is in, where the crontab includes that; else None.
    """

    what: str
    place: Place | None = None
    part: Part | None = None
    key: str | None = None
    file: str | None = None

    @property
    def sentence(self) -> str:
        """What is said of it where line and column stand beside it."""
        return self.what if self.part is None else f"{self.part}: {self.what}"

    def __str__(self) -> str:
        where = "" if self.file is None else f"{self.file}: "
        if self.place is None:
            return f"{where}{self.sentence}"
        return f"{where}line {self.place.line}, column {self.place.column}: {self.sentence}"


class CronstreamError(Exception):
    """What all errors of this package have in common."""


class CrontabError(CronstreamError):
    """The crontab cannot be used.

    The scheduler keeps the crontab it has; a first start waits for a good file.

    Attributes:
        source: The file, or ``<string>``.
        problems: Every fault, in the order of the file; never empty.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"{source}: " + "; ".join(map(str, problems)))
        self.source = source
        self.problems = tuple(problems)


class ScheduleError(CronstreamError):
    """One cron expression or time zone is not valid; the sentence says which part, and why."""


class ZoneError(ScheduleError):
    """No zone has such a name here; where the time zones are newer, one may."""


class MessageError(CronstreamError):
    """A message on a topic cannot be used.

    Whoever reads it puts the raw message on the quarantine topic and goes on.
    """


class LevelError(CronstreamError):
    """A log has been raised to a level that this process does not know: it is too old.

    It folds no further and ends, and does not join its group again.

    Attributes:
        level: What the log was raised to.
    """

    def __init__(self, level: int, known: int, version: str) -> None:
        by = f" by cronstream {version}" if version else ""
        super().__init__(
            f"this installation was raised to level {level}{by}, and this process knows only "
            f"level {known}: upgrade it"
        )
        self.level = level


class TopologyError(CronstreamError):
    """A topic is there with fewer partitions or another timestamp type, or cannot be had or seen.

    The process stops with status 1: waiting does not mend it, and going on would break the order
    that a ledger lives by. The sentence says what does.
    """


class BrokerError(CronstreamError):
    """Kafka cannot be started or reached, or did not take a message in time."""


class UnreachableError(BrokerError):
    """Nothing answers where Kafka is said to be.

    Attributes:
        what: The sentence without its remedy, for who waits until something answers.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what


class SetupError(BrokerError):
    """Kafka answers, but brokers are missing, or cannot be reached at the address they name.

    It may be starting just now, so it is waited for; but not for long.
    """


class AccessError(SetupError):
    """Kafka does not take this client as it comes, and has said why: its login, or a certificate.

    Somebody may be changing it just now, so a process waits as for the others.
    """


class TruncatedError(BrokerError):
    """A topic ends before an offset that it had reached; the sentence says where.

    Whoever has folded it ends, and starts over: what it knows may follow from what is no more.
    """


class TooLargeError(BrokerError):
    """A record is larger than a message may be, however much is left out of it."""


class LaunchError(CronstreamError):
    """A command could not be started at all; the attempt has failed."""


class SettingsError(CronstreamError):
    """A ``CRONSTREAM_*`` variable has a value that cannot be used; the sentence names it."""


class KeysError(CronstreamError):
    """A file of keys cannot be used; the sentence names the line and the remedy."""


class PlatformError(CronstreamError):
    """This operating system cannot do what was asked; the sentence says what can be done."""


class NotFoundError(CronstreamError):
    """There is no run, job or cluster of that name; the sentence says where to look next."""


class AskedError(CronstreamError):
    """What a person asks for cannot be had in this way; the sentence says in which, or why not."""


class LegacyError(CronstreamError):
    """The topic of the old layout cannot be moved from as it was asked; the sentence says why.

    The process stops with status 1, before it has moved anything.
    """


class StoreError(CronstreamError):
    """The file of a console cannot be read or written; it may be thrown away.

    Attributes:
        is_spoiled: Whether what is in it is damaged, so that no waiting helps.
    """

    def __init__(self, path: Path, why: str, *, is_spoiled: bool = False) -> None:
        super().__init__(f"{path} cannot be used ({why})")
        self.is_spoiled = is_spoiled


class HouseError(CronstreamError):
    """Nobody may work in this installation, or it cannot be moved as it was asked.

    A process ends with status 1 before it joins; the sentence says what is to be done.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question whether the nearest of the known words was meant; empty if none is."""
    found = get_close_matches(word, map(str, known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""
