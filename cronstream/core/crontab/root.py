"""What a crontab says to the files that it includes: clusters, calendars, defaults."""

from dataclasses import dataclass

from cronstream.core.crontab.entries import entries_of
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.reader import Reader
from cronstream.core.crontab.yaml_nodes import Mapping, Sequence
from cronstream.core.crontab.yaml_tree import parse_yaml


@dataclass(frozen=True, slots=True)
class Root:
    """A good crontab without its own jobs.

    Attributes:
        text: As it stands, in whatever place of the jobs.
    """

    text: str

    @classmethod
    def of(cls, text: str) -> "Root":
        """Return that of a crontab's text."""
        entries = entries_of(text.removeprefix("\ufeff"))
        return cls(text if entries is None else entries.head)


def reader_for(problems: Problems, lease_s: float, root: Root | None) -> Reader:
    """Return a reader of a crontab, or of a file that one includes, which it has read then.

    Args:
        problems: Gets every fault.
        lease_s: The workers' lease.
        root: That crontab: it is good.
    """
    reader = Reader(problems, lease_s)
    tree = None if root is None else parse_yaml(root.text, problems)
    if isinstance(tree, Mapping):
        tree.items["jobs"] = Sequence(tree.place)
        reader.read(tree)
    return reader
