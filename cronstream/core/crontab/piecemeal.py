"""Reads a crontab job by job, where it is good: of 100,000 in seconds, and only what has changed.

It has no words for what is wrong. The reader of the whole has (`cronstream.core.crontab.parser`),
and is given only the jobs that are not simply good; or, where one is no YAML, the parser all from
there on. A crontab that is not a good head with a list of jobs is left to it altogether. So what
comes of reading it here is what comes of reading the whole, or nothing.
"""

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from cronstream.core.crontab.apart import faults_apart
from cronstream.core.crontab.crontab import Beside, Crontab, Places, Read, Recalled, Spots
from cronstream.core.crontab.entries import Entries, entries_of
from cronstream.core.crontab.faults import mend_keys
from cronstream.core.crontab.likeness import Likenesses, said_by
from cronstream.core.crontab.model import JobModel
from cronstream.core.crontab.pieces import NotGoodError, PieceParser, lines_of_starts
from cronstream.core.crontab.plain_lines import NotPlainError, lines_of, node_of, values_of
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.root import Root, reader_for
from cronstream.core.crontab.yaml_nodes import Mapping as MappingNode
from cronstream.core.crontab.yaml_nodes import Node, Scalar, find_place, plain
from cronstream.core.crontab.yaml_nodes import Sequence as ListNode
from cronstream.core.crontab.yaml_tree import AliasError, parse_yaml
from cronstream.core.schedule.expression import NEVER
from cronstream.core.wire.runs import Job

#: With more jobs that are not simply good, the whole is read.
_MOST_UNSURE: Final = 1000

_NAME: Final = "name: "
#: The key, as it may stand anywhere.
_THEN: Final = re.compile(r"then['\"]?\s*:")


def read_piecemeal(
    text: str, lease_s: float, before: Crontab | Recalled | None = None, root: Root | None = None
) -> Crontab | Problems | None:
    """Return what a crontab says, or all that is wrong with jobs of it.

    None if it cannot be cut up, or something else may be wrong.

    Args:
        text: All of it.
        lease_s: The workers' lease.
        before: What it was before, if that was read here; or what is known of it.
        root: The crontab that includes it, if it is no crontab itself.
    """
    entries = entries_of(text.removeprefix("\ufeff"))
    if entries is None or _THEN.search(entries.head):
        return None
    try:
        return _Piecemeal(entries, lease_s, root).read(before)
    except (NotGoodError, AliasError):
        return None


