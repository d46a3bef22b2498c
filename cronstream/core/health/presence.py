"""What every process announces of itself, and how often.

It goes on the workers' topic, `Names.workers`, under the process's name. Nothing here is on a
ledger: it says who is there, with which settings and what clock, and may be lost without harm.
"""

from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from cronstream.core.wire.naming import Role, RoleKind

#: Between two times, if few processes are there.
EVERY_S = 3.0
#: With many, each announces itself less often: together at most so many times a second.
_TOGETHER_A_SECOND = 20

#: Jobs that are overdue and that a process names; the rest it counts.
MOST_OVERDUE: Final = 100

#: Faults of its crontab that a scheduler tells, or how it differs, and how long each may be.
MOST_PROBLEMS: Final = 20
MOST_CHARACTERS: Final = 400

_Sentence = Annotated[str, Field(max_length=MOST_CHARACTERS)]
_Name = Annotated[str, Field(min_length=1, max_length=300)]
_KeyId = Annotated[str, Field(max_length=64)]
#: Whole numbers below 10,000, as ``0-3,7``.
_Numbers = Annotated[
    str, Field(max_length=6000, pattern=r"^(\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*)?$")
]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Shared(_Told):
    """The settings that have one value in the whole installation; see `cronstream.settings`."""

    partitions: Annotated[int, Field(ge=1, le=1024)]
    shards: Annotated[int, Field(ge=1, le=256)]
    look_ahead_s: Annotated[float, Field(ge=5, le=60)]
    lease_s: Annotated[float, Field(gt=1, le=60)]
    fence_s: Annotated[float, Field(gt=1, le=60)]


class Overdue(_Told):
    """A job that is overdue; see `cronstream.core.health.overdue`.

    Attributes:
        since: Of its last success, by the log; or of when its log was first watched for one.
        within_s: So often a success is expected.
        has_succeeded: Whether `since` is of a success that is known.
    """

    job: _Name
    since: AwareDatetime
    within_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    has_succeeded: bool


class Presence(_Told):
    """What one process announces of itself.

    Attributes:
        name: Another one after each start; what is before its last dot is the machine's.
        tzdata: The version of its database of time zones.
        clock_s: How far its clock is ahead of the broker's, in seconds; None if not measured.
        every_s: How often it announces itself, if nothing changes.
        running: Commands that it runs.
        waiting: Attempts that it holds, and that are due and have not started.
        owns: The partitions of its topic that are its own, as ``0-3,7``.
        leaving: Whether it was asked to stop, and takes over nothing any more.
        lends: Those of its partitions on which runs wait for a slot that it has not (rule 26).
        crontab: Of a scheduler, the digest of the last good crontab that it has read; see
            `cronstream.core.crontab.parser.Crontab.digest`.
        crontab_file: Of a scheduler, where it reads its crontab.
        crontab_jobs: How many jobs the last good one has.
        crontab_problems: What is wrong with the file as it is now, `MOST_PROBLEMS` at most.
        crontab_differs: What would change if its file were put in force, `MOST_PROBLEMS` sentences
            at most; None while it has not been compared with what is in force, or it is its turn.
        crontab_held: Why what it has read is not put in force; empty if nothing is in the way.
        trusts: Ids of the keys that it trusts; None if it judges no signatures.
        requires_signatures: Whether it refuses what is not signed.
        overdue: Jobs of its partitions that are overdue, `MOST_OVERDUE` of them at most.
        overdue_jobs: How many there are.
        since: When it was started, by its own clock (UTC).
    """

    name: _Name
    role: RoleKind
    cluster: Annotated[str, Field(max_length=64)] | None = None
    version: Annotated[str, Field(max_length=64)]
    level: Annotated[int, Field(ge=1, le=1_000_000)]
    shared: Shared
    tzdata: Annotated[str, Field(max_length=64)] = ""
    clock_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    every_s: Annotated[float, Field(ge=1, le=3600)] = EVERY_S
    slots: _Count = 0
    running: _Count = 0
    waiting: _Count = 0
    owns: _Numbers = ""
    leaving: bool = False
    lends: _Numbers = ""
    crontab: Annotated[str, Field(max_length=64)] = ""
    crontab_file: Annotated[str, Field(max_length=MOST_CHARACTERS)] = ""
    crontab_jobs: _Count = 0
    crontab_problems: Annotated[list[_Sentence], Field(max_length=MOST_PROBLEMS)] = []
    crontab_differs: Annotated[list[_Sentence], Field(max_length=MOST_PROBLEMS)] | None = None
    crontab_held: _Sentence = ""
    trusts: Annotated[list[_KeyId], Field(max_length=1000)] | None = None
    requires_signatures: bool = False
    overdue: Annotated[list[Overdue], Field(max_length=MOST_OVERDUE)] = []
    overdue_jobs: _Count = 0
    since: AwareDatetime

    @property
    def as_role(self) -> Role:
        """What it is there for."""
        return Role(self.role, self.cluster)

    @property
    def machine(self) -> str:
        """The name of the machine that it runs on."""
        return self.name.rpartition(".")[0] or self.name

    def __str__(self) -> str:
        """The words people read: ``node7.c0326647 (cluster-a retry)``."""
        return f"{self.name} ({self.as_role})"

    def encode(self) -> bytes:
        """Return it as it stands on the topic."""
        return self.model_dump_json(exclude_defaults=True).encode()


def decode(value: bytes) -> Presence | None:
    """Return what a message says; None if it is no such message."""
    try:
        return Presence.model_validate_json(value)
    except ValidationError:
        return None


def often(present: int) -> float:
    """Return how often each of so many processes announces itself, in seconds."""
    return max(EVERY_S, present / _TOGETHER_A_SECOND)


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as people write them: ``0-3,7``."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)


def numbers(text: str) -> frozenset[int]:
    """Return the numbers of which `spans` has made a text."""
    found: set[int] = set()
    for span in text.split(",") if text else ():
        first, _, last = span.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
