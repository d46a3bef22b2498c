"""What is known of the ``jobs`` topic: all that is in force, and what whoever takes over needs.

The topic is never compacted. So it is not read from its start, but for once: what is known of a
partition is kept as a row (`Recent.to_row`), and whoever begins goes on from there.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import Any, Final, NamedTuple, Self, TypeAlias

from cronstream.core.planning.controls import Controls
from cronstream.core.planning.cursor import FAR_AHEAD, Cursor, Lag
from cronstream.core.planning.sharing import Also, not_here, same
from cronstream.core.wire.codec import from_json, to_json
from cronstream.core.wire.control import Control
from cronstream.core.wire.installation import House
from cronstream.core.wire.job_messages import (
    Definition,
    decode_controls,
    decode_house,
    decode_installations,
    decode_jobs,
)
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time
from cronstream.errors import MessageError

#: A definition that another had replaced so long before the last edit of its job is dropped; so is
#: a removal so long before the last edit of any.
KEEP: Final = timedelta(hours=1)
#: A cursor has to be beyond the replacement of all that was dropped by so much.
BEYOND: Final = timedelta(minutes=30)
#: How a row is to be read; one of another form is not.
FORM: Final = 1
#: The same, where the jobs come in parts behind it, of so many each.
FORM_IN_PARTS: Final = 2
PART: Final = 1000


Decode: TypeAlias = Callable[[bytes | None], tuple[list[Job], list[str]]]
#: Whether a job on the topic counts, or a control; see `cronstream.core.trust.judging`.
Believes: TypeAlias = Callable[[Job | Control], bool]


def believe_all(_: Job | Control) -> bool:
    """Have all count."""
    return True


def mark_of(raw: bytes | None) -> str:
    """Return what a message is known by again: who reads on sees whether it is still there."""
    return sha256(raw or b"").hexdigest()[:32]


class Seen(NamedTuple):
    """How far a partition was read.

    Attributes:
        position: The offset of what comes next.
        mark: What the message before that is known by; empty if that is not known.
    """

    position: int
    mark: str = ""

    @classmethod
    def after(cls, offset: int, raw: bytes | None) -> Self:
        """Return how far it was read once a message has been taken."""
        return cls(offset + 1, mark_of(raw))


class Recent:
    """What one partition says: the last definition of each job, and those that still matter.

    A definition that was replaced matters if that was within an hour of the last edit.

    Attributes:
        position: Offset up to which the partition has been read.
        installation: The id of the installation, if this partition has said so.
        kafka: That of the Kafka that it was begun on, likewise.
        house: The last word on whether processes may work in it, likewise.
        controls: What people have last asked of its jobs, and of clusters.
        dropped_by: The last revision that has replaced one that was dropped; -1 without one.
        dropped_at: The latest time from which such a revision holds.
    """

    def __init__(self, believes: Believes = believe_all) -> None:
        self._believes = believes
        #: Returns the jobs in a message, and why others were refused; see `Decoded`.
        self.decode: Decode = decode_jobs
        self.position = 0
        self.installation: str | None = None
        self.kafka: str | None = None
        self.house: House | None = None
        self.controls = Controls()
        #: The last message, or what it is known by.
        self._last: bytes | str | None = ""
        self._of: dict[str, Definition] = {}
        #: What was there before of those jobs, as far as it matters, oldest first.
        self._former: dict[str, list[Definition]] = {}
        #: Those that were taken out, in the order of time.
        self._removed: deque[Definition] = deque()
        self.dropped_by = -1
        self.dropped_at = datetime.min.replace(tzinfo=UTC)
        #: The latest time from which any definition has held.
        self._latest = self.dropped_at

    @property
    def seen(self) -> Seen:
        """How far it was read."""
        last = self._last
        return Seen(self.position, last if isinstance(last, str) else mark_of(last))

    @property
    def jobs(self) -> int:
        """How many jobs it knows."""
        return len(self._of)

    def fold(self, offset: int, raw: bytes | None, also: Also = not_here) -> None:
        """Take the next message of the partition; one that was taken is passed over.

        What cannot be read counts as nothing (the scheduler puts it aside).

        Args:
            offset: Where it stands.
            raw: The message.
            also: Returns what another reader in this process has read of a job last.

        Raises:
            LevelError: If the installation was raised to a level that is not known here.
        """
        if offset < self.position:
            return
        jobs, _ = self.decode(raw)
        for told in decode_installations(raw):
            self.installation = self.installation or told.id
            self.kafka = self.kafka or told.kafka
        self.house = decode_house(raw) or self.house
        self.position, self._last = offset + 1, raw
        for job in jobs:
            if self._believes(job):
                self._learn(same(Definition(job, offset), also(job.name)))
        for control in filter(self._believes, decode_controls(raw)):
            self._hear(control)

    def last(self, name: str) -> Definition | None:
        """Return what was read last of a job, which may be its removal."""
        return self._of.get(name)

    def _hear(self, control: Control) -> None:
        about = self.last(control.job or "")
        self.controls.hear(control, about and about.job)

    def _learn(self, definition: Definition) -> None:
        job = definition.job
        if job.effective_from is None:
            raise MessageError(f"job {job.name!r} does not say from when it holds")
        before = self._of.get(job.name)
        self._of[job.name] = definition
        self._latest = max(self._latest, job.effective_from)
        bound = job.effective_from - KEEP
        if before is not None:
            self._drop_former(before, definition, bound)
        self.controls.learn(job)
        if job.removed:
            self._removed.append(definition)
        while self._removed and (self._removed[0].job.effective_from or bound) < bound:
            self._forget(self._removed.popleft())

    def _drop_former(self, before: Definition, last: Definition, bound: datetime) -> None:
        """Keep what a definition has replaced, but for what was replaced before `bound`."""
        name = last.job.name
        kept = [*self._former.pop(name, ()), before, last]
        while len(kept) > 1 and (kept[1].job.effective_from or bound) < bound:
            del kept[0]
            self._note_dropped(kept[0])
        if len(kept) > 1:
            self._former[name] = kept[:-1]

    def _forget(self, removal: Definition) -> None:
        """Forget a job that was taken out, if it has not come back."""
        name = removal.job.name
        last = self._of.get(name)
        if last is not None and last.revision == removal.revision:
            del self._of[name]
            self._former.pop(name, None)
            self._note_dropped(removal)

    def _note_dropped(self, by: Definition) -> None:
        self.dropped_by = max(self.dropped_by, by.revision)
        self.dropped_at = max(self.dropped_at, by.job.effective_from or self.dropped_at)

    def serves(self, cursor: Cursor) -> bool:
        """Whether nothing was dropped that a shard with this cursor needs.

        Who has taken nothing yet, or begins again with a log, needs no more than there is.
        """
        places = [Lag(cursor.at, cursor.taken), *cursor.behind.values()]
        return all(
            (lag.taken == 0 or lag.taken > self.dropped_by) and lag.at > self.dropped_at + BEYOND
            for lag in places
        )

    def definitions(self) -> list[Definition]:
        """Return them in the order of revisions."""
        found = chain(self._of.values(), *self._former.values())
        return sorted(found, key=lambda definition: definition.revision)

    def in_force(self) -> list[Job]:
        """Return the jobs that have not been removed."""
        return [job for job, _ in self._of.values() if not job.removed]

    def ahead(self, now: datetime) -> list[Job]:
        """Return definitions in force, and removals, that hold only from far ahead."""
        if self._latest - now <= FAR_AHEAD:
            return []
        last = (job for job, _ in self._of.values())
        return [job for job in last if job.effective_from and job.effective_from - now > FAR_AHEAD]

    def to_row(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        jobs = [[revision, to_json(job)] for job, revision in self.definitions()]
        return {**self._head(), "form": FORM, "jobs": jobs}

    def to_rows(self) -> Iterator[Any]:
        """Yield all of it as JSON values; very many jobs in parts, so that one is there at a time.

        It is `to_row` where there are few.
        """
        definitions = self.definitions()
        if len(definitions) <= PART:
            yield self.to_row()
            return
        yield {**self._head(), "form": FORM_IN_PARTS, "jobs": []}
        for first in range(0, len(definitions), PART):
            part = definitions[first : first + PART]
            yield [[revision, to_json(job)] for job, revision in part]

    def _head(self) -> dict[str, Any]:
        return {
            "level": LEVEL,
            "position": self.position,
            "mark": self.seen.mark,
            "installation": self.installation,
            "kafka": self.kafka,
            "house": self.house and to_json(self.house),
            "dropped_by": self.dropped_by,
            "dropped_at": format_time(self.dropped_at),
            "controls": [to_json(control) for control in self.controls.all()],
        }

    @classmethod
    def from_row(
        cls, row: Mapping[str, Any], believes: Believes = believe_all, parts: Iterable[Any] = ()
    ) -> Self:
        """Return what a row says, as far as that is believed now.

        Args:
            row: As `to_row` returns it, or the first that `to_rows` yields.
            believes: Whether a job counts.
            parts: What else that has yielded.

        Raises:
            MessageError: If it is damaged, or of a version that is newer; the sentence says how.
        """
        recent = cls(believes)
        try:
            if row["form"] not in {FORM, FORM_IN_PARTS} or row["level"] > LEVEL:
                raise MessageError(f"form {row['form']}, level {row['level']}, is not known here")
            for part in chain([row["jobs"]], parts):
                recent._learn_again(part)
            for item in row.get("controls", ()):
                control = from_json(item, {"Control": Control})
                if believes(control):
                    recent._hear(control)
            recent.position, recent._last = int(row["position"]), str(row["mark"])
            recent.installation, recent.kafka = row["installation"], row["kafka"]
            recent.house = row["house"] and from_json(row["house"], {"House": House})
            recent.dropped_by = int(row["dropped_by"])
            recent.dropped_at = datetime.fromisoformat(row["dropped_at"])
            recent._see_that_it_is_sound()
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise MessageError(f"it is damaged: {error!r}") from error
        return recent

    def _learn_again(self, part: Iterable[Any]) -> None:
        for revision, item in part:
            job = from_json(item, {"Job": Job})
            if self._believes(job):
                self._learn(Definition(job, int(revision)))

    def _see_that_it_is_sound(self) -> None:
        if self.position < 0 or self.dropped_at.tzinfo is None:
            raise ValueError("no position, or no time")
        if not all(isinstance(text or "", str) for text in (self.installation, self.kafka)):
            raise TypeError("no name where one belongs")
