"""A crontab as a value: clusters and jobs, without any time."""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cronstream.core.crontab.clusters import Cluster
from cronstream.core.wire.runs import Job
from cronstream.errors import Place


@dataclass(frozen=True, slots=True)
class Read:
    """How a text was read job by job, so that only what changes of it is read again.

    Attributes:
        head: All of the text but its jobs.
        lease_s: The lease that it was held against.
        marks: What the lines of each job are known by, in their order.
    """

    head: str
    lease_s: float
    marks: "array[int]"


@dataclass(frozen=True, slots=True)
class Crontab:
    """All clusters and jobs of an installation, in the order of the file; all of it is valid.

    Attributes:
        default: What a job is like that says nothing of itself, without name, schedule and
            command; None if ``defaults`` name no cluster and there is not just one.
        places: Where in the text each job's name stands.
        digest: Tells texts apart: the beginning of the file's SHA-256; empty if it is of no file.
        allow_removals: The mark of the great removal that it means; empty if it means none.
        read: How it was read, where it was read job by job.
        include: The files that it includes, as it names them.
        parts: What each file says of those; its jobs are among `jobs`.
        is_partial: Whether a file could not be used of whose jobs nothing is known: so nobody
            knows of jobs that are in force whether they are still wanted.
    """

    clusters: tuple[Cluster, ...]
    jobs: tuple[Job, ...]
    default: Job | None = None
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    digest: str = field(default="", compare=False)
    allow_removals: str = field(default="", compare=False)
    read: Read | None = field(default=None, compare=False, repr=False)
    include: tuple[str, ...] = ()
    parts: Mapping[str, "Crontab"] = field(default_factory=dict, compare=False, repr=False)
    is_partial: bool = False

    def lines(self) -> Iterator[tuple[str, int]]:
        """Yield each job of this very text with the line on which its name stands."""
        places = self.places
        if isinstance(places, Places):
            yield from places.lines()  # Without the dictionary that a look-up makes, and keeps.
        else:
            yield from ((name, place.line) for name, place in places.items())

    def share(self, in_force: Collection[Job], but: Collection[str]) -> None:
        """Have the jobs that are in force in place of those that say the same: none is kept twice.

        Args:
            in_force: Those jobs; since when they hold, and who has put them there, comes along.
            but: The names of those that say something else.
        """
        there = {id(job) for job in in_force}
        apart = {job.name for job in self.jobs if id(job) not in there}.difference(but)
        if not apart:
            return  # Nor has any of its parts another.
        known = {job.name: job for job in in_force if job.name in apart}
        jobs = tuple(known.get(job.name, job) for job in self.jobs)
        object.__setattr__(self, "jobs", jobs)
        if isinstance(self.places, Places):
            object.__setattr__(self, "places", Places(jobs, self.places.spots))
        for part in self.parts.values():
            part.share(in_force, but)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of a text that was read job by job before: it is the same, to the letter.

    Attributes:
        jobs: What it says of its jobs, by their names.
    """

    jobs: Mapping[str, Job]


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to a crontab, and is not in the text that is read of it: jobs that are good.

    Attributes:
        jobs: Those jobs.
        numbers: Which of the list the other jobs are, counted from 1; none if all are in the text.
    """

    jobs: Sequence[Job] = ()
    numbers: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Spots:
    """Where the name of each job stands, in order.

    Attributes:
        first: The line on which the job begins, counted from 1.
        below: How many lines further down its name stands.
        column: In which column, counted from 1.
    """

    first: "array[int]"
    below: "array[int]"
    column: "array[int]"

    @classmethod
    def of(cls, jobs: int) -> "Spots":
        """Return room for some jobs."""
        return cls(*(array("i", [0]) * jobs for _ in range(3)))


class Places(Mapping[str, Place]):
    """Where each job's name stands: in a fraction of a dictionary's memory, until it is asked.

    Args:
        jobs: The jobs, in order.
        spots: Where each stands.
    """

    def __init__(self, jobs: Sequence[Job], spots: Spots) -> None:
        self._jobs = jobs
        self.spots = spots
        self._numbers: dict[str, int] = {}

    def __getitem__(self, name: str) -> Place:
        if not self._numbers:
            self._numbers = {job.name: number for number, job in enumerate(self._jobs)}
        number, spots = self._numbers[name], self.spots
        return Place(spots.first[number] + spots.below[number], spots.column[number])

    def lines(self) -> Iterator[tuple[str, int]]:
        """Yield each job with the line on which its name stands."""
        rows = zip(self._jobs, self.spots.first, self.spots.below, strict=True)
        return ((job.name, first + below) for job, first, below in rows)

    def __iter__(self) -> Iterator[str]:
        return (job.name for job in self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)
