"""Variables of an environment: which of its worker's a command finds, and which are settings."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Self

#: How the names of settings begin: ours, and Faust's, which sets some of its own itself
#: (``faust.types._env``). They are the worker's, whatever is listed: a command that is a program
#: of the same kind would take them for its own.
SETTINGS: Final = ("CRONSTREAM_", "FAUST_", "F_")


def for_commands(ours: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """Return the part of a worker's environment that its commands get.

    Args:
        ours: The worker's environment.
        passed: Names; ``*`` at the end of one stands for whatever follows.
    """
    names = frozenset(name for name in passed if not name.endswith("*"))
    beginnings = tuple(name[:-1] for name in passed if name.endswith("*"))
    return {
        name: text
        for name, text in without_settings(ours).items()
        if name in names or name.startswith(beginnings)
    }


def without_settings(ours: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what sets a worker: what the worker's own children get."""
    return {name: text for name, text in ours.items() if not name.startswith(SETTINGS)}


class Secret(NamedTuple):
    """Where a worker finds the value of a variable, which stands in no message.

    As a run carries it: ``file:/run/secrets/token`` or ``from:TOKEN``.
    """

    #: ``file``, or ``from``: a variable of the worker's own environment.
    kind: str
    #: The path of the one, or the name of the other.
    place: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what a run carries, whatever that is."""
        kind, _, place = text.partition(":")
        return cls(kind, place)

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"
