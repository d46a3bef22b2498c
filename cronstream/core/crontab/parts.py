"""A crontab together with the files that it includes, each of which may be wrong by itself.

A file that cannot be used costs only itself: the jobs that it had before stay as they were, and all
else is as the files say. So it is with one that is gone, or lacks most of its jobs: until it says
so, that is a mistake.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from cronstream.core.crontab.change import Change
from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.crontab.include import include_of
from cronstream.core.crontab.pairs import DEFAULT_LEASE_S
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.removals import LEAST, Removal
from cronstream.core.crontab.root import Root
from cronstream.core.crontab.yaml_nodes import Mapping as MappingNode
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError, Part, Problem

#: What the crontab itself is called among the files that it consists of.
_ROOT: Final = ""
_NO_FILES: Final = Problem("'include' names files beside a crontab, and this is in none; name it")
_INCLUDE: Final = re.compile(r"\binclude\b")


@dataclass(frozen=True, slots=True)
class File:
    """A file that a crontab includes.

    Attributes:
        name: What people call it.
        text: What is in it.
        problem: Why it cannot be read.
    """

    name: str
    text: str = ""
    problem: Problem | None = None


class PartlyGoodError(CrontabError):
    """Files that a crontab includes cannot be used, and all else can.

    Attributes:
        crontab: All else, with the jobs as they were before of the files that cannot be used.
    """

    def __init__(self, source: str, problems: Sequence[Problem], crontab: Crontab) -> None:
        super().__init__(source, problems)
        self.crontab = crontab


#: The problems of each file that has some.
_Wrong: TypeAlias = dict[str, list[Problem]]


def included_in(text: str) -> tuple[str, ...]:
    """Return the names of files that a crontab includes, which may be patterns, as it says them.

    What is wrong there is said when it is read.
    """
    if "include" not in text or _INCLUDE.search(text) is None:
        return ()
    tree = parse_yaml(Root.of(text).text, Problems())
    node = tree.items.get("include") if isinstance(tree, MappingNode) else None
    return () if node is None else include_of(node) or ()


def parse_together(
    text: str,
    files: Iterable[File],
    *,
    source: str = "<string>",
    lease_s: float = DEFAULT_LEASE_S,
    before: Crontab | Recalled | None = None,
) -> Crontab:
    """Return what a crontab says together with the files that it includes.

    Args:
        text: The crontab.
        files: Those files, in order; also those that cannot be read.
        source: What errors call it.
        lease_s: The workers' lease.
        before: What all of it said before, as far as it could be used; or what is known of it.

    Raises:
        CrontabError: If the crontab itself cannot be used.
        PartlyGoodError: If some of the files cannot be used.
    """
    old = dict(before.parts) if isinstance(before, Crontab) else {}
    known = before if isinstance(before, Recalled) else None
    own = old.get(_ROOT, before)
    root = parse_crontab(text, source, lease_s=lease_s, before=own)
    if not root.include:
        return root
    files = list(files)
    if not files:
        raise CrontabError(source, [_NO_FILES])
    above = Root.of(text)
    good: dict[str, Crontab] = {}
    wrong: _Wrong = {}
    for file in files:
        try:
            good[file.name] = _read(file, lease_s, known or old.get(file.name), above)
        except CrontabError as error:
            wrong[file.name] = [replace(problem, file=file.name) for problem in error.problems]
    _see_that_no_name_is_twice(root, good, wrong, old)
    if _ROOT not in wrong and _see_that_nothing_great_goes(root, good, wrong, old):
        _see_that_no_name_is_twice(root, good, wrong, old)
    if _ROOT in wrong:
        raise CrontabError(source, wrong[_ROOT])
    return _together(source, root, good, wrong, old)


def as_far_as_known(crontab: Crontab, change: Change) -> Change:
    """Return a change without removals, where a file is missing that may have those jobs."""
    return replace(change, removed=()) if crontab.is_partial else change


def _read(file: File, lease_s: float, before: Crontab | Recalled | None, above: Root) -> Crontab:
    if file.problem is not None:
        raise CrontabError(file.name, [file.problem])
    return parse_crontab(file.text, file.name, lease_s=lease_s, before=before, root=above)


def _together(
    source: str,
    root: Crontab,
    good: Mapping[str, Crontab],
    wrong: _Wrong,
    old: Mapping[str, Crontab],
) -> Crontab:
    kept = {name: old[name] for name in wrong if name in old}
    parts = {_ROOT: root, **dict(sorted({**good, **kept}.items()))}
    crontab = replace(
        root,
        jobs=tuple(job for part in parts.values() for job in part.jobs),
        parts=parts,
        is_partial=len(kept) < len(wrong),
        read=None,
    )
    if wrong:
        problems = [problem for _, found in sorted(wrong.items()) for problem in found]
        raise PartlyGoodError(source, problems, crontab)
    return crontab


def _see_that_no_name_is_twice(
    root: Crontab, good: dict[str, Crontab], wrong: _Wrong, old: Mapping[str, Crontab]
) -> None:
    """Find files with a job that another has, too: who had it before keeps it, else the first.

    What a file that is wrong had before is still there, so one may lead to the next.
    """
    while True:
        owners = {job.name: name for name in wrong if name in old for job in old[name].jobs}
        there = {_ROOT: root, **dict(sorted(good.items()))}
        had = {name: _names(old[name]) if name in old else set() for name in there}
        claims = [(name, job) for name, part in there.items() for job in part.jobs]
        claims.sort(key=lambda claim: claim[1].name not in had[claim[0]])
        found: _Wrong = {}
        for name, job in claims:
            if (owner := owners.setdefault(job.name, name)) != name:
                found.setdefault(name, []).append(_twice(job, name, owner, there[name]))
        if not found:
            return
        wrong.update(found)
        for name in found.keys() & good.keys():
            del good[name]
        if _ROOT in found:
            return


def _twice(job: Job, name: str, owner: str, part: Crontab) -> Problem:
    where = f"in {owner}" if owner else "in the crontab that includes this file"
    return Problem(
        f"the name is that of a job {where}; rename one",
        part.places.get(job.name),
        Part("job", job.name),
        "name",
        name or None,
    )


def _see_that_nothing_great_goes(
    root: Crontab, good: dict[str, Crontab], wrong: _Wrong, old: Mapping[str, Crontab]
) -> bool:
    """Find files that lack most of the jobs that they had, or are gone, and do not mean it."""
    kept = [old[name] for name in wrong if name in old]
    there = {name for part in (root, *good.values(), *kept) for name in _names(part)}
    is_one = False
    for name, part in old.items():
        if name in wrong or name == _ROOT or len(part.jobs) < LEAST:
            continue
        gone = tuple(sorted(_names(part) - there))
        removal = Removal(gone, len(part.jobs))
        marks = {root.allow_removals, good[name].allow_removals if name in good else ""}
        if 2 * len(gone) > len(part.jobs) and removal.mark not in marks:
            wrong[name] = [Problem(_unmeant(removal, is_there=name in good), file=name)]
            good.pop(name, None)
            is_one = True
    return is_one


def _unmeant(removal: Removal, *, is_there: bool) -> str:
    what = "it lacks" if is_there else "it is gone, and with it"
    whose = "it" if is_there else "the crontab that included it"
    return (
        f"{what} {len(removal.jobs)} of its {removal.in_force} jobs; put them back, or, if that is "
        f"meant, write 'allow_removals: {removal.mark}' into {whose}"
    )


def _names(part: Crontab) -> set[str]:
    return {job.name for job in part.jobs}
