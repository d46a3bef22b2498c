"""The text of a crontab to its jobs, or to every problem with its line and column.

The result is a value: what the jobs are, without any time. `cronstream.crontab_file` reads the
file, and `cronstream.crontab_watch` watches it; the format is described in ``docs/crontab.md``.
"""

from typing import Final

from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.crontab.pairs import DEFAULT_LEASE_S
from cronstream.core.crontab.piecemeal import read_piecemeal
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.root import Root, reader_for
from cronstream.core.crontab.top import VERSION
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.errors import CrontabError, Place, Problem

__all__ = ["MAX_BYTES", "VERSION", "Crontab", "parse_crontab"]

#: A crontab of 100,000 jobs has a quarter of it.
MAX_BYTES: Final = 64 * 1024 * 1024


def parse_crontab(
    text: str,
    source: str = "<string>",
    *,
    lease_s: float = DEFAULT_LEASE_S,
    before: Crontab | Recalled | None = None,
    root: Root | None = None,
) -> Crontab:
    """Return what a crontab says.

    Args:
        text: YAML 1.2, one document.
        source: What errors call it: the file.
        lease_s: The workers' lease, for which a fenced job's grace has to be short enough.
        before: What the file said before: jobs whose lines are still the same are not read again.
            Or what is known of it, where it is the same.
        root: The crontab that includes it, if it is no crontab itself.

    Raises:
        CrontabError: With every problem, each with line and column, in the order of the text.
    """
    if len(text) > MAX_BYTES // 4 and len(text.encode(errors="replace")) > MAX_BYTES:
        raise CrontabError(source, [_TOO_LARGE])
    found = read_piecemeal(text, lease_s, before, root)
    if isinstance(found, Problems):
        raise CrontabError(source, found.in_order())
    return found or read_whole(text, source, lease_s, root)


def read_whole(text: str, source: str, lease_s: float, root: Root | None = None) -> Crontab:
    """Return what a crontab says, or a file that one includes, read as one document.

    Raises:
        CrontabError: As `parse_crontab` does.
    """
    problems = Problems()
    reader = reader_for(problems, lease_s, root)
    tree = parse_yaml(text, problems)
    crontab = reader.read(tree) if root is None else reader.read_part(tree)
    if crontab is None or problems:
        raise CrontabError(source, problems.in_order())
    return crontab


_TOO_LARGE: Final = Problem("the file is larger than 64 MiB; shorten it", Place(1, 1))
