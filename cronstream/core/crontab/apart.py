"""What is wrong with some jobs of a crontab whose others are good, and need not be read again."""

from cronstream.core.crontab.crontab import Beside
from cronstream.core.crontab.entries import Entries
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.root import Root, reader_for
from cronstream.core.crontab.yaml_tree import parse_yaml


def faults_apart(
    entries: Entries, beside: Beside, lease_s: float, root: Root | None
) -> Problems | None:
    """Return what is wrong with some jobs, in the words of whoever reads the whole.

    None if nothing is: they only looked as if something might be.

    Args:
        entries: The crontab.
        beside: All other jobs of it.
        lease_s: The workers' lease.
        root: The crontab that includes it, if it is no crontab itself.

    Raises:
        AliasError: If there is an alias.
    """
    problems = Problems()
    text = entries.only({number - 1 for number in beside.numbers})
    tree = parse_yaml(text, problems, is_part=True)
    reader = reader_for(problems, lease_s, root)
    read = reader.read if root is None else reader.read_part
    read(tree, beside)
    return problems or None