class _Piecemeal:
    """Reads one crontab."""

    def __init__(self, entries: Entries, lease_s: float, root: Root | None) -> None:
        self._entries, self._lease_s, self._root = entries, lease_s, root
        #: All that the jobs are read under.
        self._above = entries.head if root is None else f"{root.text}\n---\n{entries.head}"
        self._problems = Problems()
        self._reader = reader_for(self._problems, lease_s, root)
        self._head = self._read_head(is_part=root is not None)
        self._likenesses = Likenesses(self._reader, entries.indent)
        self._spots = Spots.of(len(entries.pieces))
        self._parser = PieceParser(entries, self._doubt)
        self._jobs: list[Any] = [None] * len(entries.pieces)
        #: The names of those that may be wrong, by number; and which are no items of the list.
        self._unsure: dict[int, str | None] = {}
        self._broken: set[int] = set()

    def read(self, before: Crontab | Recalled | None) -> Crontab | Problems:
        """Return what it says, or what is wrong with jobs of it.

        Raises:
            NotGoodError: If anything else may be wrong.
        """
        pieces = self._entries.pieces
        marks = array("q", map(hash, pieces))
        again = self._read_again(marks, before)
        followed = [n for n in again if "then" in pieces[n] and _THEN.search(pieces[n])]
        self._read_followed(followed)
        others = again if not followed else sorted(set(again).difference(followed))
        later = [number for number in others if not self._read_plain(number, pieces[number])]
        for number, node, line in self._parser.parsed(later):
            self._take(number, node, line)
        jobs = self._linked()
        if jobs is None:
            return self._wrong()
        self._spots.first[:] = array(
            "i", islice(lines_of_starts(pieces, self._entries.line), len(pieces))
        )
        read = Read(self._above, self._lease_s, marks)
        return replace(self._head, jobs=jobs, places=Places(jobs, self._spots), read=read)

    def _linked(self) -> tuple[Job, ...] | None:
        """Return all jobs, each with what follows it; None if something may be wrong with one."""
        if self._unsure:
            return None
        names = {job.name for job in self._jobs}
        if len(names) < len(self._jobs) or self._reader.following.lacks(names):
            return None
        jobs = tuple(self._reader.following.link(self._jobs, names))
        return None if self._problems else jobs

    def _wrong(self) -> Problems:
        """Return what is wrong with jobs; it may stand where another says that they follow it."""
        if self._broken:
            return self._cut_off(min(self._broken))
        names = [self._unsure.get(n, job and job.name) for n, job in enumerate(self._jobs)]
        times = Counter(name for name in names if name is not None)
        leaders = self._reader.following.leaders
        shown = (n for n, name in enumerate(names) if times[name] > 1 or name in leaders)
        apart = {*self._unsure, *shown}
        good = [job for number, job in enumerate(self._jobs) if number not in apart]
        beside = Beside(good, [number + 1 for number in sorted(apart)])
        problems = faults_apart(self._entries, beside, self._lease_s, self._root)
        if problems is None:
            raise NotGoodError
        return problems

    def _cut_off(self, first: int) -> Problems:
        """Return what the parser finds where it goes no further.

        Args:
            first: The number of the first job that may be where that is.
        """
        # Of a list the parser says where it began.
        shown = {0, *self._unsure, *range(first, len(self._jobs))}
        problems = Problems()
        tree = parse_yaml(self._entries.only(shown), problems, is_part=True)
        if tree is not None or not problems:
            raise NotGoodError
        return problems

    def _read_head(self, *, is_part: bool) -> Crontab:
        root = parse_yaml(self._entries.head, self._problems, is_part=True)
        jobs = root.items.get("jobs") if isinstance(root, MappingNode) else None
        if not isinstance(root, MappingNode) or not isinstance(jobs, Scalar):
            raise NotGoodError
        if not self._entries.are_cut_at(root.place, jobs.place):
            raise NotGoodError
        root.items["jobs"] = ListNode(jobs.place)
        head = self._reader.read_part(root) if is_part else self._reader.read(root)
        if head is None or self._problems:
            raise NotGoodError
        return head

    def _read_again(self, marks: "array[int]", before: Crontab | Recalled | None) -> Sequence[int]:
        """Put in place what was read before, and return the numbers of all other jobs."""
        if isinstance(before, Recalled):
            return self._recall(before.jobs)
        read, pieces = None if before is None else before.read, self._entries.pieces
        if before is None or read is None or not isinstance(before.places, Places):
            return range(len(marks))
        if (read.head, read.lease_s) != (self._above, self._lease_s):
            return range(len(marks))
        begin, end = _alike(read.marks, marks)
        self._copy(before.jobs, before.places.spots, slice(begin), slice(begin))
        last = slice(len(read.marks) - end, None), slice(len(marks) - end, None)
        self._copy(before.jobs, before.places.spots, *last)
        known = {mark: n for n, mark in enumerate(read.marks)}
        others = [n for n, job in enumerate(self._jobs) if job and not _stands(job, pieces[n])]
        for number in range(begin, len(marks) - end):
            old = known.get(marks[number])
            if old is None or not _stands(before.jobs[old], pieces[number]):
                others.append(number)
            else:
                spots = before.places.spots
                self._put(number, before.jobs[old], spots.below[old], spots.column[old])
        return others

    def _recall(self, jobs: Mapping[str, Job]) -> Sequence[int]:
        """Put in place what is known by name, where that comes first, and return all others."""
        others, begin = [], self._entries.indent + 2 + len(_NAME)
        for number, piece in enumerate(self._entries.pieces):
            name = piece[begin : piece.find("\n", begin)]
            job = jobs.get(name) if piece.startswith(_NAME, begin - len(_NAME)) else None
            if job is None or not _stands(job, name):
                others.append(number)
            else:
                self._put(number, job, 0, begin + 1)
        return others

    def _copy(self, jobs: Sequence[Job], spots: Spots, of: slice, to: slice) -> None:
        """Put in place the jobs of a stretch, as they were."""
        self._jobs[to] = jobs[of]
        self._spots.below[to], self._spots.column[to] = spots.below[of], spots.column[of]

    def _put(self, number: int, job: Job, below: int, column: int) -> None:
        self._jobs[number] = job
        self._spots.below[number], self._spots.column[number] = below, column

    def _read_plain(self, number: int, piece: str) -> bool:
        """Read a job without a parser; return whether it is written so plainly."""
        margin = self._entries.indent + 2
        try:
            found = self._likenesses.same_as(piece)
            if found is None:
                lines = lines_of(piece, self._entries.indent)
                said = said_by(lines)
                job = self._likenesses.job_of(said) or self._job_of(
                    number, node_of(values_of(lines))
                )
                if job is None:
                    return True
                found = job, _lines_above_name(piece, margin)
                self._likenesses.learn(piece, said, *found)
        except NotPlainError:
            return False
        self._put(number, *found, margin + len(_NAME) + 1)
        return True

    def _job_of(self, number: int, node: Node) -> Job | None:
        """Return the job that a node describes; None, and note it, if it may be wrong."""
        job = self._reader.read_job(node, number + 1)
        if job is None or self._problems or job.cluster not in self._reader.clusters.found:
            self._doubt(number, node)
            return None
        return job

    def _doubt(self, number: int, node: Node | None) -> None:
        """Note that a job may be wrong; None if it may go on, or begin, in another's lines."""
        self._problems.take()
        if node is not None:
            mend_keys(node, JobModel.model_fields)
        values = None if node is None else plain(node)
        if node is None:
            self._broken.add(number)
        name = values.get("name") if isinstance(values, dict) else None
        self._unsure[number] = name if isinstance(name, str) else None
        if len(self._unsure) > _MOST_UNSURE:
            raise NotGoodError

    def _read_followed(self, numbers: Sequence[int]) -> None:
        """Read the jobs that others follow, and note which: these may do without a schedule."""
        nodes = list(self._parser.parsed(numbers))
        self._reader.following.foresee(*(node for _, node, _ in nodes))
        for number, node, line in nodes:
            self._take(number, node, line)

    def _take(self, number: int, node: Node, line: int) -> None:
        place, job = find_place(node, ("name",)), self._job_of(number, node)
        if job is not None:
            self._put(number, job, place.line - line, place.column)


def _stands(job: Job, piece: str) -> bool:
    """Return whether a job of the same mark is that of a piece, whatever others say.

    What follows it comes from others; one that only follows others may need a schedule by now.
    """
    return not job.then and job.schedule != NEVER and job.name in piece


def _lines_above_name(piece: str, margin: int) -> int:
    """Return how many lines an entry has above that of its name."""
    if piece.startswith(_NAME, margin):
        return 0
    return piece.count("\n", 0, piece.index(f"\n{' ' * margin}{_NAME}") + 1)


def _alike(old: "array[int]", new: "array[int]") -> tuple[int, int]:
    """Return how many marks are the same at the beginning, and behind what is not at the end."""
    shorter = min(len(old), len(new))
    begin = bisect_left(range(shorter), x=True, key=lambda n: old[: n + 1] != new[: n + 1])
    rest = range(shorter - begin)
    return begin, bisect_left(rest, x=True, key=lambda n: old[-n - 1 :] != new[-n - 1 :])
