"""How far a scheduler shard has published, as a value and as a row of its table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from cronstream.core.planning.pace import Course
from cronstream.core.wire.times import format_time
from cronstream.core.wire.values import short
from cronstream.errors import MessageError

#: A cursor, or a definition, is so far ahead only by a clock that was wrong: the look-ahead is a
#: minute at most, and clocks that fire differ by no more.
FAR_AHEAD: Final = timedelta(minutes=5)
#: From when a revision holds is noted so long: its pause is told by the hour (`pauses.HOUR`).
KEEP_HOLDS: Final = timedelta(hours=2)


class Noted(NamedTuple):
    """What a catch-up is going to publish, written down before it begins.

    Attributes:
        until: The last due time it goes to (UTC).
        now: The time by which it judges what has been missed (UTC).
    """

    until: datetime
    now: datetime


class Place(NamedTuple):
    """One partition of a cluster's log."""

    cluster: str
    partition: int

    def __str__(self) -> str:
        """``cluster/partition``, as a row has it; neither has a slash in its name."""
        return f"{self.cluster}/{self.partition}"


class Lag(NamedTuple):
    """How far one partition of a log is that takes nothing for now: less far than its shard.

    Attributes:
        at: Everything due there up to and including this has been published (UTC).
        taken: Revisions below this have been announced there.
        noted: What is going to be published there when it takes something again; likewise.
        course: How far a catch-up has come there; None without one.
    """

    at: datetime
    taken: int
    noted: Noted | None = None
    course: Course | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a shard stands: due times and revisions up to here have been published.

    But for what is `behind`: that was set aside, so that all else goes on.

    Attributes:
        shard: Number of the shard.
        at: Everything due up to and including this has been published (UTC).
        taken: Revisions below this are in force; 0 before the first plan of an installation.
        noted: A catch-up that may be partly published: a repeat picks the same runs.
        moved: For jobs that have changed cluster lately, the cursor at that time: due times up to
            it are on the former cluster's log (rule 15).
        behind: The partitions that have not taken all that the shard has published.
        holds: From when revisions hold, where that is not what they say, by number: as far as those
            partitions have not heard, and those of the last hours, by which pauses are told.
        course: How far a catch-up has come; None without one.
    """

    shard: int
    at: datetime
    taken: int = 0
    noted: Noted | None = None
    moved: Mapping[str, datetime] = field(default_factory=dict)
    behind: Mapping[Place, Lag] = field(default_factory=dict)
    holds: Mapping[int, datetime] = field(default_factory=dict)
    course: Course | None = None

    @property
    def lag(self) -> Lag:
        """How far a partition is that has taken all that the shard has published."""
        return Lag(self.at, self.taken, self.noted, self.course)

    @property
    def behind_since(self) -> datetime | None:
        """Up to when all had been published when a catch-up began that is not through."""
        return None if self.course is None else self.course.since

    def to_row(self) -> dict[str, Any]:
        """Return it as JSON values; what hardly any cursor has is left out of the others."""
        row = {
            "shard": self.shard,
            **_to_row(self),
            "moved": {job: format_time(at) for job, at in self.moved.items()},
        }
        if self.behind:
            row["behind"] = {str(place): _to_row(lag) for place, lag in self.behind.items()}
        if self.holds:
            row["holds"] = {str(number): format_time(at) for number, at in self.holds.items()}
        return row

    def says_more(self, kept: "Cursor", after: timedelta) -> bool:
        """Return whether its row is worth writing, after which nothing has been published.

        Nothing is due between the cursor that was kept and this one, so whoever begins from there
        finds the same; only it must not look like an outage.

        Args:
            kept: Whose row was written last.
            after: How far behind that may be.
        """
        mine, others = ((one.taken, one.noted, one.moved, one.behind_since) for one in (self, kept))
        return mine != others or self.at - kept.at >= after

    def without_old_holds(self) -> "Cursor":
        """Return it without what only partitions that are behind need to know."""
        bound = self.at - KEEP_HOLDS
        return replace(self, holds={n: at for n, at in self.holds.items() if at >= bound})

    def is_ahead(self, now: datetime) -> bool:
        """Whether it is further than any scheduler publishes ahead: by a clock that was ahead."""
        return self.at - now > FAR_AHEAD

    def set_back(self, to: datetime) -> "Cursor":
        """Return where its shard goes on if nothing beyond a time counts as published.

        What has been is dropped by the ledgers, which know it, until a person has them repaired.
        """
        return replace(
            self,
            at=min(self.at, to),
            noted=None,
            course=None,
            moved={job: min(at, to) for job, at in self.moved.items()},
            behind={p: Lag(min(lag.at, to), lag.taken) for p, lag in self.behind.items()},
            holds={number: min(at, to) for number, at in self.holds.items()},
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Cursor":
        """Return the cursor that a row describes.

        Raises:
            MessageError: If it is damaged; the sentence says how.
        """
        try:
            return cls(
                int(row["shard"]),
                **_lag(row)._asdict(),
                moved={str(job): _time(at) for job, at in row.get("moved", {}).items()},
                behind={_place(name): _lag(lag) for name, lag in row.get("behind", {}).items()},
                holds={int(number): _time(at) for number, at in row.get("holds", {}).items()},
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise MessageError(f"a damaged cursor row {short(row)}: {error!r}") from error


def _to_row(lag: Lag | Cursor) -> dict[str, Any]:
    noted, course = lag.noted, lag.course
    row = {
        "at": format_time(lag.at),
        "taken": lag.taken,
        "plan": noted and {"until": format_time(noted.until), "now": format_time(noted.now)},
    }
    if course is not None:
        row["course"] = {
            "since": course.since and format_time(course.since),
            "free_at": format_time(course.free_at),
            "jobs": {job: format_time(at) for job, at in course.jobs},
        }
    return row


def _lag(row: Mapping[str, Any]) -> Lag:
    noted = row.get("plan")
    return Lag(
        at=_time(row["at"]),
        taken=int(row["taken"]),
        noted=noted and Noted(_time(noted["until"]), _time(noted["now"])),
        course=_course(row.get("course")),
    )


def _course(row: Mapping[str, Any] | None) -> Course | None:
    if row is None:
        return None
    jobs = tuple((str(job), _time(at)) for job, at in row["jobs"].items())
    return Course(row["since"] and _time(row["since"]), _time(row["free_at"]), jobs)


def _place(name: str) -> Place:
    cluster, _, partition = name.rpartition("/")
    return Place(cluster, int(partition))


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)
