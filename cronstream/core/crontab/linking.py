"""From the names of what follows a job to jobs that carry what follows them, whole.

So a run says all that may come of it, whoever publishes that, and whatever the crontab says then.
"""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeGuard

from cronstream.core.crontab.following import Names, mentioned
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import Mapping, Node, Plain, find_place, plain
from cronstream.core.limits import MAX_CHAIN, MAX_FOLLOWING
from cronstream.core.schedule.expression import NEVER
from cronstream.core.wire.codec import encode
from cronstream.core.wire.runs import Job, Then
from cronstream.core.wire.sizes import MAX_JOB_BYTES
from cronstream.errors import Part, Place

#: Of so many names that no job has it is looked for who is meant, which takes a while among many.
_MOST_MEANT: Final = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What a job says of what follows it, and where."""

    names: Names
    place: Place
    part: Part


class _TooLongError(Exception):
    """A chain goes on and on: to follow it further is in vain."""


class FollowingReader:
    """Reads what jobs say of what follows them."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._said: dict[str, Said] = {}
        #: Who follows any job, and need not be due by itself.
        self._followers: set[str] = set()
        #: Who is most likely meant by a name that no job has.
        self._meant: dict[str, list[str]] = {}

    def foresee(self, *nodes: Node) -> None:
        """Learn who follows what some nodes describe, before any is read."""
        self._followers |= _followers_of(nodes)

    def forgive(self, nodes: Iterable[Node], others: Iterable[str]) -> None:
        """Let who is most likely meant by a name that no job has do without a schedule, too.

        That name is told, and is the only mistake.

        Args:
            nodes: What the text says of jobs.
            others: The names of all other jobs.
        """
        names = [plain(node.items["name"]) for node in nodes if _has(node, "name")]
        texts = [*others, *(name for name in names if isinstance(name, str))]
        for other in islice(sorted(self._followers.difference(texts)), _MOST_MEANT):
            self._meant[other] = difflib.get_close_matches(other, texts, n=1)
            self._followers.update(self._meant[other])

    def lacks(self, names: Collection[str]) -> bool:
        """Return whether one follows who is none of these."""
        return not self._followers <= set(names)

    def complete(self, values: Plain, name: object) -> None:
        """Let a job that follows another do without a schedule."""
        if isinstance(values, dict) and isinstance(name, str) and name in self._followers:
            values.setdefault("schedule", NEVER)

    def note(self, then: Names | None, node: Node, part: Part) -> None:
        """Note what follows a job; nothing does by default that follows all others by default."""
        name, is_own = str(part.name), isinstance(node, Mapping) and "then" in node.items
        if then and (is_own or name not in [other for _, other in then]):
            self._said.setdefault(name, Said(then, find_place(node, ("then",)), part))

    @property
    def leaders(self) -> Collection[str]:
        """The names of jobs that have followers, as far as they were noted."""
        return self._said.keys()

    def link(self, jobs: Sequence[Job], known: Collection[str]) -> list[Job]:
        """Return the jobs with what follows each; what is wrong is noted, each mistake once.

        Args:
            jobs: All jobs of the crontab that could be read.
            known: The names of all jobs, also of those that could not be read.
        """
        if not self._said:
            return list(jobs)
        return _Linker(jobs, self._said, known, self._meant, self._problems).link()


