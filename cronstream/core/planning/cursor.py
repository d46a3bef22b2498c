"""How far a scheduler shard has published, as a value and as a row of its table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from cronstream.core.wire.times import format_time
from cronstream.errors import MessageError

#: A cursor, or a definition, is so far ahead only by a clock that was wrong: the look-ahead is a
#: minute at most, and clocks that fire differ by no more.
FAR_AHEAD: Final = timedelta(minutes=5)


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
        taken: Revisions below this have been told there.
        noted: What is going to be published there when it takes something again; likewise.
    """

    at: datetime
    taken: int
    noted: Noted | None = None


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
            partitions have not been told.
    """

    shard: int
    at: datetime
    taken: int = 0
    noted: Noted | None = None
    moved: Mapping[str, datetime] = field(default_factory=dict)
    behind: Mapping[Place, Lag] = field(default_factory=dict)
    holds: Mapping[int, datetime] = field(default_factory=dict)

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
        others = self.taken, self.noted, self.moved
        return others != (kept.taken, kept.noted, kept.moved) or self.at - kept.at >= after

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
                *_lag(row),
                moved={str(job): _time(at) for job, at in row.get("moved", {}).items()},
                behind={_place(name): _lag(lag) for name, lag in row.get("behind", {}).items()},
                holds={int(number): _time(at) for number, at in row.get("holds", {}).items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MessageError(f"a damaged cursor row {row!r}: {error!r}") from error


def _to_row(lag: Lag | Cursor) -> dict[str, Any]:
    noted = lag.noted
    return {
        "at": format_time(lag.at),
        "taken": lag.taken,
        "plan": noted and {"until": format_time(noted.until), "now": format_time(noted.now)},
    }


def _lag(row: Mapping[str, Any]) -> Lag:
    noted = row.get("plan")
    return Lag(
        at=_time(row["at"]),
        taken=int(row["taken"]),
        noted=noted and Noted(_time(noted["until"]), _time(noted["now"])),
    )


def _place(name: str) -> Place:
    cluster, _, partition = name.rpartition("/")
    return Place(cluster, int(partition))


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)
