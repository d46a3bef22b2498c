"""How far a scheduler shard has published, as a value and as a row of its table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cronstream.core.records import format_time
from cronstream.errors import MessageError


class Noted(NamedTuple):
    """What a catch-up is going to publish, written down before it begins.

    Attributes:
        until: The last due time it goes to (UTC).
        now: The time by which it judges what has been missed (UTC).
    """

    until: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a shard stands: due times and revisions up to here have been published.

    Attributes:
        shard: Number of the shard.
        at: Everything due up to and including this has been published (UTC).
        taken: Revisions below this are in force; 0 before the first plan of an installation.
        noted: A catch-up that may be partly published: a repeat picks the same runs.
        moved: For jobs that have changed cluster lately, the cursor at that time: due times up to
            it are on the former cluster's log (rule 15).
    """

    shard: int
    at: datetime
    taken: int = 0
    noted: Noted | None = None
    moved: Mapping[str, datetime] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return it as JSON values."""
        noted = self.noted
        return {
            "shard": self.shard,
            "at": format_time(self.at),
            "taken": self.taken,
            "plan": noted and {"until": format_time(noted.until), "now": format_time(noted.now)},
            "moved": {job: format_time(at) for job, at in self.moved.items()},
        }

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

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Cursor":
        """Return the cursor that a row describes.

        Raises:
            MessageError: If it is damaged; the sentence says how.
        """
        try:
            noted = row.get("plan")
            return cls(
                shard=int(row["shard"]),
                at=_time(row["at"]),
                taken=int(row["taken"]),
                noted=noted and Noted(_time(noted["until"]), _time(noted["now"])),
                moved={str(job): _time(at) for job, at in row.get("moved", {}).items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MessageError(f"a damaged cursor row {row!r}: {error!r}") from error


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)
