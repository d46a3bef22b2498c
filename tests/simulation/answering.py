"""What the commands that search seeds say, whatever they search: the same for all of them."""

import sys
from collections.abc import Callable, Collection, Iterable

from tests.simulation.report import table_of_bites
from tests.simulation.searching import Bite, Seen

_MOST_SHOWN = 12


def say(line: str) -> None:
    """Print a line at once: a search takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_one(seen: Seen | None) -> int:
    """Say what is broken in one seed; return the exit status."""
    faults = seen.faults if seen else []
    for sentence in faults:
        say(sentence)
    return 1 if faults else 0


class Broken:
    """Counts seeds with broken promises, and says of the first how to see them again."""

    def __init__(self, replay: Callable[[int], str]) -> None:
        self.count = 0
        self._replay = replay

    def note(self, seen: Seen) -> None:
        """Take one seed."""
        if not seen.faults:
            return
        self.count += 1
        if self.count <= _MOST_SHOWN:
            say(f"seed {seen.seed}: {len(seen.faults)} broken: {seen.faults[0]}")
            say(f"  replay it: {self._replay(seen.seed)}")


def say_teeth(bites: Iterable[Bite], seeds: int, faults: Collection[str]) -> int:
    """Say which planted faults are seen; return the exit status."""
    found = []
    for line, bite in table_of_bites(bites, seeds):
        say(line)
        found.append(bite)
    unseen = sum(bite.seen is None for bite in found if bite)
    say(f"\n{len(faults) - unseen} of {len(faults)} planted faults seen")
    return 1 if unseen else 0