class _Linker:
    """Puts what follows a job into it, and finds what cannot follow."""

    def __init__(
        self,
        jobs: Sequence[Job],
        said: dict[str, Said],
        known: Collection[str],
        meant: dict[str, list[str]],
        problems: Problems,
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._said, self._known, self._problems = said, known, problems
        self._meant = meant
        self._linked: dict[str, Job] = {}
        #: How many runs follow, and how many of them one after another.
        self._sizes: dict[str, tuple[int, int]] = {}

    def link(self) -> list[Job]:
        """Return the jobs with what follows each."""
        for said in self._said.values():
            for _, other in said.names:
                self._check(other, said)
        if not self._problems and not self._goes_on_for_ever():
            for name in self._said:
                self._link(name)
        return [self._linked.get(name, job) for name, job in self._jobs.items()]

    def _check(self, other: str, said: Said) -> None:
        if other not in self._known:
            near = self._meant.get(other)
            remedy = f"did you mean {near[0]!r}?" if near else "add it, or take it out"
            self._fail(said, f"then names {other!r}, which is no job of this file; {remedy}")

    def _goes_on_for_ever(self) -> bool:
        """Return whether a chain is a circle, or so long that it may as well be; and note it."""
        done: set[str] = set()
        for name in self._said:
            try:
                circle = self._circle(name, [], done)
            except _TooLongError:
                self._fail(
                    self._said[name],
                    f"then makes more than {MAX_FOLLOWING} runs follow, one after another; at most "
                    f"{MAX_CHAIN} may: use fewer jobs",
                )
                return True
            if circle:
                way = " → ".join(circle)
                self._fail(
                    self._said[circle[0]], f"then goes round in a circle, {way}; take one out"
                )
                return True
        return False

    def _circle(self, name: str, way: list[str], done: set[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if len(way) > MAX_FOLLOWING:
            raise _TooLongError(way[0])
        if name in done or name not in self._said:
            return []
        for _, other in self._said[name].names:
            if found := self._circle(other, [*way, name], done):
                return found
        done.add(name)
        return []

    def _link(self, name: str) -> Job:
        if name in self._linked:
            return self._linked[name]
        job, said = self._jobs[name], self._said.get(name)
        then = [Then(on=on, job=_bare(self._link(other))) for on, other in self._names(name)]
        sizes = [self._sizes[other] for _, other in self._names(name)]
        size = len(sizes) + sum(size for size, _ in sizes)
        length = 1 + max((length for _, length in sizes), default=-1)
        self._sizes[name] = size, length
        if said is not None and (size > MAX_FOLLOWING or length > MAX_CHAIN):
            self._fail(
                said,
                f"then makes {size:,} runs follow, {length} of them one after another; at most "
                f"{MAX_FOLLOWING} may, and {MAX_CHAIN} one after another: use fewer jobs",
            )
            # It would grow with each job that it follows, and each of those be said to be wrong.
            then, self._sizes[name] = [], (0, 0)
        self._linked[name] = job.derive(then=then) if then else job
        size = len(encode(self._linked[name])) if then else 0
        if said is not None and size > MAX_JOB_BYTES:
            self._fail(
                said,
                f"then makes it take {size:,} bytes in a message, and a job may take "
                f"{MAX_JOB_BYTES:,}; put what is large in a file, and read that",
            )
        return self._linked[name]

    def _names(self, name: str) -> Names:
        said = self._said.get(name)
        return said.names if said else ()

    def _fail(self, said: Said, sentence: str) -> None:
        self._problems.add(said.place, sentence, said.part, key="then")


def _has(node: Node, key: str) -> TypeGuard[Mapping]:
    return isinstance(node, Mapping) and key in node.items


def _followers_of(nodes: Iterable[Node]) -> set[str]:
    """Return the names under `then` in some nodes, right or wrong."""
    found = (mentioned(plain(node.items["then"])) for node in nodes if _has(node, "then"))
    return set[str]().union(*found)


def _bare(job: Job) -> Job:
    """Return a job without what only its own schedule needs: no edit of that is one of others.

    Nor is anything in it of how it was published, if it is one that is in force.
    """
    plain = Job("", "", "", "", "")
    return job.derive(
        schedule=NEVER,
        missed_grace_s=plain.missed_grace_s,
        start_within_s=None,
        allow_args=False,
        allow_env=None,
        description=None,
        control=None,
        effective_from=None,
        by=None,
        file=None,
        line=None,
        signature=None,
    )
